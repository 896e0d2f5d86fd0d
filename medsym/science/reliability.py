"""Does a probability of 0.3 mean that 3 of 10 such voxels are lesion? Reliability over subjects.

Bins hold equally many voxels. The expected calibration error is the mean distance between the
probability and the observed frequency of the bins (Naeini et al., "Obtaining well calibrated
probabilities using Bayesian binning", AAAI 2015, with bins of equal counts); its interval comes
from resampled subjects with the bins kept. Nearly every voxel of a brain is far from any lesion and
is called so, which makes the error over all voxels small whatever happens near lesions; so it is
given as well over the voxels that the model calls more likely than its prior.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medsym.science.intervals import Numbers, Weights, subject_weights, with_interval
from medsym.science.subjects import Seen

ALL_BINS, LIKELY_BINS = 20, 10
#: Edges of the histogram of probabilities.
HISTOGRAM_EDGES = tuple(np.linspace(0.0, 1.0, 21).tolist())


@dataclass(slots=True)
class ReliabilityCollector:
    """Takes subjects as the synthesis draws them, with and without lesions.

    Attributes:
        prior: probability that a model states before looking.
        probabilities, truths: of the voxels of the brain, by subject.
        beyond_mask: lesion voxels outside the brain masks.
    """

    prior: float
    probabilities: list[NDArray[np.float32]] = field(default_factory=list)
    truths: list[NDArray[np.bool_]] = field(default_factory=list)
    beyond_mask: int = 0

    def add(self, seen: Seen) -> None:
        """Keep probability and truth of the voxels of the brain.

        Lesion voxels beyond its mask have no probability; taking them in would mean to choose
        voxels by their truth. They are counted.
        """
        lesion, brain = seen.lesion, seen.maps.brain
        self.probabilities.append(seen.maps.pathology[brain])
        self.truths.append(lesion[brain])
        self.beyond_mask += int((lesion & ~brain).sum())

    def finish(self) -> Numbers:
        """Bins, calibration errors and totals, with intervals over subjects."""
        weights = subject_weights(len(self.truths))
        likely = [p >= self.prior for p in self.probabilities]
        kept = [p[k] for p, k in zip(self.probabilities, likely, strict=True)]
        truths = [t[k] for t, k in zip(self.truths, likely, strict=True)]
        pooled = np.concatenate(self.probabilities)
        return {
            "subjects": len(self.truths),
            "subjects_with_lesion": sum(bool(t.any()) for t in self.truths),
            "prior": self.prior,
            "lesion_voxels_beyond_mask": self.beyond_mask,
            "all": _binned(self.probabilities, self.truths, number=ALL_BINS, weights=weights),
            "likely": _binned(kept, truths, number=LIKELY_BINS, weights=weights),
            "histogram": {
                "edges": list(HISTOGRAM_EDGES),
                "voxels": np.histogram(pooled, HISTOGRAM_EDGES)[0].tolist(),
            },
        }


def _binned(
    probabilities: list[NDArray[np.float32]],
    truths: list[NDArray[np.bool_]],
    *,
    number: int,
    weights: Weights,
) -> Numbers:
    """Equal-count bins of pooled voxels, and what follows from them."""
    pooled = np.concatenate(probabilities)
    if pooled.size == 0:
        return {"voxels": 0, "bins": []}
    edges = np.unique(np.quantile(pooled, np.arange(1, number) / number))
    sums = np.stack(
        [_sums(p, t, edges=edges) for p, t in zip(probabilities, truths, strict=True)]
    )  # subject, (count, probability, lesion), bin
    totals = np.einsum("rn,nkb->krb", weights, sums)
    count, expected, lesion = totals
    with np.errstate(invalid="ignore", divide="ignore"):
        frequency, mean = lesion / count, expected / count
        error = np.abs(lesion - expected).sum(axis=1) / count.sum(axis=1)
        ratio = expected.sum(axis=1) / lesion.sum(axis=1)
        prevalence = lesion.sum(axis=1) / count.sum(axis=1)
    return {
        "voxels": int(count[0].sum()),
        "lesion_voxels": int(lesion[0].sum()),
        "calibration_error": with_interval(error),
        "expected_over_observed": with_interval(ratio),
        "prevalence": with_interval(prevalence),
        "bins": [
            {
                "voxels": int(count[0, b]),
                "lesion_voxels": int(lesion[0, b]),
                "probability": float(mean[0, b]),
                "frequency": with_interval(frequency[:, b]),
            }
            for b in range(count.shape[1])
            if count[0, b] > 0
        ],
    }


def _sums(
    probability: NDArray[np.float32], truth: NDArray[np.bool_], *, edges: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(3, bins) voxels, summed probability and lesion voxels of one subject."""
    place = np.searchsorted(edges, probability, side="right")
    return np.stack(
        [
            np.bincount(place, weights=values, minlength=edges.size + 1)
            for values in (np.ones(place.size), probability.astype(np.float64), truth)
        ]
    )
