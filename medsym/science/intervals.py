"""Estimates with intervals over resampled subjects, as plain numbers."""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.stats import rankdata

from medsym.evaluation.bootstrap import estimate, estimate_weights
from medsym.evaluation.columns import as_numbers

#: Resamples of maps; percentiles of an interval need no more.
RESAMPLES = 500
#: Of the resamples: every statistic of a group of subjects sees the same ones.
_SEED = 3

Numbers = dict[str, Any]
Weights = NDArray[np.float64]


def subject_weights(subjects: int) -> Weights:
    """(1 + resamples, subjects): how often each subject counts; the first row is all ones."""
    return estimate_weights(subjects, seed=_SEED, resamples=RESAMPLES).numpy()


def with_interval(values: NDArray[np.floating]) -> Numbers:
    """value, low, high from (1 + resamples,) values, the estimate first."""
    return as_numbers(estimate(torch.from_numpy(np.asarray(values, dtype=np.float64))))


def mean_over_subjects(values: NDArray[np.floating], weights: Weights) -> NDArray[np.float64]:
    """(r,) weighted means of (n,) values; undefined ones (NaN) are left out."""
    known = np.isfinite(values)
    kept = weights[:, known]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((kept @ np.asarray(values, dtype=np.float64)[known]) / kept.sum(axis=1))


def rank_correlations(
    first: NDArray[np.floating], second: NDArray[np.floating]
) -> NDArray[np.float64]:
    """(r,) Spearman's rank correlation of the rows of two (r, v) arrays.

    Ties share their mean rank. NaN where a row has no spread or holds an undefined value.
    """
    ranks = [rankdata(values, axis=1) for values in (first, second)]
    centred = [r - r.mean(axis=1, keepdims=True) for r in ranks]
    sizes = [np.sqrt((c**2).sum(axis=1)) for c in centred]
    with np.errstate(invalid="ignore", divide="ignore"):
        return np.asarray((centred[0] * centred[1]).sum(axis=1) / (sizes[0] * sizes[1]))
