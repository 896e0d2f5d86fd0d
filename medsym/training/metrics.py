"""Scores of voxel maps; scikit-learn does the arithmetic."""

import numpy as np
from numpy.typing import NDArray
from sklearn.metrics import average_precision_score


def auprc(scores: NDArray[np.floating], truth: NDArray[np.bool_]) -> float:
    """Area under precision-recall over voxels, in [0, 1], higher is better.

    Chance is the prevalence ``truth.mean()``, so always print both. NaN when nothing is true.
    """
    if not truth.any():
        return float("nan")
    return float(average_precision_score(truth.ravel(), scores.ravel()))


def dice(first: NDArray[np.bool_], second: NDArray[np.bool_]) -> float:
    """Dice overlap of two masks, in [0, 1], higher is better; 1 when both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 1.0 if total == 0 else 2.0 * int((first & second).sum()) / total
