"""Random lesions: where they lie, how they are shaped, what they push away.

Shapes come from real masks or are ellipsoids with a rough surface. Left and right are drawn with
equal chance, and a real mask of the other side is mirrored, so that no side is learned as diseased.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.synthesis.canvas import Canvas
from medsym.synthesis.deformation import Push, on_grid
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
from medsym.synthesis.smoothing import length, smooth

ATTEMPTS = 6
ROUGHNESS = (0.05, 0.45)  # of the surface, in radii
EDGE_MM = (0.6, 4.0)  # width over which the border fades
MIDLINE_MM = 6.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Room:
    """Where lesions may lie, known before the final deformation.

    Attributes:
        brain: (x, y, z) float, 1 inside the brain.
        enclosed: (x, y, z) float, the brain and its sulci.
        fluid: (x, y, z) float, fraction of ventricle.
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
        extent: (x, y, z) float 0..1, all of it; the label is where it exceeds a half.
        core: the inner part when there is a halo, else None.
        cavity: fluid-filled part, or None.
        push: displacement of the tissue around it, or None.
        volume_ml: of the label.
    """

    origin: str
    volume_ml: float
    extent: Tensor
    core: Tensor | None
    cavity: Tensor | None
    push: Push | None


def draw_lesions(
    room: Room,
    *,
    canvas: Canvas,
    shapes: tuple[LesionShape, ...],
    config: LesionConfig,
    generator: torch.Generator,
) -> tuple[Lesion, ...]:
    """Draw the lesions of one head; empty for a healthy one.

    Args:
        room: brain and ventricles of the undisturbed anatomy.
        canvas: grid and device.
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
            lesion = _draw_one(
                room, canvas=canvas, shapes=shapes, config=config, generator=generator
            )
            if lesion.volume_ml >= config.smallest_ml:
                lesions.append(lesion)
                break
    return tuple(lesions)


def _draw_one(
    room: Room,
    *,
    canvas: Canvas,
    shapes: tuple[LesionShape, ...],
    config: LesionConfig,
    generator: torch.Generator,
) -> Lesion:
    """One lesion: level set, parts, displacement."""
    side = -1.0 if chance(0.5, generator=generator) else 1.0
    if shapes and chance(config.real_shape, generator=generator):
        shape = shapes[whole(0, len(shapes) - 1, generator=generator)]
        origin = shape.name
        level = _placed(
            shape, room=room, canvas=canvas, side=side, config=config, generator=generator
        )
    else:
        origin = "blob"
        level = _blob(room, canvas=canvas, side=side, config=config, generator=generator)
    open_to = room.enclosed * (1.0 - 0.9 * room.fluid)
    extent = torch.sigmoid(level) * open_to
    inside = extent > 0.5
    moments = torch.stack([inside.sum(), *(canvas.points() * inside).sum(dim=(1, 2, 3))])
    peak = float(torch.where(inside, level, 0.0).max())
    count, *sums = moments.tolist()
    volume = count * canvas.voxel_ml
    if count == 0:
        return Lesion(
            origin=origin, volume_ml=0.0, extent=extent, core=None, cavity=None, push=None
        )
    centre = torch.tensor([value / count for value in sums])
    radius = float((1000.0 * volume * 3.0 / (4.0 * torch.pi)) ** (1.0 / 3.0))
    core = cavity = push = None
    if radius > 7.0 and chance(config.halo, generator=generator):
        core = torch.sigmoid(level - uniform((0.3, 0.7), generator=generator) * peak) * open_to
    if radius > 6.0 and chance(config.cavity, generator=generator):
        cavity = torch.sigmoid(level - uniform((0.5, 0.8), generator=generator) * peak) * open_to
    if radius > 6.0 and chance(config.mass_effect, generator=generator):
        distance = uniform(config.mass_effect_mm, generator=generator)
        push = Push(centre_mm=centre, radius_mm=radius, distance_mm=distance)
    return Lesion(
        origin=origin, volume_ml=volume, extent=extent, core=core, cavity=cavity, push=push
    )


def _centre(
    room: Room, *, canvas: Canvas, where: str, side: float, generator: torch.Generator
) -> Tensor:
    """A random brain point (3,), mm, on a side or near the mid-plane."""
    points = canvas.points()
    if where == "midline":
        allowed = (room.brain > 0.5) & (points[0].abs() < MIDLINE_MM)
    else:
        allowed = (room.brain > 0.5) & (points[0] * side > 0.0)
    places = torch.nonzero((allowed & (room.fluid < 0.5)).flatten()).flatten()
    if len(places) == 0:
        return torch.zeros(3)
    pick = places[whole(0, len(places) - 1, generator=generator)]
    return points.reshape(3, -1)[:, pick].cpu()


