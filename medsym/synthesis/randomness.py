"""Random numbers and random fields, all from one seeded torch.Generator on the CPU.

Numbers and the control points of smooth fields are drawn on the CPU, so a case has the same
anatomy, lesions and contrast on every device. Only white noise over voxels is drawn where the
volume lives: on another device a case looks the same but for its grain.
"""

import math

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.canvas import CPU
from medsym.synthesis.settings import Range
from medsym.synthesis.smoothing import box_mean


def uniform(within: Range, *, generator: torch.Generator) -> float:
    """One number, uniform in a range."""
    low, high = within
    return low + (high - low) * float(torch.rand((), generator=generator))


def log_uniform(within: Range, *, generator: torch.Generator) -> float:
    """One number, uniform in the logarithm of a positive range."""
    return math.exp(uniform((math.log(within[0]), math.log(within[1])), generator=generator))


def chance(probability: float, *, generator: torch.Generator) -> bool:
    """True with the given probability."""
    return float(torch.rand((), generator=generator)) < probability


def whole(low: int, high: int, *, generator: torch.Generator) -> int:
    """One integer, both ends included."""
    return int(torch.randint(low, high + 1, (), generator=generator))


def draw_seed(generator: torch.Generator) -> int:
    """A seed for another generator; torch's generator on the CPU uses 32 bits of a seed."""
    return int(torch.randint(2**32, (), generator=generator))


def white_noise(
    shape: tuple[int, ...], *, generator: torch.Generator, device: torch.device = CPU
) -> Tensor:
    """Independent standard normal numbers on a device.

    Args:
        shape: of the result.
        generator: source of randomness, on the CPU; one number of it seeds the noise, so that what
            is drawn afterwards does not depend on the device or on the number of voxels.
        device: where the numbers are drawn.
    """
    there = torch.Generator(device=device).manual_seed(draw_seed(generator))
    return torch.randn(shape, generator=there, device=device)


def smooth_field(
    channels: int,
    *,
    shape: tuple[int, int, int],
    control: tuple[int, int, int],
    generator: torch.Generator,
    device: torch.device = CPU,
) -> Tensor:
    """Smooth random field (channels, x, y, z) with mean 0 and root mean square 1 per channel.

    White noise on a control lattice, enlarged linearly and smoothed once so that no kinks stay.

    Args:
        channels: number of independent fields.
        shape: voxels along x, y, z.
        control: control points along x, y, z.
        generator: source of randomness, on the CPU.
        device: where the field is made.
    """
    noise = torch.randn((1, channels, *control), generator=generator).to(device)
    field = functional.interpolate(noise, size=shape, mode="trilinear", align_corners=True)
    field = box_mean(field[0], padded=False)
    field = field - field.mean(dim=(1, 2, 3), keepdim=True)
    size = field.square().mean(dim=(1, 2, 3), keepdim=True).sqrt()
    return field / size.clamp_min(1e-6)


def rotation(axis: int, degrees: float) -> Tensor:
    """(3, 3) rotation about one axis, by the right-hand rule."""
    cosine, sine = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    first, second = [k for k in range(3) if k != axis]
    turn = torch.eye(3)
    turn[first, first] = turn[second, second] = cosine
    sign = -1.0 if axis == 1 else 1.0
    turn[first, second], turn[second, first] = -sine * sign, sine * sign
    return turn


def random_rotation(*, generator: torch.Generator) -> Tensor:
    """(3, 3) rotation, uniform over all orientations (Shoemake, Graphics Gems III, 1992)."""
    quaternion = torch.randn(4, generator=generator)
    w, x, y, z = (quaternion / quaternion.norm()).tolist()
    return torch.tensor(
        [
            [1 - 2 * (y * y + z * z), 2 * (x * y - z * w), 2 * (x * z + y * w)],
            [2 * (x * y + z * w), 1 - 2 * (x * x + z * z), 2 * (y * z - x * w)],
            [2 * (x * z - y * w), 2 * (y * z + x * w), 1 - 2 * (x * x + y * y)],
        ]
    )
