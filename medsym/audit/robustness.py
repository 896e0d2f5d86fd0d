"""How output and defect change when the scan is disturbed: noise, shading, tilt, shift.

The bound covers the model; a wrong mid-plane or a shaded coil makes asymmetry in the scan. This
table says how much of it reaches the output, and whether the defect stays where it was.
"""

import math
from collections.abc import Iterator
from dataclasses import dataclass
from typing import get_args

import torch
from torch import Tensor
from torch.nn.functional import grid_sample

from medsym.audit.layers import relative_size
from medsym.audit.subject import Subject
from medsym.symmetry.lie_derivative import Motion
from medsym.symmetry.mirror import Axis, spatial_dim

NOISE = (0.05, 0.1)
"""Spread of added Gaussian noise, relative to the spread of the volume where it is not empty."""

SHADING = (0.1, 0.3)
"""Gain that falls from 1 + s at one end of the mirrored axis to 1 - s at the other."""

TILT_DEG = (1.0, 3.0)
"""Turns of the mirrored axis towards another: about the error of a mid-plane, and gross."""

SHIFT_VOXELS = (1.0, 2.0)
"""Whole voxels along the mirrored axis, which need no interpolation."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Disturbance:
    """One disturbed volume.

    Attributes:
        name: none, noise, shading, tilt or shift.
        strength: See the constants of this module; 0 for none.
        unit: Of the strength.
        input_change: ``|x' - x| / |x|``.
        output_change: ``|f(x') - f(x)| / |f(x)|``; for tilt and shift f(x) is moved along first
            (a tilt costs one interpolation), so 0 means that the output follows.
        defect: ``|f(S x') - S f(x')| / |f(x')|``.
        asymmetry: ``|f(x') - S f(x')| / |f(x')|``, what a reader would see.
    """

    name: str
    strength: float
    unit: str
    input_change: float
    output_change: float
    defect: float
    asymmetry: float


def robustness(subject: Subject, volume: Tensor, *, seed: int = 0) -> tuple[Disturbance, ...]:
    """The undisturbed volume, then every disturbance at its two strengths.

    An output on another grid than the input's has no shift by whole voxels; those rows are absent.

    Args:
        subject: Its main output is measured.
        volume: x, (1, c, x, y, z).
        seed: Of the noise.
    """
    with torch.no_grad():
        clean = subject.value(volume)
        same_grid = clean.shape[2:] == volume.shape[2:]
        return tuple(
            _measured(subject, volume, clean, name=name, strength=strength, seed=seed)
            for name, strength in _trials()
            if same_grid or name != "shift"
        )


def _trials() -> Iterator[tuple[str, float]]:
    yield "none", 0.0
    kinds = {"noise": NOISE, "shading": SHADING, "tilt": TILT_DEG, "shift": SHIFT_VOXELS}
    for name, strengths in kinds.items():
        for strength in strengths:
            yield name, strength


def _measured(
    subject: Subject, volume: Tensor, clean: Tensor, *, name: str, strength: float, seed: int
) -> Disturbance:
    expected, unit = clean, ""
    if name == "noise":
        disturbed, unit = add_noise(volume, strength, seed=seed), "SD"
    elif name == "shading":
        disturbed, unit = shade(volume, strength, axis=subject.axis), "gain"
    elif name == "tilt":
        motion, unit = tilt_of(subject.axis), "degrees"
        disturbed, expected = (turn(v, motion, strength) for v in (volume, clean))
    elif name == "shift":
        unit, steps = "voxels", int(strength)
        disturbed, expected = (shift(v, steps, axis=subject.axis) for v in (volume, clean))
    else:
        disturbed = volume
    output, twin = subject.value(disturbed), subject.value(subject.mirrored_input(disturbed))
    back = subject.mirrored_output(output)
    return Disturbance(
        name=name,
        strength=strength,
        unit=unit,
        input_change=relative_size(disturbed - volume, volume),
        output_change=relative_size(output - expected, clean),
        defect=relative_size(twin - back, output),
        asymmetry=relative_size(output - back, output),
    )


def add_noise(volume: Tensor, strength: float, *, seed: int = 0) -> Tensor:
    """Gaussian noise where the volume is not empty."""
    filled = volume != 0
    spread = float(volume[filled].std()) if int(filled.sum()) > 1 else 0.0
    generator = torch.Generator().manual_seed(seed)
    noise = torch.randn(volume.shape, generator=generator).to(volume)
    return volume + strength * spread * noise * filled


def shade(volume: Tensor, strength: float, *, axis: Axis) -> Tensor:
    """A coil that is nearer to the far end of the axis: for x, the patient's right is brighter."""
    dim = spatial_dim(axis)
    ramp = torch.linspace(-1.0, 1.0, volume.shape[dim], dtype=volume.dtype, device=volume.device)
    shape = [1] * volume.ndim
    shape[dim] = -1
    return volume * (1.0 + strength * ramp.reshape(shape))


def shift(volume: Tensor, voxels: int, *, axis: Axis) -> Tensor:
    """Move by whole voxels towards the far end of an axis; the first plane is repeated."""
    dim = spatial_dim(axis)
    first = volume.narrow(dim, 0, 1)
    kept = volume.narrow(dim, 0, volume.shape[dim] - voxels)
    return torch.cat([first] * voxels + [kept], dim=dim)


def tilt_of(axis: Axis) -> Motion:
    """The turn that tilts a mirror plane: towards the vertical for x (head to the shoulder)."""
    return Motion(axis, "z" if axis != "z" else "x")


def turn(volume: Tensor, motion: Motion, degrees: float) -> Tensor:
    """Turn (b, c, x, y, z) about the centre of its grid; voxels are cubes.

    Trilinear interpolation, edge voxels repeated beyond the border. What lies on the positive
    side of ``motion.axis`` moves towards the positive side of ``motion.towards``.
    """
    assert motion.towards is not None
    axes = get_args(Axis)
    sizes = volume.shape[2:]
    steps = [
        torch.arange(n, dtype=volume.dtype, device=volume.device) - (n - 1) / 2.0 for n in sizes
    ]
    places = list(torch.meshgrid(*steps, indexing="ij"))
    first, second = axes.index(motion.axis), axes.index(motion.towards)
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    source = list(places)
    source[first] = c * places[first] + s * places[second]
    source[second] = c * places[second] - s * places[first]
    scaled = [p / max((n - 1) / 2.0, 1e-9) for p, n in zip(source, sizes, strict=True)]
    grid = torch.stack(scaled[::-1], dim=-1)  # grid_sample names the last axis first
    grid = grid.expand(volume.shape[0], *grid.shape)
    return grid_sample(volume, grid, mode="bilinear", padding_mode="border", align_corners=True)
