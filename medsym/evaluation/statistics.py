"""Statistics of subjects under weights, for the bootstrap: one value per row of weights.

Weights are (r, n) float64, r resamples of n subjects; the result is (r,), NaN where the weights
leave nothing to average.
"""

import torch
from torch import Tensor


def weighted_mean(values: Tensor, weights: Tensor) -> Tensor:
    """Mean over subjects; undefined values (NaN) are left out.

    Args:
        values: (n,).
        weights: (r, n).
    """
    known = values.isfinite()
    kept = weights[:, known]
    return (kept @ values[known].double()) / kept.sum(dim=1)


def ratio(above: Tensor, below: Tensor, weights: Tensor) -> Tensor:
    """Sum over subjects of one count over the sum of another, both (n,)."""
    return (weights @ above.double()) / (weights @ below.double())


def auroc(diseased: Tensor, healthy: Tensor, *, weights: Tensor, healthy_weights: Tensor) -> Tensor:
    """Chance that a diseased subject scores higher than a healthy one, ties count half.

    Args:
        diseased: (n,) scores.
        healthy: (m,) scores.
        weights: (r, n) of the diseased.
        healthy_weights: (r, m) of the healthy.
    """
    higher = (diseased[:, None] > healthy[None]).double()
    wins = higher + 0.5 * (diseased[:, None] == healthy[None]).double()
    pairs = weights.sum(dim=1) * healthy_weights.sum(dim=1)
    return ((weights @ wins) * healthy_weights).sum(dim=1) / pairs


def sensitivity_at(
    diseased: Tensor,
    healthy: Tensor,
    *,
    specificity: float,
    weights: Tensor,
    healthy_weights: Tensor,
) -> Tensor:
    """Share of the diseased above the smallest threshold that keeps a specificity.

    The threshold is chosen on these very healthy subjects, in every resample anew.
    """
    order = healthy.argsort(descending=True)
    allowed = (1.0 - specificity) * healthy_weights.sum(dim=1, keepdim=True)
    above = healthy_weights[:, order].cumsum(dim=1)
    kept_out = (above <= allowed + 1e-9).sum(dim=1)  # so many may score above the threshold
    ordered = torch.cat([healthy[order], healthy.new_full((1,), -torch.inf)])
    threshold = ordered[kept_out]
    hit = (diseased[None] > threshold[:, None]).double()
    return (weights * hit).sum(dim=1) / weights.sum(dim=1)


def froc_sensitivity(
    found: Tensor, lesions: Tensor, false: Tensor, *, per_scan: float, weights: Tensor
) -> Tensor:
    """Largest share of lesions found at a level with at most so many false positives per scan.

    Args:
        found: (n, levels) lesions found.
        lesions: (n,) lesions.
        false: (n, levels) false positives.
        per_scan: allowed false positives per scan.
        weights: (r, n); scans without a lesion take part with their false positives.
    """
    scans = weights.sum(dim=1, keepdim=True)
    alarms = (weights @ false.double()) / scans
    share = (weights @ found.double()) / (weights @ lesions.double())[:, None]
    allowed = torch.where(alarms <= per_scan + 1e-9, share, torch.zeros_like(share))
    return allowed.amax(dim=1)


def lesion_f1(found: Tensor, lesions: Tensor, false: Tensor, weights: Tensor) -> Tensor:
    """``2 TP / (2 TP + FP + FN)`` with lesions as things, all counts (n,)."""
    hits, all_lesions, alarms = (weights @ counts.double() for counts in (found, lesions, false))
    return 2.0 * hits / (hits + all_lesions + alarms)
