"""Rows of subjects as columns, and the statistics of a table of methods."""

from collections.abc import Mapping, Sequence
from dataclasses import asdict, dataclass
from typing import Any

import torch
from scipy.stats import binomtest
from torch import Tensor

from medsym.evaluation.bootstrap import Estimate, estimate, estimate_weights
from medsym.evaluation.precision_recall import area_from_counts, area_limits
from medsym.evaluation.statistics import (
    auroc,
    froc_sensitivity,
    lesion_f1,
    ratio,
    sensitivity_at,
    weighted_mean,
)

#: Of the resamples; lesions and healthy subjects are drawn independently.
LESION_SEED, HEALTHY_SEED = 1, 2
FALSE_PER_SCAN = (0.5, 1.0, 2.0, 4.0, 8.0)
SPECIFICITIES = (0.9, 0.95)

Row = Mapping[str, Any]
Numbers = dict[str, Any]


@dataclass(frozen=True, slots=True)
class Columns:
    """Rows of one group of subjects.

    Attributes:
        rows: finished subjects; those whose lesion could not be drawn are left out.
    """

    rows: tuple[Row, ...]

    @classmethod
    def of(cls, rows: Sequence[Row]) -> "Columns":
        """The rows that hold a subject."""
        return cls(tuple(row for row in rows if not row.get("empty")))

    def __len__(self) -> int:
        """Number of subjects."""
        return len(self.rows)

    def method(self, name: str, score: str) -> Tensor:
        """(n, ...) float64 of one method; null is NaN."""
        return _numbers([row["methods"][name][score] for row in self.rows])

    def fact(self, name: str) -> Tensor:
        """(n,) float64 of a fact about the subjects; null is NaN."""
        return _numbers([row["facts"][name] for row in self.rows])

    def where(self, kept: Tensor) -> "Columns":
        """The subjects with a flag."""
        return Columns(
            tuple(row for row, flag in zip(self.rows, kept.tolist(), strict=True) if flag)
        )


def _numbers(values: Sequence[Any]) -> Tensor:
    return torch.tensor([float("nan") if v is None else v for v in values], dtype=torch.float64)


def as_numbers(found: Estimate) -> Numbers:
    """An estimate as plain numbers."""
    return asdict(found)


def proportion(hits: int, of: int) -> Numbers:
    """A share with its exact interval (Clopper and Pearson, Biometrika 26, 1934)."""
    if of == 0:
        return {"hits": 0, "of": 0, "value": None, "low": None, "high": None}
    found = binomtest(hits, of).proportion_ci(method="exact")
    return {"hits": hits, "of": of, "value": hits / of, "low": found.low, "high": found.high}


def flagged(healthy: Columns, name: str) -> Numbers:
    """Share of healthy subjects that reach the frozen threshold anywhere."""
    return proportion(int((healthy.method(name, "peak") >= 1.0).sum()), len(healthy))


def resampled(
    name: str, *, lesions: Columns, healthy: Columns, weights: Tensor, healthy_weights: Tensor
) -> dict[str, Tensor]:
    """Statistics of one method by name, (1 + resamples,) each.

    Args:
        name: of the method.
        lesions: subjects with lesions.
        healthy: healthy subjects.
        weights: (r, n) of the former.
        healthy_weights: (r, m) of the latter.
    """
    found = {
        score: weighted_mean(lesions.method(name, score), weights)
        for score in ("auprc", "dice", "dice_peak", "oracle_dice")
    }
    count = lesions.fact("lesions")
    hits, false = lesions.method(name, "found"), lesions.method(name, "false")
    found["lesion_f1"] = lesion_f1(hits, count, false, weights)
    found["lesions_found"] = ratio(hits, count, weights)
    if not len(healthy):
        return found
    peaks, healthy_peaks = lesions.method(name, "peak"), healthy.method(name, "peak")
    both = {"weights": weights, "healthy_weights": healthy_weights}
    found["subject_auroc"] = auroc(peaks, healthy_peaks, **both)
    for specificity in SPECIFICITIES:
        found[f"sensitivity_at_{specificity:.0%}"] = sensitivity_at(
            peaks, healthy_peaks, specificity=specificity, **both
        )
    levels, healthy_false = lesions.method(name, "froc_found"), healthy.method(name, "froc_false")
    for per_scan in FALSE_PER_SCAN:
        found[f"found_at_{per_scan:g}"] = froc_sensitivity(
            torch.cat([levels, torch.zeros_like(healthy_false)]),
            torch.cat([count, torch.zeros(len(healthy), dtype=torch.float64)]),
            torch.cat([lesions.method(name, "froc_false"), healthy_false]),
            per_scan=per_scan,
            weights=torch.cat([weights, healthy_weights], dim=1),
        )
    return found


def pooled_area(lesions: Columns, name: str, *, weights: Tensor) -> tuple[Tensor, float]:
    """((r,) AUPRC over the voxels of all subjects, half the width left open by binning)."""
    counts = lesions.method(name, "counts")
    summed = (weights @ counts.flatten(1)).reshape(len(weights), *counts.shape[1:])
    low, high = area_limits(summed[0])
    return area_from_counts(summed), float(high - low) / 2.0


def group_weights(lesions: Columns, healthy: Columns) -> tuple[Tensor, Tensor]:
    """Weights of both groups; the same for every method."""
    return (
        estimate_weights(len(lesions), seed=LESION_SEED),
        estimate_weights(len(healthy), seed=HEALTHY_SEED),
    )


def numbers_of(found: Mapping[str, Tensor]) -> Numbers:
    """Every statistic with its interval."""
    return {name: as_numbers(estimate(values)) for name, values in found.items()}


def difference(found: Mapping[str, Tensor], other: Mapping[str, Tensor]) -> Numbers:
    """Paired differences of two methods: within each resample, which both share."""
    return {
        name: as_numbers(estimate(values - other[name]))
        for name, values in found.items()
        if name in other
    }
