"""Honest probabilities have no calibration error; exaggerated ones have exactly theirs."""

from typing import Any

import numpy as np
import pytest

from medsym.science.reliability import ALL_BINS, LIKELY_BINS, ReliabilityCollector
from tests.science.builders import SHAPE, brain_mask, seen

PRIOR = 0.01


def collected(*, factor: float = 1.0, subjects: int = 6, lesions: bool = True) -> Any:
    """Subjects whose voxels are lesion with a known chance; the model states factor times it."""
    random = np.random.default_rng(4)
    collector = ReliabilityCollector(prior=PRIOR)
    for _ in range(subjects):
        chance = random.uniform(0.0, 0.5, SHAPE) ** 2
        lesion = (random.uniform(size=SHAPE) < chance) & brain_mask() & lesions
        collector.add(seen(lesion=lesion, pathology=factor * chance))
    return collector.finish()


def test_honest_probabilities_are_reliable() -> None:
    numbers = collected()
    for kind in ("all", "likely"):
        assert numbers[kind]["calibration_error"]["value"] < 0.01
        ratio = numbers[kind]["expected_over_observed"]
        assert ratio["low"] < 1.0 < ratio["high"]
    for row in numbers["likely"]["bins"]:
        assert row["frequency"]["value"] == pytest.approx(row["probability"], abs=0.03)


def test_doubled_probabilities_are_wrong_by_the_prevalence() -> None:
    numbers = collected(factor=2.0)
    everything = numbers["all"]
    assert everything["expected_over_observed"]["value"] == pytest.approx(2.0, rel=0.05)
    expected = everything["prevalence"]["value"]  # mean of 2 p - p
    assert everything["calibration_error"]["value"] == pytest.approx(expected, rel=0.05)
    low = everything["calibration_error"]["low"]
    assert 0.0 < low <= everything["calibration_error"]["value"]


def test_bins_hold_equally_many_voxels_and_all_of_them() -> None:
    numbers = collected()
    for kind, number in (("all", ALL_BINS), ("likely", LIKELY_BINS)):
        counts = [row["voxels"] for row in numbers[kind]["bins"]]
        assert len(counts) == number
        assert max(counts) - min(counts) <= 0.01 * max(counts) + 2
        assert sum(counts) == numbers[kind]["voxels"]
    assert numbers["all"]["voxels"] == 6 * int(brain_mask().sum())
    assert sum(numbers["histogram"]["voxels"]) == numbers["all"]["voxels"]
    assert numbers["likely"]["voxels"] < numbers["all"]["voxels"]


def test_voxels_are_not_chosen_by_their_truth() -> None:
    lesion = (np.arange(SHAPE[0]) < 12)[:, None, None] & np.ones(SHAPE, dtype=bool)
    collector = ReliabilityCollector(prior=PRIOR)
    collector.add(seen(lesion=lesion, pathology=np.zeros(SHAPE)))
    numbers = collector.finish()
    inside = int((lesion & brain_mask()).sum())
    assert numbers["all"]["voxels"] == int(brain_mask().sum())
    assert numbers["all"]["lesion_voxels"] == inside
    assert numbers["lesion_voxels_beyond_mask"] == int(lesion.sum()) - inside > 0


def test_without_any_lesion_the_ratio_is_undefined_and_nothing_fails() -> None:
    numbers = collected(lesions=False)
    assert numbers["all"]["lesion_voxels"] == 0
    assert numbers["subjects_with_lesion"] == 0
    assert not np.isfinite(numbers["all"]["expected_over_observed"]["value"])
