"""Realised rates against promised ones, from peaks whose rank is known."""

import numpy as np
import pytest

from medsym.science.false_alarms import ALPHAS, calibration_curve
from tests.builders_case import flat_reference


def test_subjects_like_the_reference_are_flagged_as_promised() -> None:
    reference = flat_reference(maxima=999)
    peaks = np.random.default_rng(2).uniform(0.1, 99.9, 4000).tolist()
    curve = calibration_curve(reference, peaks)
    assert [p["alpha"] for p in curve["points"]] == list(ALPHAS)
    for point in curve["points"]:
        assert point["flagged"]["low"] <= point["alpha"] <= point["flagged"]["high"] + 0.002
        assert point["flagged"]["value"] == pytest.approx(point["alpha"], abs=0.02)
    thresholds = [p["threshold"] for p in curve["points"]]
    assert thresholds == sorted(thresholds, reverse=True)


def test_subjects_that_deviate_more_are_flagged_more() -> None:
    curve = calibration_curve(flat_reference(), [1000.0] * 9 + [0.0])
    known = [p for p in curve["points"] if p["flagged"] is not None]
    assert {p["flagged"]["hits"] for p in known} == {9}
    assert {p["flagged"]["of"] for p in known} == {10}


def test_rate_that_the_reference_is_too_small_for_is_not_promised() -> None:
    curve = calibration_curve(flat_reference(maxima=10), [0.5])
    points = {p["alpha"]: p for p in curve["points"]}
    assert points[0.05]["threshold"] is None  # needs 19 cases
    assert points[0.05]["flagged"] is None
    assert points[0.1]["threshold"] == pytest.approx(1.0)
    assert curve["calibration_cases"] == 10


def test_reaching_the_threshold_is_an_alarm_as_in_the_pipeline() -> None:
    threshold = float(flat_reference().threshold(0.05) or 0.0)
    curve = calibration_curve(flat_reference(), [threshold, np.nextafter(threshold, 0.0)])
    point = next(p for p in curve["points"] if p["alpha"] == 0.05)
    assert point["flagged"]["hits"] == 1
