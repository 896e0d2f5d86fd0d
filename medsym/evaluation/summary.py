"""From the rows of subjects to the numbers of the tables."""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch

from medsym.evaluation.bootstrap import estimate, estimate_weights
from medsym.evaluation.columns import (
    LESION_SEED,
    Columns,
    Numbers,
    as_numbers,
    difference,
    flagged,
    group_weights,
    numbers_of,
    pooled_area,
    proportion,
    resampled,
)
from medsym.evaluation.metrics import icc
from medsym.evaluation.statistics import ratio, weighted_mean
from medsym.models.structures import STRUCTURES

Row = Mapping[str, Any]


def summarise_methods(
    lesions: Columns, healthy: Columns, *, methods: Sequence[str], rivals: Sequence[str]
) -> Numbers:
    """The main table.

    Args:
        lesions: standard test subjects with lesions.
        healthy: standard healthy test subjects.
        methods: rows.
        rivals: methods from which paired differences are formed.

    Returns:
        subjects, healthy_subjects, anatomies, lesions, prevalence; by method, every statistic of
        ``resampled`` with its interval, auprc_pooled with binning_error, and flagged; differences
        by rival.
    """
    weights, healthy_weights = group_weights(lesions, healthy)
    both = {"weights": weights, "healthy_weights": healthy_weights}
    found = {m: resampled(m, lesions=lesions, healthy=healthy, **both) for m in methods}
    rows: Numbers = {}
    for name in methods:
        area, error = pooled_area(lesions, name, weights=weights)
        rows[name] = numbers_of(found[name]) | {
            "auprc_pooled": as_numbers(estimate(area)) | {"binning_error": error},
            "flagged": flagged(healthy, name),
            "false_per_healthy_scan": float(healthy.method(name, "false").mean()),
        }
    return {
        "subjects": len(lesions),
        "healthy_subjects": len(healthy),
        "anatomies": sorted({row["facts"]["anatomy"] for row in (*lesions.rows, *healthy.rows)}),
        "lesions": int(lesions.fact("lesions").sum()),
        "prevalence": float(lesions.fact("prevalence").mean()),
        "methods": rows,
        "differences": {
            rival: {m: difference(found[m], found[rival]) for m in methods if m != rival}
            for rival in rivals
        },
    }


def summarise_condition(
    lesions: Columns,
    healthy: Columns,
    *,
    standard: Sequence[Row],
    standard_healthy: Sequence[Row],
    methods: Sequence[str],
) -> Numbers:
    """A condition against the same subjects in the standard groups.

    Args:
        lesions: subjects of the condition with lesions, all of them in order; empty ones included.
        healthy: healthy subjects of the condition.
        standard: rows of the same subjects in the standard group.
        standard_healthy: the same of the healthy.
        methods: rows.

    Returns:
        subjects, healthy_subjects; by method auprc, change (paired, of the AUPRC), found, flagged
        and flagged_standard of the same healthy subjects.
    """
    pairs = [
        (row, before)
        for row, before in zip(lesions.rows, standard, strict=True)
        if not (row.get("empty") or before.get("empty"))
    ]
    now, before = (Columns(tuple(pair[k] for pair in pairs)) for k in (0, 1))
    weights = estimate_weights(len(now), seed=LESION_SEED)
    rows: Numbers = {}
    for name in methods:
        area, area_before = (
            weighted_mean(group.method(name, "auprc"), weights) for group in (now, before)
        )
        found = ratio(now.method(name, "found"), now.fact("lesions"), weights)
        rows[name] = {
            "auprc": as_numbers(estimate(area)),
            "change": as_numbers(estimate(area - area_before)),
            "found": as_numbers(estimate(found)),
            "flagged": flagged(healthy, name),
            "flagged_standard": flagged(Columns.of(standard_healthy), name),
        }
    return {"subjects": len(now), "healthy_subjects": len(healthy), "methods": rows}


