"""Random lesions: where they lie, how they are shaped, what they push away.

Shapes come from real masks or are ellipsoids with a rough surface. Left and right are drawn with
equal chance, and a real mask of the other side is mirrored, so that no side is learned as diseased.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.deformation import GRID, Push, grid_mm
from medsym.synthesis.randomness import (
    chance,
    log_uniform,
    random_rotation,
    rotation,
    smooth_field,
    uniform,
    whole,
)
from medsym.synthesis.settings import LesionConfig
from medsym.synthesis.shapes import MNI_HIGH_MM, MNI_LOW_MM, LesionShape, sample_shape
from medsym.synthesis.smoothing import box_mean, length

ATTEMPTS = 6
ROUGHNESS = (0.05, 0.45)  # of the surface, in radii
EDGE_MM = (0.6, 4.0)  # width over which the border fades
MIDLINE_MM = 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Where lesions may lie, known before the final deformation.

    Attributes:
        brain: (64, 80, 64) float, 1 inside the brain.
        enclosed: (64, 80, 64) float, the brain and its sulci.
        fluid: (64, 80, 64) float, fraction of ventricle.
        low_mm, high_mm: (3,) extent of cerebrum and cerebellum, frame mm.
    """

    brain: Tensor
    enclosed: Tensor
    fluid: Tensor
    low_mm: Tensor
    high_mm: Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class Lesion:
    """One lesion on the network's grid.

    Attributes:
        origin: "blob" or the file of the real mask.
        extent: (64, 80, 64) float 0..1, all of it; the label is where it exceeds a half.
        core: the inner part when there is a halo, else None.
        cavity: fluid-filled part, or None.
        push: displacement of the tissue around it, or None.
    """

    origin: str
    extent: Tensor
    core: Tensor | None
    cavity: Tensor | None
    push: Push | None


def draw_lesions(
    room: Room,
    *,
    shapes: tuple[LesionShape, ...],
    config: LesionConfig,
    generator: torch.Generator,
) -> tuple[Lesion, ...]:
    """Draw the lesions of one head; empty for a healthy one.

    Args:
        room: brain and ventricles of the undisturbed anatomy.
        shapes: real lesions; may be empty.
        config: chances and ranges.
        generator: source of randomness, on the CPU.
    """
    if not chance(config.present, generator=generator):
        return ()
    lesions = []
    count = 1
    while count < config.most and chance(config.another, generator=generator):
        count += 1
    for _ in range(count):
        for _ in range(ATTEMPTS):
            lesion = _draw_one(room, shapes=shapes, config=config, generator=generator)
            if int((lesion.extent > 0.5).sum()) >= config.smallest_voxels:
                lesions.append(lesion)
                break
    return tuple(lesions)


def _draw_one(
    room: Room,
    *,
    shapes: tuple[LesionShape, ...],
    config: LesionConfig,
    generator: torch.Generator,
) -> Lesion:
    """One lesion: level set, parts, displacement."""
    side = -1.0 if chance(0.5, generator=generator) else 1.0
    if shapes and chance(config.real_shape, generator=generator):
        shape = shapes[whole(0, len(shapes) - 1, generator=generator)]
        origin = shape.name
        level = _placed(shape, room=room, side=side, config=config, generator=generator)
    else:
        origin = "blob"
        level = _blob(room, side=side, config=config, generator=generator)
    open_to = room.enclosed * (1.0 - 0.9 * room.fluid)
    extent = torch.sigmoid(level) * open_to
    inside = extent > 0.5
    count = int(inside.sum())
    if count == 0:
        return Lesion(origin=origin, extent=extent, core=None, cavity=None, push=None)
    centre = grid_mm()[:, inside].mean(dim=1)
    radius = (count * 27.0 * 3.0 / (4.0 * torch.pi)) ** (1.0 / 3.0)
    peak = float(level[inside].max())
    core = cavity = push = None
    if radius > 7.0 and chance(config.halo, generator=generator):
        core = torch.sigmoid(level - uniform((0.3, 0.7), generator=generator) * peak) * open_to
    if radius > 6.0 and chance(config.cavity, generator=generator):
        cavity = torch.sigmoid(level - uniform((0.5, 0.8), generator=generator) * peak) * open_to
    if radius > 6.0 and chance(config.mass_effect, generator=generator):
        distance = uniform(config.mass_effect_mm, generator=generator)
        push = Push(centre_mm=centre, radius_mm=radius, distance_mm=distance)
    return Lesion(origin=origin, extent=extent, core=core, cavity=cavity, push=push)


