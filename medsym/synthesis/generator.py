"""One synthesised case: random anatomy, random contrast, random lesions, random scanner.

The order is that of the world: the head is deformed (and pushed by its lesions), tissues get their
brightness, lesions are drawn into the tissue, then the scanner and the preprocessing do their part.
Nothing is ever flipped left to right: softness has to see the natural torque.
"""

import functools
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medsym.models.structures import STRUCTURES
from medsym.synthesis.anatomy import Anatomy
from medsym.synthesis.appearance import draw_lesion, palette_of
from medsym.synthesis.contrast import Contrast, draw_contrast, majority, paint, pool
from medsym.synthesis.deformation import (
    COARSE,
    FINE,
    GRID,
    apply_push,
    draw_sources,
    grid_mm,
    sample_classes,
)
from medsym.synthesis.degradation import View, closed_brain, degrade, draw_view
from medsym.synthesis.lesions import Lesion, Room, draw_lesions
from medsym.synthesis.settings import SynthesisConfig
from medsym.synthesis.shapes import LesionShape
from medsym.synthesis.tissues import (
    CLASS_LABELS,
    class_is_head,
    class_structures,
    classes_named,
)
from medsym.volumes.intensity import normalise

VOXEL_ML = 0.027
_BOX_STRUCTURES = ("cerebral-white-matter", "cerebral-cortex", "cerebellar-cortex")


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionRecord:
    """What was drawn: origin of the shape, side ("left", "right", "both"), volume, contrast.

    The volume is in ml. The contrast is the mean difference from the healthy image inside the
    label, in SD of the brain's intensities; positive is brighter.
    """

    origin: str
    side: str
    volume_ml: float
    contrast_sd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticCase:
    """One training example on the network's grid; x grows to the patient's right.

    Attributes:
        image: (64, 80, 64) float32, scaled as `medsym.volumes.intensity.normalise` does it.
        structures: (64, 80, 64) int64, channels of `medsym.models.structures`; 0 outside the view.
        lesion: (64, 80, 64) bool, where lesions fill more than half of the voxel; as in an expert's
            outline it may enclose sulci, which are not brain in `structures`.
        brain: (64, 80, 64) bool, structures other than background.
        coverage: (64, 80, 64) bool, inside the field of view.
        stripped: True when everything but the brain was removed.
        kind: contrast, "T1", "T2", "FLAIR", "CT" or "random".
        records: one per lesion.
        healthy: the same image without lesions (mass effect included), or None when not asked for.
        anatomy: name of the source anatomy.
    """

    image: Tensor
    structures: Tensor
    lesion: Tensor
    brain: Tensor
    coverage: Tensor
    stripped: bool
    kind: str
    records: tuple[LesionRecord, ...]
    healthy: Tensor | None
    anatomy: str


def draw(
    anatomy: Anatomy,
    *,
    generator: torch.Generator,
    config: SynthesisConfig,
    shapes: tuple[LesionShape, ...] = (),
) -> SyntheticCase:
    """Draw one case from an anatomy.

    Args:
        anatomy: the head to start from.
        generator: CPU generator; the same state gives the same case.
        config: every range.
        shapes: real lesion shapes; empty leaves the random ones.
    """
    sources = draw_sources(anatomy, config=config.deformation, generator=generator)
    room = _room(anatomy, sources=sources)
    lesions = draw_lesions(room, shapes=shapes, config=config.lesions, generator=generator)
    sources = _pushed(sources, lesions=lesions, room=room)
    classes = sample_classes(anatomy, sources=sources, shape=FINE)
    structures = majority(class_structures()[classes], count=len(STRUCTURES))
    contrast = draw_contrast(config=config.contrast, generator=generator)
    healthy = paint(classes, contrast=contrast, generator=generator)
    enclosed = closed_brain((structures > 0).to(torch.float32)) > 0.5
    image, extent, records = _with_lesions(
        healthy, enclosed, lesions=lesions, contrast=contrast, config=config, generator=generator
    )
    head = pool(class_is_head().to(torch.float32)[classes])
    brain = structures > 0
    view = draw_view(brain, head=head, config=config.degradation, generator=generator)
    finish = functools.partial(_finish, view=view, config=config)
    counterpart = None
    if config.healthy_counterpart:
        again = torch.Generator()
        again.set_state(generator.get_state())
        counterpart = finish(healthy, generator=again)
    return SyntheticCase(
        image=finish(image, generator=generator),
        structures=torch.where(view.coverage, structures, 0),
        lesion=(extent > 0.5) & enclosed & view.coverage,
        brain=brain & view.coverage,
        coverage=view.coverage,
        stripped=view.stripped,
        kind=contrast.kind,
        records=records,
        healthy=counterpart,
        anatomy=anatomy.name,
    )


