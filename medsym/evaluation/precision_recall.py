"""Areas under precision-recall from counts per subject, and of voxels that live on a GPU.

The bootstrap needs the area thousands of times on resampled subjects, so every subject is reduced
to counts of lesion and other voxels between fixed levels of the score. The exact area of one set of
scores is ``medsym.evaluation.metrics.auprc``.
"""

import torch
from torch import Tensor

BINS = 160


def average_precision(scores: Tensor, truth: Tensor) -> float:
    """``medsym.evaluation.metrics.auprc`` on any device: volumes on a GPU need not leave it.

    Precision at each distinct score, weighted by the recall it adds; tied voxels count together.

    Args:
        scores: (n,) floating, higher is more likely.
        truth: (n,) bool.

    Returns:
        In [0, 1]; NaN when nothing is true.
    """
    total = int(truth.sum())
    if total == 0:
        return float("nan")
    ordered, order = scores.sort(descending=True)
    hits = truth[order].cumsum(0).double()
    last = torch.ones_like(truth)  # of its run of ties
    last[:-1] = ordered[1:] != ordered[:-1]
    at = last.nonzero()[:, 0]
    precision = hits[at] / (at + 1)
    gained = torch.diff(hits[at], prepend=hits.new_zeros(1)) / total
    return float((precision * gained).sum())


def score_levels(scores: Tensor) -> Tensor:
    """(BINS - 1,) descending levels, dense where scores are high: voxel ranks 1, ..., n."""
    ordered = scores.sort(descending=True).values
    ranks = torch.logspace(0.0, 1.0, BINS - 1, base=float(len(ordered))).long() - 1
    return ordered[ranks.clamp(0, len(ordered) - 1)]


def counts_between(scores: Tensor, truth: Tensor, levels: Tensor) -> Tensor:
    """(2, levels + 1) voxels between the levels, from the highest scores down: others, lesions.

    Args:
        scores: (n,) higher is more likely.
        truth: (n,) bool.
        levels: descending; a score equal to a level counts as above it.
    """
    bins = len(levels) + 1
    place = torch.searchsorted(-levels, -scores.contiguous(), right=False)
    return torch.stack(
        [
            torch.bincount(place[~truth], minlength=bins),
            torch.bincount(place[truth], minlength=bins),
        ]
    )


def area_from_counts(counts: Tensor) -> Tensor:
    """(..., 2, bins) counts -> (...) area; within a bin lesions and others are mixed evenly."""
    counts = counts.double()
    true = counts[..., 1, :].cumsum(-1)
    called = counts.sum(-2).cumsum(-1)
    before_true, before_called = true - counts[..., 1, :], called - counts.sum(-2)
    middle = (true + before_true) / (called + before_called).clamp_min(1.0)
    gained = counts[..., 1, :] / true[..., -1:].clamp_min(1.0)
    return (gained * middle).sum(-1)


def area_limits(counts: Tensor) -> tuple[Tensor, Tensor]:
    """Lowest and highest area that any order of the voxels within the bins could have, (...) each.

    Lowest: in every bin all others come before the lesions, one voxel after the other. Highest:
    all lesions come first, tied. So the error of binning is known, not guessed.

    Args:
        counts: (..., 2, bins) as for :func:`area_from_counts`.
    """
    counts = counts.double()
    other, lesion = counts[..., 0, :], counts[..., 1, :]
    true, called = lesion.cumsum(-1), counts.sum(-2).cumsum(-1)
    total = true[..., -1:].clamp_min(1.0)
    before = called - lesion  # the others of the bin are already called
    # sum over j = 1..a of (T + j) / (C + j), with T true among the C called before
    tail = torch.digamma(before + lesion + 1.0) - torch.digamma(before + 1.0)
    lowest = lesion - (before - (true - lesion)) * tail
    highest = lesion * true / (called - other).clamp_min(1.0)
    return (lowest / total).sum(-1), (highest / total).sum(-1)
