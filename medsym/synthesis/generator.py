"""One synthesised case: random anatomy, random contrast, random lesions, random scanner.

The order is that of the world: the head is deformed (and pushed by its lesions), tissues get their
brightness, lesions are drawn into the tissue, then the scanner and the preprocessing do their part.
Nothing is ever flipped left to right: softness has to see the natural torque.
"""

from dataclasses import replace
from typing import TypedDict

import torch
from torch import Tensor
from torch.nn import functional

from medsym.models.structures import STRUCTURES
from medsym.synthesis.anatomy import Anatomy
from medsym.synthesis.appearance import draw_lesion, palette_of
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.case import LesionRecord, SyntheticCase
from medsym.synthesis.deformation import (
    apply_push,
    draw_deformation,
    on_grid,
    sample_classes,
)
from medsym.synthesis.degradation import View, closed_brain, degrade, draw_view
from medsym.synthesis.lesions import Lesion, Room, draw_lesions
from medsym.synthesis.scaling import normalised
from medsym.synthesis.scene import Ageing, Scene
from medsym.synthesis.settings import SynthesisConfig
from medsym.synthesis.shapes import LesionShape
from medsym.synthesis.tissues import (
    CLASS_LABELS,
    class_structures,
    classes_named,
)

_BOX_STRUCTURES = ("cerebral-white-matter", "cerebral-cortex", "cerebellar-cortex")


class _Drawing(TypedDict):
    """What every step of a drawing is given."""

    canvas: Canvas
    generator: torch.Generator


def draw(
    anatomy: Anatomy,
    *,
    canvas: Canvas,
    generator: torch.Generator,
    config: SynthesisConfig,
    shapes: tuple[LesionShape, ...] = (),
) -> SyntheticCase:
    """Draw one case from an anatomy.

    Args:
        anatomy: the head to start from, on the canvas's device.
        canvas: grid and device.
        generator: CPU generator; the same state gives the same case on one kind of device, and
            another kind changes only the grain of the image.
        config: every range.
        shapes: real lesion shapes; empty leaves the random ones.
    """
    on = _Drawing(canvas=canvas, generator=generator)
    head = draw_deformation(anatomy, config=config.deformation, **on)
    room = _room(anatomy, canvas=canvas, sources=head.sources)
    lesions = draw_lesions(room, shapes=shapes, config=config.lesions, **on)
    aged = Ageing.draw(anatomy, config=config, **on)
    pushed = _pushed(head.sources, canvas=canvas, lesions=lesions, room=room)
    scene = Scene.draw(aged.classes(pushed), config=config, **on)
    image, extent, records = _with_lesions(scene, lesions=lesions, config=config, **on)
    view = draw_view(scene.brain, head=scene.head, config=config.degradation, **on)
    scanner = generator.get_state()
    case = SyntheticCase(
        image=_finish(image, view=view, config=config, **on),
        structures=torch.where(view.coverage, scene.structures, 0),
        lesion=(extent > 0.5) & scene.enclosed & view.coverage,
        brain=scene.brain & view.coverage,
        coverage=view.coverage,
        stripped=view.stripped,
        kind=scene.contrast.kind,
        records=records,
        anatomy=anatomy.name,
    )
    if not config.truths:
        return case
    if pushed is not head.sources:
        scene = scene.of_classes(aged.classes(head.sources), canvas=canvas)
    again = torch.Generator()
    again.set_state(scanner)
    return replace(
        case,
        healthy=_finish(scene.image, view=view, canvas=canvas, config=config, generator=again),
        normal_asymmetry=scene.expected - scene.expected.flip(0),
        torque_mm=on_grid(head.torque, canvas=canvas),
    )


def _pushed(sources: Tensor, *, canvas: Canvas, lesions: tuple[Lesion, ...], room: Room) -> Tensor:
    """Source positions after every lesion has moved the tissue around it."""
    pushes = [lesion.push for lesion in lesions if lesion.push is not None]
    if not pushes:
        return sources
    brain = functional.interpolate(room.brain[None, None], size=canvas.coarse)[0, 0]
    for push in pushes:
        sources = apply_push(sources, canvas=canvas, push=push, brain=brain)
    return sources


def _room(anatomy: Anatomy, *, canvas: Canvas, sources: Tensor) -> Room:
    """Brain, ventricles and extent of the anatomy before any lesion pushes it."""
    device = canvas.device
    classes = sample_classes(anatomy, canvas=canvas, sources=sources)
    structures = class_structures().to(device)[classes]
    boxed = [s.index for s in STRUCTURES if s.name in _BOX_STRUCTURES]
    inside = torch.isin(structures, torch.tensor(boxed, device=device))
    points = canvas.points()
    low = torch.where(inside, points, torch.inf).amin(dim=(1, 2, 3)).cpu()
    high = torch.where(inside, points, -torch.inf).amax(dim=(1, 2, 3)).cpu()
    fluid = classes_named("ventricle").to(device)[classes].to(torch.float32)
    brain = (structures > 0).to(torch.float32)
    return Room(
        brain=brain,
        enclosed=closed_brain(brain, spacing_mm=canvas.spacing_mm),
        fluid=fluid,
        low_mm=low,
        high_mm=high,
    )


def _with_lesions(
    scene: Scene,
    *,
    lesions: tuple[Lesion, ...],
    canvas: Canvas,
    config: SynthesisConfig,
    generator: torch.Generator,
) -> tuple[Tensor, Tensor, tuple[LesionRecord, ...]]:
    """Draw the lesions into the image; also the joint extent and what was drawn."""
    extent = canvas.zeros()
    if not lesions:
        return scene.image, extent, ()
    fluid = float(scene.contrast.means[CLASS_LABELS.index(4)])
    palette = palette_of(scene.image, brain=scene.enclosed, fluid=fluid)
    image, records = scene.image, []
    for lesion in lesions:
        image = draw_lesion(
            image,
            canvas=canvas,
            lesion=lesion,
            palette=palette,
            config=config.lesions,
            generator=generator,
        )
        extent = torch.maximum(extent, lesion.extent)
        inside = (lesion.extent > 0.5) & scene.enclosed
        shift = (torch.where(inside, image - scene.image, 0.0)).sum()
        left = inside[: canvas.shape[0] // 2].sum()
        count, left_count, change = torch.stack([inside.sum(), left, shift]).tolist()
        if count:
            records.append(
                LesionRecord(
                    origin=lesion.origin,
                    side=_side(left_count / count),
                    volume_ml=count * canvas.voxel_ml,
                    contrast_sd=change / count / palette.sd,
                )
            )
    return image, extent, tuple(records)


def _side(left: float) -> str:
    """Side by where at least four fifths of a label lie."""
    return "left" if left > 0.8 else "right" if left < 0.2 else "both"


def _finish(
    image: Tensor,
    *,
    view: View,
    canvas: Canvas,
    config: SynthesisConfig,
    generator: torch.Generator,
) -> Tensor:
    """Scanner, gamma and the same scaling that real scans get."""
    gamma = float(torch.exp(config.contrast.gamma_log_sd * torch.randn((), generator=generator)))
    image = degrade(image, canvas=canvas, config=config.degradation, generator=generator)
    low, high = torch.aminmax(image)
    image = ((image - low) / (high - low).clamp_min(1e-6)).pow(gamma)
    return normalised(image, view.mask)
