"""Confidence intervals over resampled subjects, and rank correlation."""

from collections.abc import Sequence

import torch
from torch import Tensor

LEVEL = 0.95
Interval = tuple[float, float]


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