def summarise_torque(
    lesions: Columns, healthy: Columns, *, methods: Sequence[str], reference: str
) -> Numbers:
    """False alarms where the natural torque is largest, and lesions found there.

    Args:
        lesions: subjects with strong torque and lesions.
        healthy: healthy subjects with strong torque.
        methods: rows.
        reference: method whose share of lesions found is 100 %.

    Returns:
        By method flagged_inside (healthy subjects whose score reaches the frozen threshold in the
        torque region), flagged_outside, found_inside (share of the lesions there that are found)
        and relative (that share over the reference's).
    """
    weights = estimate_weights(len(lesions), seed=LESION_SEED)
    count = lesions.method(methods[0], "lesions_inside")
    share = {m: ratio(lesions.method(m, "found_inside"), count, weights) for m in methods}
    rows: Numbers = {}
    for name in methods:
        rows[name] = {
            f"flagged_{place}": proportion(
                int((healthy.method(name, f"peak_{place}") >= 1.0).sum()), len(healthy)
            )
            for place in ("inside", "outside")
        }
        rows[name]["found_inside"] = as_numbers(estimate(share[name]))
        rows[name]["relative"] = as_numbers(estimate(share[name] / share[reference]))
    return {
        "healthy_subjects": len(healthy),
        "lesions_inside": int(count.sum()),
        "reference": reference,
        "methods": rows,
    }


def summarise_pairs(mirrored: Columns, retest: Columns, *, methods: Sequence[str]) -> Numbers:
    """Mirrored copies and second sessions.

    Returns:
        By method parity (mean), parity_largest; retest_dice (mean over the subjects that either
        session marks, ``retest_marked`` of them), retest_icc (mean over subjects, of the voxels),
        retest_peak_icc (of the largest scores over subjects).
    """
    rows: Numbers = {name: {} for name in methods}
    for name in methods:
        if len(mirrored):
            weights = estimate_weights(len(mirrored), seed=LESION_SEED)
            values = mirrored.method(name, "parity")
            rows[name]["parity"] = as_numbers(estimate(weighted_mean(values, weights)))
            rows[name]["parity_largest"] = float(values.max())
        if len(retest):
            weights = estimate_weights(len(retest), seed=LESION_SEED)
            for score in ("retest_dice", "retest_icc"):
                values = retest.method(name, score)
                rows[name][score] = as_numbers(estimate(weighted_mean(values, weights)))
            rows[name]["retest_marked"] = int(retest.method(name, "retest_dice").isfinite().sum())
            peaks = [retest.method(name, k).numpy() for k in ("peak", "peak_again")]
            rows[name]["retest_peak_icc"] = icc(peaks[0], peaks[1])
    return {"mirrored": len(mirrored), "retest": len(retest), "methods": rows}


def summarise_models(
    lesions: Columns,
    healthy: Columns,
    *,
    models: Mapping[str, int],
    shipped: Mapping[str, float | None],
) -> Numbers:
    """What belongs to a model rather than to a map.

    Args:
        lesions: standard subjects with lesions.
        healthy: standard healthy subjects.
        models: parameters by model.
        shipped: by model, the threshold of the deviation in its folder, in frozen thresholds; None
            if its healthy reference is too small for one.

    Returns:
        By model flagged_shipped (healthy subjects at the shipped threshold), parameters, seconds
        (median, both passes and maps), structure_dice (mean over structures of the mean over
        subjects) with by_structure, beyond_bound (mean share of a lesion where the asymmetry
        exceeds what the model can have made itself).
    """
    found = {}
    for name, parameters in models.items():
        entries = [row["models"][name] for row in (*lesions.rows, *healthy.rows)]
        overlap = np.array([e["structure_dice"] for e in entries], dtype=np.float64)
        present = np.isfinite(overlap).any(axis=0)
        means = np.full(overlap.shape[1], np.nan)
        means[present] = np.nanmean(overlap[:, present], axis=0)
        beyond = [row["models"][name]["beyond_bound"] for row in lesions.rows]
        peaks, threshold = healthy.method(f"{name} deviation", "peak"), shipped[name]
        found[name] = {
            "flagged_shipped": None
            if threshold is None
            else proportion(int((peaks >= threshold).sum()), len(healthy)),
            "parameters": parameters,
            "seconds": float(np.median([e["seconds"] for e in entries])),
            "structure_dice": float(np.nanmean(means)) if present.any() else float("nan"),
            "by_structure": {
                s.title: float(value) for s, value in zip(STRUCTURES[1:], means, strict=True)
            },
            "beyond_bound": float(torch.tensor(beyond).mean()),
        }
    return found
