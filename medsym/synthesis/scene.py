"""The painted head: tissue classes of a drawn anatomy, aged, in a drawn contrast."""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.synthesis.anatomy import Anatomy
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.contrast import (
    Contrast,
    Grain,
    draw_contrast,
    draw_grain,
    majority,
    paint,
    paint_means,
    pool,
)
from medsym.synthesis.deformation import sample_aged
from medsym.synthesis.degradation import closed_brain
from medsym.synthesis.randomness import chance, draw_seed, uniform
from medsym.synthesis.settings import SynthesisConfig
from medsym.synthesis.tissues import class_is_head, class_structures


@dataclass(frozen=True, kw_only=True, slots=True)
class Ageing:
    """How an anatomy ages: drawn once, applied to the head with and without its lesions."""

    anatomy: Anatomy
    canvas: Canvas
    atrophy_mm: float
    state: Tensor

    @classmethod
    def draw(
        cls,
        anatomy: Anatomy,
        *,
        canvas: Canvas,
        config: SynthesisConfig,
        generator: torch.Generator,
    ) -> "Ageing":
        """Draw whether and how far the cortex has shrunk."""
        ages = chance(config.deformation.atrophy, generator=generator)
        size = uniform(config.deformation.atrophy_mm, generator=generator)
        own = torch.Generator().manual_seed(draw_seed(generator))
        return cls(
            anatomy=anatomy,
            canvas=canvas,
            atrophy_mm=size if ages else 0.0,
            state=own.get_state(),
        )

    def classes(self, sources: Tensor) -> Tensor:
        """Tissue classes of the fine lattice for source positions on the coarse one."""
        generator = torch.Generator()
        generator.set_state(self.state)
        return sample_aged(
            self.anatomy,
            canvas=self.canvas,
            sources=sources,
            atrophy_mm=self.atrophy_mm,
            generator=generator,
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class Scene:
    """The painted head before lesions and scanner.

    Attributes:
        structures: (x, y, z) int64.
        brain, enclosed: (x, y, z) bool, without and with its narrow sulci.
        head: (x, y, z) float, fraction that is not air.
        expected: (x, y, z) float32 without texture.
        image: (x, y, z) float32 with texture.
    """

    structures: Tensor
    brain: Tensor
    enclosed: Tensor
    head: Tensor
    expected: Tensor
    image: Tensor
    contrast: Contrast
    grain: Grain

    @classmethod
    def draw(
        cls,
        classes: Tensor,
        *,
        canvas: Canvas,
        config: SynthesisConfig,
        generator: torch.Generator,
    ) -> "Scene":
        """Draw contrast and grain and paint the tissue classes (2x, 2y, 2z) of a head."""
        contrast = draw_contrast(config=config.contrast, generator=generator)
        grain = draw_grain(canvas=canvas, generator=generator)
        return cls._painted(classes, canvas=canvas, contrast=contrast, grain=grain)

    def of_classes(self, classes: Tensor, *, canvas: Canvas) -> "Scene":
        """Other tissues in the same contrast with the same grain."""
        return self._painted(classes, canvas=canvas, contrast=self.contrast, grain=self.grain)

    @classmethod
    def _painted(
        cls, classes: Tensor, *, canvas: Canvas, contrast: Contrast, grain: Grain
    ) -> "Scene":
        device = canvas.device
        structures = majority(torch.take(class_structures().to(device), classes))
        brain = structures > 0
        filled = closed_brain(brain.to(torch.float32), spacing_mm=canvas.spacing_mm)
        expected = paint_means(classes, canvas=canvas, contrast=contrast, grain=grain)
        return cls(
            structures=structures,
            brain=brain,
            enclosed=filled > 0.5,
            head=pool(torch.take(class_is_head().to(device, torch.float32), classes)),
            expected=expected,
            image=paint(classes, expected=expected, canvas=canvas, contrast=contrast, grain=grain),
            contrast=contrast,
            grain=grain,
        )
