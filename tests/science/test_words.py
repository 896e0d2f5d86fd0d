"""Sentences say what the numbers say: nothing learned is called nothing."""

from typing import Any

import pytest

from medsym.science import words
from medsym.science.false_alarms import calibration_curve
from tests.builders_case import flat_reference
from tests.science.test_reliability import collected


def estimate(value: float) -> dict[str, float]:
    return {"value": value, "low": 0.9 * value, "high": 1.1 * value}


def tolerance(*, zero: bool, side: str = "left") -> dict[str, Any]:
    size = 1e-6 if zero else 0.4
    return {
        **{name: estimate(size) for name in ("mean", "left", "right", "left_minus_right")},
        "subjects": 12,
        "largest_of_mean_map": 2 * size,
        "largest_voxel": 3 * size,
        "largest_at": {"side": side},
        "practically_zero": zero,
    }


@pytest.mark.parametrize("side", ["left", "right"])
def test_tolerance_names_its_side_and_whether_there_is_any(side: str) -> None:
    said = " ".join(words.tolerance_words(tolerance(zero=False, side=side), soft_head=True))
    assert f"on the patient's {side}" in said
    assert "practically zero" not in said
    zero = words.tolerance_words(tolerance(zero=True), soft_head=True)
    assert "practically zero everywhere" in zero[0]
    (none,) = words.tolerance_words(tolerance(zero=True), soft_head=False)
    assert "exactly zero" in none


def layer(path: str, high: float, *, learned: bool) -> dict[str, Any]:
    return {"path": path, "low": 0.0, "high": high, "learned": learned, "odd_share": 0.0}


def test_softness_says_exact_fixed_or_learned() -> None:
    exact = [layer("a", 0.0, learned=False)]
    found = {"where": "head", "exact": True, "learned": False, "layers": exact}
    assert "its backbone is exact" in words.softness_words(found)
    assert "Only its head is soft" in words.softness_words(found)
    assert "Only its head" not in words.softness_words({**found, "where": "none"})
    fixed = [layer("a", 1.0, learned=False)]
    free = {"where": "free", "exact": False, "learned": False, "layers": fixed}
    assert "was not learned" in words.softness_words(free)
    both = [layer("a", 0.1, learned=True), layer("b", 0.3, learned=True)]
    soft = {"where": "encoder", "exact": False, "learned": True, "layers": both}
    assert "the largest is 0.3, in b" in words.softness_words(soft)


def test_alarms_are_counted_and_impossible_promises_are_named() -> None:
    curve = calibration_curve(flat_reference(), [0.0] * 38 + [99.0] * 2)
    assert "at a promised rate of 5%, 2 of 40 (5.0 % [" in words.alarm_words(
        "elderly", curve, alpha=0.05
    )
    few = calibration_curve(flat_reference(maxima=5), [1.0])
    assert "too few" in words.alarm_words("elderly", few, alpha=0.05)


def test_reliability_without_lesions_says_nothing_else() -> None:
    assert len(words.reliability_words(collected())) == 3
    (said,) = words.reliability_words(collected(lesions=False))
    assert "nothing can be said" in said


def test_undefined_numbers_are_words() -> None:
    nothing = float("nan")
    assert words.interval_words({"value": nothing, "low": 0.0, "high": 0.0}) == "not defined"
    assert words.interval_words({"value": 0.5, "low": nothing, "high": nothing}) == "0.5"
    assert words.interval_words(estimate(0.5), sign=True) == "+0.5 [+0.45, +0.55]"


@pytest.mark.parametrize(
    ("low", "high", "words_"),
    [
        (0.1, 0.3, "larger where the natural torque is larger"),
        (-0.3, -0.1, "larger where the natural torque is smaller"),
        (-0.1, 0.3, "not shown to follow the natural torque"),
    ],
)
def test_direction_of_a_correlation_is_said_only_if_there_is_a_tolerance(
    low: float, high: float, words_: str
) -> None:
    found = {"value": (low + high) / 2, "low": low, "high": high}
    both = {"torque_mm": found, "asymmetry": found}
    structures = {"rows": [{}], "correlation": both}
    for zero in (False, True):
        atlas = {**tolerance(zero=zero), "places_compared": 9, "correlation": both}
        said = words.correlation_words(atlas, structures)[0]
        assert "over 9 places" in said
        assert (words_ in said) == (not zero)
