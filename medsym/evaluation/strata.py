"""Subjects by the size, contrast, side and place of their lesions."""

from collections.abc import Mapping, Sequence

import torch
from torch import Tensor

from medsym.evaluation.bootstrap import estimate, estimate_weights
from medsym.evaluation.columns import LESION_SEED, Columns, Numbers, as_numbers
from medsym.evaluation.statistics import ratio, weighted_mean

#: A subject whose lesions all differ by less than this from their tissue is subtle, SD.
SUBTLE_SD = 1.5
_SIDED = 0.8  # share of the voxels on one side

#: By fact, the edges of the strata and the words for them.
_EDGES: Mapping[str, tuple[str, tuple[float, ...], tuple[str, ...]]] = {
    "size": ("volume_ml", (1.0, 5.0, 20.0), ("< 1 ml", "1-5 ml", "5-20 ml", ">= 20 ml")),
    "contrast": (
        "contrast_sd",
        (SUBTLE_SD, 3.0),
        ("subtle, < 1.5 SD", "1.5-3 SD", ">= 3 SD"),
    ),
    "distance to the mid-plane": (
        "midline_mm",
        (15.0, 30.0),
        ("< 15 mm", "15-30 mm", ">= 30 mm"),
    ),
    "side": ("left_share", (1.0 - _SIDED, _SIDED), ("right", "both sides", "left")),
}


def strata(lesions: Columns) -> dict[str, dict[str, Tensor]]:
    """(n,) flags by kind of stratum and by its words."""
    found: dict[str, dict[str, Tensor]] = {}
    for kind, (fact, edges, words) in _EDGES.items():
        values = lesions.fact(fact)
        place = torch.bucketize(values, torch.tensor(edges).double(), right=True)
        place = torch.where(values.isfinite(), place, -1)
        found[kind] = {word: place == number for number, word in enumerate(words)}
    return found


def summarise_strata(lesions: Columns, *, methods: Sequence[str], rival: str) -> Numbers:
    """AUPRC and lesions found in every stratum, with the paired difference from a rival.

    Args:
        lesions: subjects with lesions.
        methods: rows.
        rival: method whose AUPRC is taken off.

    Returns:
        By kind and words: subjects, prevalence, and by method auprc, found (share of lesions found
        at the frozen threshold) and difference (of the AUPRC); a stratum without subjects has none.
    """
    return {
        kind: {
            words: _stratum(lesions.where(flags), methods=methods, rival=rival)
            for words, flags in parts.items()
        }
        for kind, parts in strata(lesions).items()
    }


def _stratum(subjects: Columns, *, methods: Sequence[str], rival: str) -> Numbers:
    if not len(subjects):
        return {"subjects": 0}
    weights = estimate_weights(len(subjects), seed=LESION_SEED)
    area = {name: weighted_mean(subjects.method(name, "auprc"), weights) for name in methods}
    count = subjects.fact("lesions")
    return {
        "subjects": len(subjects),
        "prevalence": float(subjects.fact("prevalence").mean()),
        "methods": {
            name: {
                "auprc": as_numbers(estimate(area[name])),
                "difference": as_numbers(estimate(area[name] - area[rival])),
                "found": as_numbers(
                    estimate(ratio(subjects.method(name, "found"), count, weights))
                ),
            }
            for name in methods
        },
    }
