"""Confidence intervals over resampled subjects, and rank correlation.

Subjects are drawn with replacement, as often as there are. A resample is kept as the weight of each
subject, so every statistic is a function of weights: the estimate is the one where all weights are
1. Equal seeds draw equal subjects for every method, so a difference between two methods is formed
within each resample, which removes what the subjects have in common.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

LEVEL = 0.95
RESAMPLES = 2000
Interval = tuple[float, float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Estimate:
    """A statistic of all subjects with the percentile interval of its resamples."""

    value: float
    low: float
    high: float


def resampled_weights(subjects: int, *, resamples: int, generator: torch.Generator) -> Tensor:
    """(resamples, subjects) how often each resample drew each subject."""
    drawn = torch.randint(0, subjects, (resamples, subjects), generator=generator)
    return torch.zeros(resamples, subjects).scatter_add_(1, drawn, torch.ones(drawn.shape))


def estimate_weights(subjects: int, *, seed: int, resamples: int = RESAMPLES) -> Tensor:
    """(1 + resamples, subjects) float64; the first row is 1, for the estimate itself."""
    if subjects == 0:
        return torch.zeros(1 + resamples, 0, dtype=torch.float64)
    generator = torch.Generator().manual_seed(seed)
    weights = resampled_weights(subjects, resamples=resamples, generator=generator)
    return torch.cat([torch.ones(1, subjects), weights]).double()


def estimate(values: Tensor) -> Estimate:
    """From (1 + resamples,) values: the first is the estimate, the others give its interval.

    Resamples without any subject that the statistic needs are left out.
    """
    known = values[1:][values[1:].isfinite()]
    low, high = interval(known) if len(known) else (float("nan"), float("nan"))
    return Estimate(value=float(values[0]), low=low, high=high)


def interval(values: Tensor) -> Interval:
    """Percentile interval of resampled values."""
    tail = (1.0 - LEVEL) / 2.0
    low, high = torch.quantile(values.double(), torch.tensor([tail, 1.0 - tail]).double())
    return float(low), float(high)


def correlation(first: Sequence[float], second: Sequence[float]) -> float:
    """Spearman's rank correlation; ties share their mean rank. NaN without any spread."""
    ranks = torch.stack([_ranks(torch.tensor(v, dtype=torch.float64)) for v in (first, second)])
    return float(torch.corrcoef(ranks)[0, 1])


def _ranks(values: Tensor) -> Tensor:
    below = (values[None] < values[:, None]).sum(dim=1)
    equal = (values[None] == values[:, None]).sum(dim=1)
    return below + (equal - 1) / 2.0
