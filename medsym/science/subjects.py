"""Synthesised test subjects with everything a model says about them, one at a time."""

from collections.abc import Callable, Iterator
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.evaluation.methods import Candidate, Scan
from medsym.inference.maps import CaseMaps
from medsym.synthesis.canvas import CPU
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.settings import SynthesisConfig
from medsym.training.data import SyntheticSubjects, without_skull
from medsym.volumes.frame import SymmetricGrid

Report = Callable[[str], None]

#: Progress lines per group of subjects, about.
_LINES = 4


@dataclass(frozen=True, kw_only=True, slots=True)
class Seen:
    """A drawn subject, its truth, and the pipeline's maps of it.

    Attributes:
        case: the subject; its truths are known.
        maps: (x, y, z) on the same grid.
        spacing_mm: edge of a voxel.
    """

    case: SyntheticCase
    maps: CaseMaps
    spacing_mm: float

    @property
    def lesion(self) -> NDArray[np.bool_]:
        """(x, y, z) bool."""
        return np.asarray(self.case.lesion.numpy(), dtype=bool)

    @property
    def structures(self) -> NDArray[np.int64]:
        """(x, y, z) true structure per voxel."""
        return np.asarray(self.case.structures.numpy())

    @property
    def normal_asymmetry(self) -> NDArray[np.float32]:
        """(x, y, z) size of the healthy head's asymmetry, in units of the range of its tissues."""
        assert self.case.normal_asymmetry is not None  # the truths were asked for
        return np.abs(self.case.normal_asymmetry.numpy())

    @property
    def torque_mm(self) -> NDArray[np.float32]:
        """(x, y, z) how far the natural torque moved the tissue, mm."""
        assert self.case.torque_mm is not None
        return np.asarray(self.case.torque_mm.norm(dim=0).numpy())


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawing:
    """Where subjects come from.

    Attributes:
        synthesis: of a training configuration; its test anatomies are drawn from.
        seed: another one than training and evaluation used.
        device: where subjects are drawn.
    """

    synthesis: SynthesisConfig
    seed: int
    device: torch.device = CPU

    def subjects(self, *, spacing_mm: float, healthy: bool) -> SyntheticSubjects:
        """Test subjects without skull and in full view, as the comparison sees a scan.

        Healthy ones are other people than those with lesions.
        """
        return SyntheticSubjects(
            without_skull(self.synthesis).model_copy(update={"truths": True}),
            grid=SymmetricGrid.spanning(spacing_mm),
            seed=self.seed + int(healthy),
            split="test",
            healthy=healthy,
            device=self.device,
        )


def seen_by(
    candidate: Candidate, *, drawing: Drawing, number: int, healthy: bool, report: Report
) -> Iterator[Seen]:
    """Draw subjects and run the pipeline's comparison on each.

    Args:
        candidate: the model.
        drawing: where subjects come from.
        number: of subjects.
        healthy: draw without lesions.
        report: told the progress.
    """
    spacing_mm = candidate.model.network.settings.spacing_mm
    subjects = drawing.subjects(spacing_mm=spacing_mm, healthy=healthy)
    every = max(1, number // _LINES)
    group = "healthy" if healthy else "with lesions"
    for index in range(number):
        case = subjects[index]
        scan = Scan(
            image=case.image.numpy(),
            brain=np.asarray(case.brain.numpy(), dtype=bool),
            coverage=np.asarray(case.coverage.numpy(), dtype=bool),
            kind=case.kind,
            spacing_mm=spacing_mm,
        )
        maps, _ = candidate.compute(scan)
        yield Seen(case=case, maps=maps, spacing_mm=spacing_mm)
        if (index + 1) % every == 0 or index + 1 == number:
            report(f"subjects {group}: {index + 1}/{number}")
