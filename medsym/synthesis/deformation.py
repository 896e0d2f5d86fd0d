"""Random anatomy: where each point of the drawn head comes from in the source anatomy.

A deformation is a field of source positions (mm, frame coordinates) on the coarse lattice of the
canvas; enlarging it linearly gives the position of every fine point. Everything is therefore one
field, and labels and image agree.
"""

import math
from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.anatomy import FINE_MM, LATTICE, RIM_NONE, RIM_STEPS_PER_MM, Anatomy
from medsym.synthesis.canvas import Canvas, Shape
from medsym.synthesis.randomness import rotation, smooth_field, uniform
from medsym.synthesis.settings import DeformationConfig
from medsym.synthesis.smoothing import box_mean, length
from medsym.synthesis.tissues import CLASS_LABELS, classes_named

TORQUE_AT_MM = 70.0  # distance from the centre at which the torque reaches its stated size
WIDTH_SHARE = 0.5  # of the forward displacement: how much wider the bulging pole becomes
PATCH_MM = 30.0  # size of the places in which atrophy is stronger or weaker


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


@dataclass(frozen=True, kw_only=True, slots=True)
class Deformation:
    """A drawn head before its lesions.

    Attributes:
        sources: (3, x, y, z) source positions on the coarse lattice, mm.
        torque: (3, x, y, z) how far the natural torque moved the tissue there, mm along the axes
            of the drawn head.
    """

    sources: Tensor
    torque: Tensor


def draw_deformation(
    anatomy: Anatomy, *, canvas: Canvas, config: DeformationConfig, generator: torch.Generator
) -> Deformation:
    """Source positions of a random anatomy on the coarse lattice.

    Args:
        anatomy: the head to deform, on the canvas's device.
        canvas: grid and device.
        config: ranges.
        generator: source of randomness, on the CPU.
    """
    points = canvas.lattice(canvas.coarse)
    linear, shift = _pose(config, generator=generator)
    centred = points - shift.to(canvas.device).view(3, 1, 1, 1)
    sources = torch.einsum("rc,cxyz->rxyz", linear.to(canvas.device), centred)
    for spacings, sizes in (
        (config.control_spacing_mm, config.displacement_rms_mm),
        (config.rough_spacing_mm, config.rough_rms_mm),
    ):
        spacing, size = (uniform(within, generator=generator) for within in (spacings, sizes))
        field = smooth_field(
            3,
            shape=canvas.coarse,
            control=canvas.control(spacing),
            generator=generator,
            device=canvas.device,
        )
        sources = sources + field * size
    torque = _torque(sources, size=uniform(config.torque_mm, generator=generator))
    sources = sources - torque
    to_drawn = torch.linalg.inv(linear).to(canvas.device)
    widened = _ventricle_shift(
        anatomy,
        canvas=canvas,
        sources=sources,
        size=uniform(config.ventricle_mm, generator=generator),
    )
    moved = torch.einsum("rc,cxyz->rxyz", to_drawn, torque)
    return Deformation(sources=sources + widened, torque=moved)


def _pose(config: DeformationConfig, *, generator: torch.Generator) -> tuple[Tensor, Tensor]:
    """Linear map from the drawn head to the source anatomy, and the shift taken off before."""
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
    return torch.diag(1.0 / scale) @ turn.T, shift


def _torque(points: Tensor, *, size: float) -> Tensor:
    """Displacement of the right front forwards and outwards, of the left back alike, mm.

    The direction is that of most heads (Toga and Thompson, "Mapping brain asymmetry", Nature
    Reviews Neuroscience 4, 2003: petalia and the wider right frontal and left occipital pole); it
    is drawn on top of what the source anatomy shows already.
    """
    x, y = points[0], points[1]
    right, left = torch.sigmoid(x / 10.0), torch.sigmoid(-x / 10.0)
    forwards = right * y.clamp_min(0.0) + left * y.clamp_max(0.0)
    share = (forwards / TORQUE_AT_MM).clamp(-1.5, 1.5)
    wider = WIDTH_SHARE * share.abs() * torch.tanh(x / 20.0)
    return size * torch.stack([wider, share, torch.zeros_like(x)])


def _ventricle_shift(anatomy: Anatomy, *, canvas: Canvas, sources: Tensor, size: float) -> Tensor:
    """Displacement of the sampling points that widens (size > 0, mm) the ventricles."""
    names = classes_named("ventricle", "choroid").to(canvas.device)
    classes = sample_classes(anatomy, canvas=canvas, sources=sources, shape=canvas.coarse)
    inside = box_mean(names[classes].to(torch.float32), times=2)
    slope = torch.stack(torch.gradient(inside))
    return size * slope / length(slope).max().clamp_min(1e-6)


