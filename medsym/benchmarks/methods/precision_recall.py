"""Areas under precision-recall, exact and from counts per subject, and the best Dice threshold.

The bootstrap needs the area thousands of times on resampled subjects, so every subject is reduced
to counts of lesion and other voxels between fixed levels of the score.
"""

import torch
from torch import Tensor

BINS = 160


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """Area under precision-recall, ``sum (R_k - R_{k-1}) P_k``; ties count as one threshold.

    Args:
        scores: (n,) higher is more likely.
        truth: (n,) bool.

    Returns:
        In [0, 1]; chance is the prevalence; NaN when nothing is true.
    """
    order = scores.argsort(descending=True)
    values, found = scores[order], truth[order].double().cumsum(0)
    last = torch.ones_like(values, dtype=torch.bool)
    last[:-1] = values[1:] != values[:-1]
    if not bool(truth.any()):
        return float("nan")
    true = found[last]
    called = torch.arange(1, len(values) + 1, dtype=torch.float64)[last]
    return _area(true, called)


def _area(true: Tensor, called: Tensor) -> float:
    recall = true / true[-1]
    gained = torch.diff(recall, prepend=torch.zeros(1, dtype=recall.dtype))
    return float((gained * true / called.clamp_min(1.0)).sum())


def score_levels(scores: Tensor) -> Tensor:
    """(BINS - 1,) descending levels, dense where scores are high: voxel ranks 1, ..., n."""
    ordered = scores.sort(descending=True).values
    ranks = torch.logspace(0.0, 1.0, BINS - 1, base=float(len(ordered))).long() - 1
    return ordered[ranks.clamp(0, len(ordered) - 1)]


def counts_between(scores: Tensor, truth: Tensor, levels: Tensor) -> Tensor:
    """(2, BINS) voxels between the levels, from the highest scores down: others, lesions."""
    place = torch.searchsorted(-levels, -scores.contiguous(), right=False)
    return torch.stack(
        [
            torch.bincount(place[~truth], minlength=BINS),
            torch.bincount(place[truth], minlength=BINS),
        ]
    )


def area_from_counts(counts: Tensor) -> Tensor:
    """(..., 2, BINS) counts -> (...) area; within a bin lesions and others are mixed evenly."""
    counts = counts.double()
    true = counts[..., 1, :].cumsum(-1)
    called = counts.sum(-2).cumsum(-1)
    before_true, before_called = true - counts[..., 1, :], called - counts.sum(-2)
    middle = (true + before_true) / (called + before_called).clamp_min(1.0)
    gained = counts[..., 1, :] / true[..., -1:].clamp_min(1.0)
    return (gained * middle).sum(-1)


def best_dice_threshold(scores: Tensor, truth: Tensor) -> float:
    """Threshold at which ``scores >= threshold`` has the largest Dice with the truth."""
    ordered, order = scores.sort(descending=True)
    true = truth[order].double().cumsum(0)
    called = torch.arange(1, len(ordered) + 1, dtype=torch.float64)
    dice = 2.0 * true / (called + true[-1])
    return float(ordered[int(dice.argmax())])
