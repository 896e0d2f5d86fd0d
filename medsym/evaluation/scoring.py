"""Scores of all methods on one subject, small enough to keep and to resample.

Maps are divided by the frozen threshold of their method (``freezing``), so that 1 is the threshold
for every method, and fixed levels around 1 serve them all.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.evaluation.lesions import (
    Truth,
    bounding_box,
    froc_counts,
    match,
    outline,
    smallest_voxels,
)
from medsym.evaluation.metrics import auprc, best_dice, dice, icc
from medsym.evaluation.precision_recall import counts_between

#: Levels of the free-response curve, in thresholds: 2 down to a fortieth.
FROC_LEVELS: tuple[float, ...] = tuple(np.geomspace(2.0, 0.025, 22).tolist())
#: Levels of the pooled precision-recall curve, in thresholds, descending; between the positive ones
#: lie 4 %, and what a signed map says against a lesion is resolved coarsely.
POOLED_LEVELS: tuple[float, ...] = (
    *np.geomspace(20.0, 0.002, 240).tolist(),
    *(-np.geomspace(0.002, 2.0, 12)).tolist(),
)

BoolMap = NDArray[np.bool_]
Map = NDArray[np.floating]
Row = dict[str, Any]


def lesion_row(
    score: Map, *, truth: Truth, brain: BoolMap, spacing_mm: float, curves: bool = True
) -> Row:
    """One method on one subject with lesions.

    Args:
        score: (x, y, z) map in thresholds.
        truth: lesions on the same grid.
        brain: (x, y, z) bool; voxels of brain and truth are scored, so that a lesion outside the
            mask counts as missed.
        spacing_mm: edge of a voxel.
        curves: also the counts at many levels, which take most of the time.

    Returns:
        auprc and oracle_dice over voxels; dice of the outlined findings and dice_peak of the
        voxels at or above the frozen threshold; peak, the largest score; found and false at the
        frozen threshold, of ``lesions``; with curves froc_found and froc_false at ``FROC_LEVELS``
        and counts (others, lesion voxels) between ``POOLED_LEVELS``.
    """
    scored = brain | truth.mask
    values, lesion = score[scored], truth.mask[scored]
    row = _things(score, truth=truth, scored=scored, spacing_mm=spacing_mm, curves=curves)
    if curves:
        counts = counts_between(
            torch.from_numpy(values.astype(np.float64)),
            torch.from_numpy(lesion),
            torch.tensor(POOLED_LEVELS, dtype=torch.float64),
        )
        row["counts"] = counts.tolist()
    covered = outline(score, 1.0)
    return row | {
        "auprc": auprc(values, lesion),
        "oracle_dice": best_dice(values, lesion)[1],
        "dice": dice(covered[scored], lesion),
        "dice_peak": dice(values >= 1.0, lesion),
    }


def healthy_row(score: Map, *, brain: BoolMap, spacing_mm: float, curves: bool = True) -> Row:
    """One method on one healthy subject: peak, false, froc_false, volume_ml of the outlines."""
    nothing = Truth.of(np.zeros_like(brain))
    row = _things(score, truth=nothing, scored=brain, spacing_mm=spacing_mm, curves=curves)
    volume = float(outline(score, 1.0).sum()) * spacing_mm**3 / 1000.0
    return row | {"volume_ml": volume}


def _things(score: Map, *, truth: Truth, scored: BoolMap, spacing_mm: float, curves: bool) -> Row:
    box = bounding_box(scored | scored[::-1])
    inside = Truth(mask=truth.mask[box], labels=truth.labels[box], sizes=truth.sizes)
    smallest = smallest_voxels(spacing_mm**3 / 1000.0)
    at_threshold = match(outline(score[box], 1.0), inside, smallest=smallest)
    row: Row = {
        "peak": float(score.max()),
        "found": int(at_threshold.found.sum()),
        "false": at_threshold.false,
    }
    if curves:
        false, found = froc_counts(score[box], inside, levels=FROC_LEVELS, smallest=smallest)
        row |= {"froc_found": found, "froc_false": false}
    return row


def torque_row(score: Map, *, truth: Truth, region: BoolMap, spacing_mm: float) -> Row:
    """One method in and outside the torque region.

    Returns:
        peak_inside and peak_outside of the region; found_inside, of ``lesions_inside`` lesions
        that lie in it by at least half; hits are those of the frozen threshold.
    """
    sizes = np.maximum(truth.sizes, 1)
    within = np.bincount(truth.labels[region], minlength=truth.sizes.size + 1)[1:] / sizes >= 0.5
    found = match(
        outline(score, 1.0), truth, smallest=smallest_voxels(spacing_mm**3 / 1000.0)
    ).found
    return {
        "peak_inside": float(score[region].max(initial=0.0)),
        "peak_outside": float(score[~region].max(initial=0.0)),
        "found_inside": int((found & within).sum()),
        "lesions_inside": int(within.sum()),
    }


def parity_row(score: Map, of_mirrored: Map, *, lesion: BoolMap, brain: BoolMap) -> Row:
    """One method on a subject and on its mirrored copy: the AUPRC of both, and their difference.

    Args:
        score: (x, y, z) map of the subject.
        of_mirrored: (x, y, z) map of the mirrored copy, in the copy's own voxels.
        lesion: (x, y, z) truth of the subject.
        brain: (x, y, z) bool.
    """
    scored = brain | lesion
    here = auprc(score[scored], lesion[scored])
    there = auprc(of_mirrored[scored[::-1]], lesion[::-1][scored[::-1]])
    return {"auprc": here, "auprc_mirrored": there, "parity": abs(here - there)}


def retest_row(first: Map, second: Map, *, brain: BoolMap) -> Row:
    """One method in two sessions: Dice of the outlines (NaN if both are empty), ICC of the map."""
    outlines = [outline(score, 1.0) for score in (first, second)]
    empty = not (outlines[0].any() or outlines[1].any())
    return {
        "retest_dice": float("nan") if empty else dice(outlines[0], outlines[1]),
        "retest_icc": icc(first[brain], second[brain]),
        "peak": float(first.max()),
        "peak_again": float(second.max()),
    }


def in_thresholds(maps: Mapping[str, Map], thresholds: Mapping[str, float]) -> dict[str, Map]:
    """Maps divided by the frozen threshold of their method."""
    return {name: values / thresholds[name] for name, values in maps.items()}


def lesion_facts(lesion: BoolMap, *, spacing_mm: float) -> Row:
    """What strata need of the truth: volume, side, distance to the mid-plane.

    Returns:
        volume_ml; left_share of the voxels on the patient's left (low x); midline_mm, the mean
        distance of the lesion's voxels from the mid-plane.
    """
    at = (np.flatnonzero(lesion.any(axis=(1, 2))), lesion.sum(axis=(1, 2)))
    planes, weight = at[0], at[1][at[0]]
    middle = (lesion.shape[0] - 1) / 2
    total = max(int(weight.sum()), 1)
    return {
        "volume_ml": float(weight.sum()) * spacing_mm**3 / 1000.0,
        "left_share": float(weight[planes < middle].sum()) / total,
        "midline_mm": float((np.abs(planes - middle) * weight).sum()) / total * spacing_mm,
    }


def finite_or_none(values: Sequence[float]) -> list[float | None]:
    """Numbers for JSON: undefined ones are null."""
    return [float(v) if np.isfinite(v) else None for v in values]