def _blob(
    room: Room, *, canvas: Canvas, side: float, config: LesionConfig, generator: torch.Generator
) -> Tensor:
    """Level of a rough ellipsoid: positive inside, in units of the border's width."""
    draw = uniform((0.0, 1.0), generator=generator)
    where = "side"
    if draw < config.bilateral:
        where = "bilateral"
    elif draw < config.bilateral + config.midline:
        where = "midline"
    centre = _centre(room, canvas=canvas, where=where, side=side, generator=generator)
    radius = log_uniform(config.radius_mm, generator=generator)
    rough = smooth_field(
        1,
        shape=canvas.shape,
        control=canvas.control(max(9.0, 0.9 * radius)),  # about one bump per radius
        generator=generator,
        device=canvas.device,
    )[0]
    rough = rough * uniform(ROUGHNESS, generator=generator)
    stretch = torch.exp(0.3 * torch.randn(3, generator=generator))
    stretch = stretch / stretch.prod() ** (1.0 / 3.0)
    turn = random_rotation(generator=generator)
    axes = torch.diag(1.0 / stretch)
    level = _ellipsoid(centre, canvas=canvas, radius=radius, axes=axes @ turn) + rough
    if where == "bilateral":
        jitter = 4.0 * torch.randn(3, generator=generator)
        across = torch.tensor([-1.0, 1.0, 1.0])
        twin = axes @ turn @ torch.diag(across)
        second = _ellipsoid(centre * across + jitter, canvas=canvas, radius=radius, axes=twin)
        level = torch.maximum(level, second + rough.flip(0))
    elif where == "side" and chance(0.6, generator=generator):
        level = torch.minimum(level, canvas.points()[0] * side / radius)  # the falx stops it
    return level * radius / uniform(EDGE_MM, generator=generator)


def _ellipsoid(centre: Tensor, *, canvas: Canvas, radius: float, axes: Tensor) -> Tensor:
    """1 at the centre, 0 on the surface, negative outside; in radii."""
    offset = canvas.points() - centre.to(canvas.device).view(3, 1, 1, 1)
    scaled = torch.einsum("rc,cxyz->rxyz", (axes / radius).to(canvas.device), offset)
    return 1.0 - length(scaled)


def _placed(
    shape: LesionShape,
    *,
    room: Room,
    canvas: Canvas,
    side: float,
    config: LesionConfig,
    generator: torch.Generator,
) -> Tensor:
    """Level of a real mask on the wanted side, scaled, turned and bent a little."""
    low, high = torch.tensor(MNI_LOW_MM), torch.tensor(MNI_HIGH_MM)
    to_mni = (high - low) / (room.high_mm - room.low_mm).clamp_min(1.0)
    middle = 0.5 * (room.low_mm + room.high_mm)
    across = torch.ones(3)
    if float(shape.centre_mm[0]) * side < 0.0:
        across[0] = -1.0
    shift = 4.0 * torch.randn(3, generator=generator)
    scale = uniform(config.real_scale, generator=generator)
    turn = torch.eye(3)
    for axis in range(3):
        turn = turn @ rotation(axis, uniform((-10.0, 10.0), generator=generator))
    bend = smooth_field(
        3,
        shape=canvas.coarse,
        control=canvas.control(48.0),
        generator=generator,
        device=canvas.device,
    )
    # frame -> MNI (mirrored if need be) -> about the shifted centre, turned, scaled -> back
    linear = (turn / scale) @ torch.diag(across * to_mni)
    constant = (turn / scale) @ (across * (0.5 * (low + high) - to_mni * middle) - shift)
    constant = constant + shape.centre_mm - (turn / scale) @ shape.centre_mm
    mni = torch.einsum("rc,cxyz->rxyz", linear.to(canvas.device), canvas.points())
    mni = mni + constant.to(canvas.device).view(3, 1, 1, 1)
    mni = mni + 2.5 * on_grid(bend, canvas=canvas)
    fraction = sample_shape(shape, points_mm=mni)
    sharp = 2.0 * fraction - 1.0
    soft = 2.0 * smooth(fraction, sd_mm=4.24, spacing_mm=canvas.spacing_mm) - 1.0
    level = torch.where(sharp > 0.0, sharp * (1.0 + soft.clamp_min(-0.5)), sharp)
    return 4.0 * level / uniform((0.6, 2.0), generator=generator)
