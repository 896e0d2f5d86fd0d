"""Rows of one subject: perfection, chance, scale, mirror and swapped sides."""

from typing import Any

import numpy as np
import pytest

from medsym.evaluation.lesions import Truth
from medsym.evaluation.scoring import (
    FROC_LEVELS,
    POOLED_LEVELS,
    healthy_row,
    in_thresholds,
    lesion_facts,
    lesion_row,
    parity_row,
    retest_row,
    torque_row,
)
from tests.evaluation.builders import SHAPE, brain_mask, lesion_mask

BRAIN = brain_mask()
MM = {"spacing_mm": 6.0}


def row(score: np.ndarray, lesion: np.ndarray) -> dict[str, Any]:
    return lesion_row(score, truth=Truth.of(lesion), brain=BRAIN, **MM)


def noisy(lesion: np.ndarray) -> np.ndarray:
    return 0.3 * np.random.default_rng(0).random(SHAPE) * BRAIN + 1.2 * lesion


def test_perfect_map_is_perfect_in_every_score() -> None:
    lesion = lesion_mask()
    found = row(2.0 * lesion, lesion)
    for name in ("auprc", "dice", "dice_peak", "oracle_dice"):
        assert found[name] == 1.0
    assert (found["found"], found["false"], found["peak"]) == (1, 0, 2.0)
    assert set(found["froc_found"]) == {1}
    assert set(found["froc_false"]) == {0}


def test_constant_map_scores_the_prevalence() -> None:
    lesion = lesion_mask()
    found = row(np.full(SHAPE, 0.5), lesion)
    assert found["auprc"] == pytest.approx(lesion.sum() / (BRAIN | lesion).sum())
    assert found["dice"] == 0.0


def test_lesion_outside_the_brain_mask_counts_as_missed() -> None:
    lesion = lesion_mask()
    assert not BRAIN[0, 0, 0]
    lesion[0, 0, 0:64] = True
    assert row(2.0 * (lesion & BRAIN), lesion)["auprc"] < 0.95


def test_row_does_not_change_under_a_mirror_of_map_and_truth_and_does_under_one_of_them() -> None:
    lesion = lesion_mask()
    score = noisy(lesion)
    assert row(score[::-1], lesion[::-1]) == row(score, lesion)
    swapped = row(score, lesion_mask(side="right"))
    assert swapped["auprc"] < 0.1 < row(score, lesion)["auprc"]
    assert (swapped["found"], swapped["false"]) == (0, 1)
    assert swapped["dice"] == 0.0


def test_counts_hold_every_scored_voxel_once() -> None:
    lesion = lesion_mask()
    counts = np.array(row(noisy(lesion) - 0.1, lesion)["counts"])
    assert counts.shape == (2, len(POOLED_LEVELS) + 1)
    assert counts[1].sum() == lesion.sum()
    assert counts.sum() == (BRAIN | lesion).sum()


def test_levels_are_descending_and_hold_the_frozen_threshold_in_between() -> None:
    for levels in (FROC_LEVELS, POOLED_LEVELS):
        assert list(levels) == sorted(levels, reverse=True)
        assert levels[0] > 1.0 > levels[-1]


def test_healthy_scan_below_its_threshold_has_no_outline() -> None:
    below = healthy_row(0.99 * BRAIN, brain=BRAIN, **MM)
    assert (below["false"], below["volume_ml"]) == (0, 0.0)
    assert below["peak"] < 1.0
    above = healthy_row(noisy(lesion_mask()), brain=BRAIN, **MM)
    assert above["false"] == 1
    assert above["volume_ml"] == pytest.approx(lesion_mask().sum() * 0.216)


def test_torque_region_counts_only_what_lies_in_it() -> None:
    left, right = lesion_mask(), lesion_mask(side="right")
    found = torque_row(1.5 * left, truth=Truth.of(left | right), region=left, **MM)
    assert (found["lesions_inside"], found["found_inside"]) == (1, 1)
    assert (found["peak_inside"], found["peak_outside"]) == (1.5, 0.0)
    other = torque_row(1.5 * left, truth=Truth.of(left | right), region=right, **MM)
    assert (other["lesions_inside"], other["found_inside"]) == (1, 0)
    assert (other["peak_inside"], other["peak_outside"]) == (0.0, 1.5)


def test_parity_is_zero_for_a_map_that_follows_the_mirror_and_not_for_one_that_does_not() -> None:
    lesion = lesion_mask()
    score = noisy(lesion)
    equal = parity_row(score, score[::-1], lesion=lesion, brain=BRAIN)
    assert equal["parity"] == 0.0
    blind = parity_row(score, score, lesion=lesion, brain=BRAIN)  # marks the left whatever comes
    assert blind["parity"] > 0.5


def test_equal_sessions_agree_and_empty_outlines_have_no_dice() -> None:
    score = noisy(lesion_mask())
    equal = retest_row(score, score, brain=BRAIN)
    assert (equal["retest_dice"], equal["retest_icc"]) == (1.0, pytest.approx(1.0))
    assert retest_row(score, score[::-1], brain=BRAIN)["retest_dice"] == 0.0
    assert np.isnan(retest_row(0.1 * score, 0.1 * score, brain=BRAIN)["retest_dice"])


def test_facts_of_a_lesion_on_the_left() -> None:
    facts = lesion_facts(lesion_mask(), spacing_mm=6.0)
    assert facts["left_share"] == 1.0
    assert facts["volume_ml"] == pytest.approx(64 * 0.216)
    assert facts["midline_mm"] == pytest.approx((15.5 - 8.5) * 6.0)
    assert lesion_facts(lesion_mask(side="right"), spacing_mm=6.0)["left_share"] == 0.0


def test_maps_are_measured_in_thresholds() -> None:
    found = in_thresholds({"a": np.full(3, 4.0), "b": np.full(3, 4.0)}, {"a": 2.0, "b": 8.0})
    assert (found["a"][0], found["b"][0]) == (2.0, 0.5)
