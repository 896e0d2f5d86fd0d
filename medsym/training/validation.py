"""Scores on unseen synthetic subjects, beside the mirror difference that needs no training."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage
from torch import nn

from medsym.inference.passes import run_network
from medsym.models.structures import STRUCTURES, mirror_permutation
from medsym.synthesis.generator import SyntheticCase
from medsym.training.data import SyntheticSubjects
from medsym.training.metrics import auprc, dice
from medsym.training.settings import TrainSettings

_SMOOTHING_VOXELS = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Scores:
    """Voxel scores pooled over subjects; all in [0, 1], higher is better but for prevalence.

    Attributes:
        pathology: AUPRC of the pathology probability inside the brain.
        baseline: AUPRC of the smoothed mirror difference, same voxels.
        prevalence: Share of lesion voxels, what chance scores.
        structures: Mean Dice over structures that are present.
    """

    pathology: float
    baseline: float
    prevalence: float
    structures: float

    def line(self) -> str:
        """The scores on one line."""
        return (
            f"AUPRC {self.pathology:.3f}, mirror difference {self.baseline:.3f}, "
            f"prevalence {self.prevalence:.3f}, structure Dice {self.structures:.3f}"
        )


def mirror_difference(image: NDArray[np.floating]) -> NDArray[np.float64]:
    """Smoothed |x - S x| of a normalised volume (x, y, z): the field's simplest asymmetry map."""
    values = np.asarray(image, dtype=np.float64)
    return np.asarray(np.abs(ndimage.gaussian_filter(values - values[::-1], _SMOOTHING_VOXELS)))


def validate(network: nn.Module, settings: TrainSettings) -> Scores:
    """Score on the unseen subjects of a run."""
    return score_cases(network, unseen_subjects(settings))


def unseen_subjects(settings: TrainSettings) -> list[SyntheticCase]:
    """The first ``validation_cases`` subjects of the test split; opens its sources from disk."""
    subjects = SyntheticSubjects(settings.synthesis, seed=settings.seed, split="test")
    return [subjects[i] for i in range(settings.validation_cases)]


def score_cases(network: nn.Module, cases: list[SyntheticCase]) -> Scores:
    """Pooled scores of a network on synthetic subjects, run as at inference, in one pass."""
    pathology, baseline, truth, overlaps = [], [], [], []
    for case in cases:
        parts = run_network(
            network, case.image.numpy(), mirror_classes=mirror_permutation(), mirrored=False
        )
        inside = case.brain.numpy().astype(bool)
        labels = parts.anatomy.argmax(0).cpu().numpy()
        pathology.append((parts.even + parts.odd).cpu().numpy()[inside])
        baseline.append(mirror_difference(case.image.numpy())[inside])
        truth.append(case.lesion.numpy().astype(bool)[inside])
        for structure in STRUCTURES[1:]:
            wanted = case.structures.numpy() == structure.index
            if wanted.any():
                overlaps.append(dice(labels == structure.index, wanted))
    lesion = np.concatenate(truth)
    return Scores(
        pathology=auprc(np.concatenate(pathology), lesion),
        baseline=auprc(np.concatenate(baseline), lesion),
        prevalence=float(lesion.mean()),
        structures=float(np.mean(overlaps)) if overlaps else float("nan"),
    )
