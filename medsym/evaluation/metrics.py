"""Scores of voxel maps; scikit-learn does the arithmetic where it has the score."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score

from medsym.models.structures import STRUCTURES

FloatArray = NDArray[np.floating]
BoolArray = NDArray[np.bool_]


def auprc(scores: FloatArray, truth: BoolArray) -> float:
    """Area under precision-recall over voxels, in [0, 1], higher is better.

    Chance is the prevalence ``truth.mean()``, so always print both. NaN when nothing is true.
    """
    if not truth.any():
        return float("nan")
    return float(average_precision_score(truth.ravel(), scores.ravel()))


def dice(first: BoolArray, second: BoolArray) -> float:
    """Dice overlap of two masks, in [0, 1], higher is better; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total


def best_dice(scores: FloatArray, truth: BoolArray) -> tuple[float, float]:
    """(threshold, Dice) where ``scores >= threshold`` overlaps best with this very truth.

    On the cases that are scored this is an *oracle*: nobody knows the threshold without the truth,
    so the Dice is an upper limit and no result, and "oracle" belongs beside it. Two NaN when
    nothing is true.
    """
    if not truth.any():
        return float("nan"), float("nan")
    values, found = scores.ravel(), truth.ravel()
    order = np.argsort(-values, kind="stable")
    ordered, hits = values[order], np.cumsum(found[order])
    called = np.arange(1, ordered.size + 1)
    last = np.append(ordered[1:] != ordered[:-1], True)  # equal scores are called together
    overlap = 2.0 * hits[last] / (called[last] + hits[-1])
    best = int(overlap.argmax())
    return float(ordered[last][best]), float(overlap[best])


def icc(first: FloatArray, second: FloatArray) -> float:
    """Agreement of two measurements of the same things, at most 1, higher is better.

    ICC(A,1) of McGraw and Wong, "Forming inferences about some intraclass correlation
    coefficients", Psychological Methods 1 (1996): two-way, single measurement, absolute agreement,
    so a constant shift between the two counts as disagreement. NaN without any spread.

    Args:
        first: one value per voxel or subject, any shape.
        second: the same things measured again.
    """
    pairs = np.stack([first.ravel(), second.ravel()], axis=1).astype(np.float64)
    number = pairs.shape[0]
    if number < 2:
        return float("nan")
    things, sessions = pairs.mean(axis=1), pairs.mean(axis=0)
    middle = pairs.mean()
    rows = 2.0 * float(((things - middle) ** 2).sum()) / (number - 1)
    columns = number * float(((sessions - middle) ** 2).sum())
    rest = pairs - things[:, None] - sessions[None, :] + middle
    error = float((rest**2).sum()) / (number - 1)
    below = rows + error + 2.0 * (columns - error) / number
    return (rows - error) / below if below > 0.0 else float("nan")


def structure_dice(labels: NDArray[np.integer], truth: NDArray[np.integer]) -> FloatArray:
    """Dice of every structure but the background, NaN where it is not in the truth.

    Args:
        labels: (x, y, z) structure index per voxel, what a network says.
        truth: (x, y, z) structure index per voxel; -1 where it is not known, which is passed over.
    """
    count, known = len(STRUCTURES), truth >= 0
    pairs = truth[known].astype(np.int64) * count + labels[known].astype(np.int64)
    table = np.bincount(pairs, minlength=count * count).reshape(count, count)
    wanted, found = table.sum(axis=1), table.sum(axis=0)
    overlap = 2.0 * np.diagonal(table) / np.maximum(wanted + found, 1)
    return np.asarray(np.where(wanted > 0, overlap, np.nan)[1:])


def mean_known(values: FloatArray) -> float:
    """Mean of the defined values; NaN if none is."""
    known = values[np.isfinite(values)]
    return float(known.mean()) if known.size else float("nan")
