"""Random anatomy: where each point of the drawn head comes from in the source anatomy.

A deformation is a field of source positions (mm, frame coordinates) on a coarse lattice of 6 mm
that spans the fine lattice from its first to its last voxel centre; enlarging it linearly gives
the position of every fine voxel. Everything is therefore one field, and labels and image agree.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.anatomy import FINE_MM, LATTICE, Anatomy
from medsym.synthesis.randomness import rotation, smooth_field, uniform
from medsym.synthesis.settings import DeformationConfig
from medsym.synthesis.smoothing import box_mean, length
from medsym.synthesis.tissues import classes_named

GRID = (64, 80, 64)  # the network's grid
GRID_MM = 3.0
FINE = (128, 160, 128)  # the same extent at 1.5 mm
COARSE = (32, 40, 32)
TORQUE_AT_MM = 70.0  # distance from the centre at which the torque reaches its stated size


@dataclass(frozen=True, kw_only=True, slots=True)
class Push:
    """Displacement of tissue round a lesion.

    Attributes:
        centre_mm: (3,) frame coordinates.
        radius_mm: at which the displacement is largest.
        distance_mm: how far tissue moves outwards there; negative draws it in.
    """

    centre_mm: Tensor
    radius_mm: float
    distance_mm: float


def lattice_mm(shape: tuple[int, int, int]) -> Tensor:
    """(3, x, y, z) frame coordinates of a lattice that spans the fine grid end to end."""
    ends = [0.5 * (n - 1) * FINE_MM for n in FINE]
    axes = [torch.linspace(-end, end, n) for end, n in zip(ends, shape, strict=True)]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def grid_mm() -> Tensor:
    """(3, 64, 80, 64) frame coordinates of the network grid's voxel centres."""
    axes = [(torch.arange(n) - 0.5 * (n - 1)) * GRID_MM for n in GRID]
    return torch.stack(torch.meshgrid(*axes, indexing="ij"))


def draw_sources(
    anatomy: Anatomy, *, config: DeformationConfig, generator: torch.Generator
) -> Tensor:
    """Source positions of a random anatomy, (3, 32, 40, 32), mm.

    Args:
        anatomy: the head to deform.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    points = lattice_mm(COARSE)
    scale = torch.tensor([uniform(config.scale, generator=generator) for _ in range(3)])
    shift = torch.tensor(
        [
            uniform(config.plane_shift_mm, generator=generator),
            uniform(config.shift_mm, generator=generator),
            uniform(config.shift_mm, generator=generator),
        ]
    )
    turn = (
        rotation(0, uniform(config.pitch_deg, generator=generator))
        @ rotation(1, uniform(config.tilt_deg, generator=generator))
        @ rotation(2, uniform(config.tilt_deg, generator=generator))
    )
    linear = torch.diag(1.0 / scale) @ turn.T
    sources = torch.einsum("rc,cxyz->rxyz", linear, points - shift.view(3, 1, 1, 1))
    spacing = uniform(config.control_spacing_mm, generator=generator)
    control = [max(4, round((n - 1) * FINE_MM / spacing) + 1) for n in FINE]
    field = smooth_field(
        3, shape=COARSE, control=(control[0], control[1], control[2]), generator=generator
    )
    sources = sources + field * uniform(config.displacement_rms_mm, generator=generator)
    sources = sources - _torque(sources, size=uniform(config.torque_mm, generator=generator))
    return sources + _ventricle_shift(
        anatomy, sources=sources, size=uniform(config.ventricle_mm, generator=generator)
    )


def _torque(points: Tensor, *, size: float) -> Tensor:
    """Forward displacement of the right front, backward displacement of the left back, mm.

    The direction is that of most heads (Toga and Thompson, "Mapping brain asymmetry", Nature
    Reviews Neuroscience 4, 2003); it is drawn on top of what the source anatomy shows already.
    """
    x, y = points[0], points[1]
    right, left = torch.sigmoid(x / 10.0), torch.sigmoid(-x / 10.0)
    move = torch.zeros_like(points)
    forwards = right * y.clamp_min(0.0) + left * y.clamp_max(0.0)
    move[1] = size * (forwards / TORQUE_AT_MM).clamp(-1.5, 1.5)
    return move


def _ventricle_shift(anatomy: Anatomy, *, sources: Tensor, size: float) -> Tensor:
    """Displacement of the sampling points that widens (size > 0, mm) the ventricles."""
    names = classes_named("ventricle", "choroid").to(anatomy.classes.device)
    classes = sample_classes(anatomy, sources=sources, shape=COARSE)
    inside = box_mean(names[classes].to(torch.float32), times=2)
    slope = torch.stack(torch.gradient(inside))
    largest = length(slope).max().clamp_min(1e-6)
    return size * slope / largest


def apply_push(sources: Tensor, *, push: Push, brain: Tensor) -> Tensor:
    """Source positions after the tissue round a lesion has been moved.

    The displacement grows linearly up to the radius and fades exponentially beyond it; towards the
    skull, where nothing can move, it fades with the smoothed brain mask.

    Args:
        sources: (3, 32, 40, 32) mm.
        push: centre, radius and size.
        brain: (32, 40, 32) float, 1 inside the brain; smoothed here.
    """
    points = lattice_mm(COARSE)
    away = points - push.centre_mm.view(3, 1, 1, 1)
    distance = length(away).clamp_min(1e-3)
    size = min(push.distance_mm, 0.8 * push.radius_mm)
    ratio = distance / push.radius_mm
    profile = torch.where(ratio < 1.0, ratio, torch.exp(1.0 - ratio))
    room = box_mean(brain)
    return sources - away / distance * (size * profile * room)


def enlarge(sources: Tensor, *, shape: tuple[int, int, int]) -> Tensor:
    """Coarse field on a finer lattice of the same ends, (3, x, y, z)."""
    if tuple(sources.shape[1:]) == shape:
        return sources
    return functional.interpolate(sources[None], size=shape, mode="trilinear", align_corners=True)[
        0
    ]


def sample_classes(anatomy: Anatomy, *, sources: Tensor, shape: tuple[int, int, int]) -> Tensor:
    """Tissue class (int64) at the source position of each voxel of a lattice, nearest neighbour.

    Positions beyond the stored head take its border voxel, so that a neck goes on downwards.
    """
    field = enlarge(sources, shape=shape)
    index = torch.zeros(shape, device=field.device)
    for axis, size in enumerate(LATTICE):
        nearest = (field[axis] * (1.0 / FINE_MM) + 0.5 * (size - 1)).round_().clamp_(0, size - 1)
        index = index.mul_(size).add_(nearest)  # exact in float32: below 2^24
    if math.prod(LATTICE) >= 2**24:  # cannot happen with the fixed lattice
        raise AssertionError("the lattice is too large for float32 indices")
    return torch.take(anatomy.classes, index.to(torch.int64)).to(torch.int64)