def _centre(room: Room, *, where: str, side: float, generator: torch.Generator) -> Tensor:
    """A random brain point (3,), mm, on a side or near the mid-plane."""
    points = grid_mm()
    if where == "midline":
        allowed = (room.brain > 0.5) & (points[0].abs() < MIDLINE_MM)
    else:
        allowed = (room.brain > 0.5) & (points[0] * side > 0.0)
    allowed = allowed & (room.fluid < 0.5)
    places = torch.nonzero(allowed.flatten()).flatten()
    if len(places) == 0:
        return torch.zeros(3)
    pick = whole(0, len(places) - 1, generator=generator)
    return points.reshape(3, -1)[:, places[pick]]


def _blob(room: Room, *, side: float, config: LesionConfig, generator: torch.Generator) -> Tensor:
    """Level of a rough ellipsoid: positive inside, in units of the border's width."""
    draw = uniform((0.0, 1.0), generator=generator)
    where = "side"
    if draw < config.bilateral:
        where = "bilateral"
    elif draw < config.bilateral + config.midline:
        where = "midline"
    centre = _centre(room, where=where, side=side, generator=generator)
    radius = log_uniform(config.radius_mm, generator=generator)
    rough = smooth_field(1, shape=GRID, control=_control(radius), generator=generator)[0]
    rough = rough * uniform(ROUGHNESS, generator=generator)
    stretch = torch.exp(0.3 * torch.randn(3, generator=generator))
    stretch = stretch / stretch.prod() ** (1.0 / 3.0)
    turn = random_rotation(generator=generator)
    level = _ellipsoid(centre, radius=radius, axes=torch.diag(1.0 / stretch) @ turn) + rough
    if where == "bilateral":
        jitter = 4.0 * torch.randn(3, generator=generator)
        other = centre * torch.tensor([-1.0, 1.0, 1.0]) + jitter
        twin = turn @ torch.diag(torch.tensor([-1.0, 1.0, 1.0]))
        second = _ellipsoid(other, radius=radius, axes=torch.diag(1.0 / stretch) @ twin)
        level = torch.maximum(level, second + rough.flip(0))
    elif where == "side" and chance(0.6, generator=generator):
        level = torch.minimum(level, grid_mm()[0] * side / radius)  # the falx stops it
    return level * radius / uniform(EDGE_MM, generator=generator)


def _control(radius: float) -> tuple[int, int, int]:
    """Control points of the surface's roughness: about one per radius."""
    spacing = max(9.0, 0.9 * radius)
    return (round(192.0 / spacing) + 1, round(240.0 / spacing) + 1, round(192.0 / spacing) + 1)


def _ellipsoid(centre: Tensor, *, radius: float, axes: Tensor) -> Tensor:
    """1 at the centre, 0 on the surface, negative outside; in radii."""
    offset = grid_mm() - centre.view(3, 1, 1, 1)
    return 1.0 - length(torch.einsum("rc,cxyz->rxyz", axes / radius, offset))


def _placed(
    shape: LesionShape,
    *,
    room: Room,
    side: float,
    config: LesionConfig,
    generator: torch.Generator,
) -> Tensor:
    """Level of a real mask on the wanted side, scaled, turned and bent a little."""
    low, high = torch.tensor(MNI_LOW_MM), torch.tensor(MNI_HIGH_MM)
    to_mni = (high - low) / (room.high_mm - room.low_mm).clamp_min(1.0)
    points = grid_mm()
    middle = (0.5 * (room.low_mm + room.high_mm)).view(3, 1, 1, 1)
    mni = (points - middle) * to_mni.view(3, 1, 1, 1) + (0.5 * (low + high)).view(3, 1, 1, 1)
    centre = shape.centre_mm.clone()
    if float(centre[0]) * side < 0.0:
        mni = mni * torch.tensor([-1.0, 1.0, 1.0]).view(3, 1, 1, 1)
    shift = 4.0 * torch.randn(3, generator=generator)
    scale = uniform(config.real_scale, generator=generator)
    turn = torch.eye(3)
    for axis in range(3):
        turn = turn @ rotation(axis, uniform((-10.0, 10.0), generator=generator))
    bend = smooth_field(3, shape=(16, 20, 16), control=(5, 6, 5), generator=generator)
    bend = functional.interpolate(bend[None], size=GRID, mode="trilinear", align_corners=True)[0]
    offset = mni - (centre + shift).view(3, 1, 1, 1)
    mni = torch.einsum("rc,cxyz->rxyz", turn / scale, offset) + centre.view(3, 1, 1, 1)
    fraction = sample_shape(shape, points_mm=mni + 2.5 * bend)
    sharp = 2.0 * fraction - 1.0
    soft = 2.0 * box_mean(fraction, reach=2) - 1.0
    level = torch.where(sharp > 0.0, sharp * (1.0 + soft.clamp_min(-0.5)), sharp)
    return 4.0 * level / uniform((0.6, 2.0), generator=generator)
