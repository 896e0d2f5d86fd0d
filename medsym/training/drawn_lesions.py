"""Synthetic lesions in real scans: one-sided disease without anybody having drawn it.

The drawing is that of synthesis. What synthesis knows of its label maps is not known of a scan: the
ventricles count as brain, and fluid is taken to be as dark or as bright as the brain gets.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional

from medsym.synthesis.appearance import Palette, draw_lesion, palette_of
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.deformation import apply_push, enlarge
from medsym.synthesis.degradation import closed_brain
from medsym.synthesis.lesions import Lesion, Room, draw_lesions
from medsym.synthesis.randomness import chance
from medsym.synthesis.settings import LesionConfig
from medsym.synthesis.shapes import LesionShape

EXTENT_SHARE = 0.005  # of the brain's voxels beyond its extent at each end: stem and stray voxels


@dataclass(frozen=True, kw_only=True, slots=True)
class DrawnScan:
    """A scan with lesions in it; (x, y, z).

    Attributes:
        image: float32, in the scale of the scan.
        brain: bool, moved with the tissue.
        lesion: bool, where lesions fill more than half of the voxel.
    """

    image: Tensor
    brain: Tensor
    lesion: Tensor


def draw_into(
    image: Tensor,
    *,
    brain: Tensor,
    canvas: Canvas,
    shapes: tuple[LesionShape, ...],
    config: LesionConfig,
    generator: torch.Generator,
) -> DrawnScan:
    """Draw lesions into a healthy scan.

    Args:
        image: (x, y, z) float32, scaled to about [0, 1] in the brain.
        brain: (x, y, z) bool, not empty.
        canvas: grid and device.
        shapes: real lesion shapes; may be empty.
        config: chances and ranges.
        generator: source of randomness, on the CPU.
    """
    room = _room(brain, canvas=canvas)
    lesions = draw_lesions(room, canvas=canvas, shapes=shapes, config=config, generator=generator)
    image, brain = _pushed(image, brain, lesions=lesions, canvas=canvas)
    palette = _palette(image, brain=brain, generator=generator)
    extent = canvas.zeros()
    for lesion in lesions:
        image = draw_lesion(
            image,
            canvas=canvas,
            lesion=lesion,
            palette=palette,
            config=config,
            generator=generator,
        )
        extent = torch.maximum(extent, lesion.extent)
    return DrawnScan(image=image, brain=brain, lesion=(extent > 0.5) & (room.enclosed > 0.5))


def _room(brain: Tensor, *, canvas: Canvas) -> Room:
    """Where lesions may lie in a scan of which only the brain mask is known."""
    soft = brain.to(torch.float32)
    points = canvas.points()[:, brain]
    ends = torch.tensor([EXTENT_SHARE, 1.0 - EXTENT_SHARE])
    ranked = points.sort(dim=1).values
    low, high = ranked[:, (ends * (points.shape[1] - 1)).long().to(points.device)].cpu().T
    return Room(
        brain=soft,
        enclosed=closed_brain(soft, spacing_mm=canvas.spacing_mm),
        fluid=torch.zeros_like(soft),
        low_mm=low,
        high_mm=high,
    )


def _palette(image: Tensor, *, brain: Tensor, generator: torch.Generator) -> Palette:
    """Reference intensities; a coin decides whether fluid is dark, as on T1w, or bright."""
    found = palette_of(image, brain=brain, fluid=0.0)
    fluid = found.dark if chance(0.5, generator=generator) else found.bright
    return Palette(fluid=fluid, dark=found.dark, bright=found.bright, sd=found.sd)


def _pushed(
    image: Tensor, brain: Tensor, *, lesions: tuple[Lesion, ...], canvas: Canvas
) -> tuple[Tensor, Tensor]:
    """Image and brain after the lesions have moved the tissue around them."""
    pushes = [lesion.push for lesion in lesions if lesion.push is not None]
    if not pushes:
        return image, brain
    still = canvas.lattice(canvas.coarse)
    sources, soft = still, brain.to(torch.float32)
    coarse = functional.interpolate(soft[None, None], size=canvas.coarse)[0, 0]
    for push in pushes:
        sources = apply_push(sources, canvas=canvas, push=push, brain=coarse)
    points = canvas.points() + enlarge(sources - still, shape=canvas.shape)
    moved = _sampled(torch.stack([image, soft]), points=points, canvas=canvas)
    return moved[0], moved[1] > 0.5


def _sampled(volumes: Tensor, *, points: Tensor, canvas: Canvas) -> Tensor:
    """Trilinear values of (channel, x, y, z) volumes at frame positions (3, x, y, z), mm."""
    ends = [0.5 * (n - 1) * canvas.spacing_mm for n in canvas.shape]
    unit = points / torch.tensor(ends, device=points.device).view(3, 1, 1, 1)
    places = unit.flip(0).permute(1, 2, 3, 0)[None]  # grid_sample wants the last axis first
    return functional.grid_sample(volumes[None], places, padding_mode="border", align_corners=True)[
        0
    ]