def _pushed(sources: Tensor, *, lesions: tuple[Lesion, ...], room: Room) -> Tensor:
    """Source positions after every lesion has moved the tissue around it."""
    brain = functional.interpolate(room.brain[None, None], size=COARSE)[0, 0]
    for lesion in lesions:
        if lesion.push is not None:
            sources = apply_push(sources, push=lesion.push, brain=brain)
    return sources


def _room(anatomy: Anatomy, *, sources: Tensor) -> Room:
    """Brain, ventricles and extent of the anatomy before any lesion pushes it."""
    classes = sample_classes(anatomy, sources=sources, shape=GRID)
    structures = class_structures()[classes]
    boxed = [s.index for s in STRUCTURES if s.name in _BOX_STRUCTURES]
    points = grid_mm()[:, torch.isin(structures, torch.tensor(boxed))]
    fluid = classes_named("ventricle")[classes].to(torch.float32)
    brain = (structures > 0).to(torch.float32)
    return Room(
        brain=brain,
        enclosed=closed_brain(brain),
        fluid=fluid,
        low_mm=points.min(dim=1).values,
        high_mm=points.max(dim=1).values,
    )


def _with_lesions(
    healthy: Tensor,
    brain: Tensor,
    *,
    lesions: tuple[Lesion, ...],
    contrast: Contrast,
    config: SynthesisConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, tuple[LesionRecord, ...]]:
    """Draw the lesions into the image; also the joint extent and what was drawn."""
    extent = torch.zeros_like(healthy)
    if not lesions:
        return healthy, extent, ()
    fluid = float(contrast.means[CLASS_LABELS.index(4)])
    palette = palette_of(healthy, brain=brain, fluid=fluid)
    image, records = healthy, []
    for lesion in lesions:
        image = draw_lesion(
            image, lesion=lesion, palette=palette, config=config.lesions, generator=generator
        )
        extent = torch.maximum(extent, lesion.extent)
        inside = (lesion.extent > 0.5) & brain
        if bool(inside.any()):
            shift = float((image - healthy)[inside].mean()) / palette.sd
            records.append(_record(lesion, inside=inside, contrast_sd=shift))
    return image, extent, tuple(records)


def _record(lesion: Lesion, *, inside: Tensor, contrast_sd: float) -> LesionRecord:
    """Side by where at least four fifths of the label lie."""
    left = float(inside[: GRID[0] // 2].sum()) / float(inside.sum())
    side = "left" if left > 0.8 else "right" if left < 0.2 else "both"
    volume = float(inside.sum()) * VOXEL_ML
    return LesionRecord(origin=lesion.origin, side=side, volume_ml=volume, contrast_sd=contrast_sd)


def _finish(
    image: Tensor, *, view: View, config: SynthesisConfig, generator: torch.Generator
) -> Tensor:
    """Scanner, gamma and the same scaling that real scans get."""
    gamma = float(torch.exp(config.contrast.gamma_log_sd * torch.randn((), generator=generator)))
    image = degrade(image, config=config.degradation, generator=generator)
    low, high = float(image.min()), float(image.max())
    image = ((image - low) / max(high - low, 1e-6)).pow(gamma)
    mask = view.mask.cpu().numpy().astype(np.bool_)
    return torch.from_numpy(normalise(image.cpu().numpy(), mask)).to(image.device)