def apply_push(sources: Tensor, *, canvas: Canvas, push: Push, brain: Tensor) -> Tensor:
    """Source positions after the tissue round a lesion has been moved.

    The displacement grows linearly up to the radius and fades exponentially beyond it; towards the
    skull, where nothing can move, it fades with the smoothed brain mask.

    Args:
        sources: (3, x, y, z) on the coarse lattice, mm.
        canvas: grid and device.
        push: centre, radius and size.
        brain: (x, y, z) float on the coarse lattice, 1 inside the brain; smoothed here.
    """
    away = canvas.lattice(canvas.coarse) - push.centre_mm.to(canvas.device).view(3, 1, 1, 1)
    distance = length(away).clamp_min(1e-3)
    size = min(push.distance_mm, 0.8 * push.radius_mm)
    ratio = distance / push.radius_mm
    profile = torch.where(ratio < 1.0, ratio, torch.exp(1.0 - ratio))
    return sources - away / distance * (size * profile * box_mean(brain))


def enlarge(field: Tensor, *, shape: Shape) -> Tensor:
    """Coarse field (channels, ...) on a finer lattice of the same ends, (channels, x, y, z)."""
    if tuple(field.shape[1:]) == shape:
        return field
    return functional.interpolate(field[None], size=shape, mode="trilinear", align_corners=True)[0]


def on_grid(field: Tensor, *, canvas: Canvas) -> Tensor:
    """Coarse field (channels, ...) at the grid's voxel centres, (channels, x, y, z).

    They end a quarter voxel inside the coarse lattice, so this is not `enlarge`.
    """
    for dim, (number, fine) in enumerate(zip(canvas.shape, canvas.fine, strict=True), start=1):
        last = field.shape[dim] - 1
        at = (2.0 * torch.arange(number, device=field.device) + 0.5) * (last / (fine - 1))
        below = at.floor().long().clamp_max(last - 1)
        shape = [-1 if k == dim else 1 for k in range(4)]
        share = (at - below).view(shape)
        low, high = field.index_select(dim, below), field.index_select(dim, below + 1)
        field = torch.lerp(low, high, share.expand_as(low))
    return field


def _places(sources: Tensor, *, canvas: Canvas, shape: Shape | None) -> Tensor:
    """Flat index (int64) into the anatomy's lattice of the source of each point of a lattice.

    Positions beyond the stored head take its border voxel, so that a neck goes on downwards.
    """
    field = on_grid(sources, canvas=canvas) if shape is None else enlarge(sources, shape=shape)
    index = torch.zeros(field.shape[1:], device=field.device)
    for axis, size in enumerate(LATTICE):
        nearest = (field[axis] * (1.0 / FINE_MM) + 0.5 * (size - 1)).round_().clamp_(0, size - 1)
        index = index.mul_(size).add_(nearest)  # exact in float32: below 2^24
    return index.to(torch.int64)


assert math.prod(LATTICE) < 2**24  # the float32 indices above rely on it


def sample_classes(
    anatomy: Anatomy, *, canvas: Canvas, sources: Tensor, shape: Shape | None = None
) -> Tensor:
    """Tissue class (int64) at the source position of each point, nearest neighbour.

    Args:
        anatomy: the head, on the canvas's device.
        canvas: grid and device.
        sources: (3, x, y, z) on the coarse lattice, mm.
        shape: of a lattice that spans the fine one; None for the voxel centres of the grid.
    """
    places = _places(sources, canvas=canvas, shape=shape)
    return torch.take(anatomy.classes, places).to(torch.int64)


def sample_aged(
    anatomy: Anatomy,
    *,
    canvas: Canvas,
    sources: Tensor,
    atrophy_mm: float,
    generator: torch.Generator,
) -> Tensor:
    """Tissue class (int64) of every fine point of a head whose cortex has shrunk.

    Where the cortex lies less than ``atrophy_mm`` (times a factor that varies from place to place,
    0.5 to 1.5) below the surface, fluid has taken its place: sulci widen, the cortex thins.

    Args:
        anatomy: the head, on the canvas's device.
        canvas: grid and device.
        sources: (3, x, y, z) on the coarse lattice, mm.
        atrophy_mm: thickness that is lost, 0 for none.
        generator: source of randomness, on the CPU.
    """
    places = _places(sources, canvas=canvas, shape=canvas.fine)
    classes = torch.take(anatomy.classes, places).to(torch.int64)
    if atrophy_mm <= 0.0:
        return classes
    patches = smooth_field(
        1,
        shape=canvas.coarse,
        control=canvas.control(PATCH_MM),
        generator=generator,
        device=canvas.device,
    )
    lost = enlarge((1.0 + 0.25 * patches).clamp(0.5, 1.5), shape=canvas.fine)[0]
    lost = lost.mul_(atrophy_mm * RIM_STEPS_PER_MM).clamp_(max=RIM_NONE - 1)
    gone = torch.take(anatomy.rim, places) < lost
    return classes.masked_fill_(gone, CLASS_LABELS.index(24))
