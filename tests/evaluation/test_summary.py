"""From rows to tables: pairing, empty subjects, ratios and what is left undefined."""

from typing import Any

import pytest

from medsym.evaluation.columns import Columns, flagged, group_weights, resampled
from medsym.evaluation.scoring import FROC_LEVELS
from medsym.evaluation.summary import summarise_condition, summarise_pairs, summarise_torque

LEVELS = len(FROC_LEVELS)


def diseased(auprc: float, *, found: int = 1, peak: float = 2.0) -> dict[str, Any]:
    scores = {"auprc": auprc, "dice": auprc, "dice_peak": auprc, "oracle_dice": auprc}
    scores |= {"found": found, "false": 0, "peak": peak}
    scores |= {"froc_found": [found] * LEVELS, "froc_false": [0] * LEVELS}
    return {"facts": {"lesions": 1, "prevalence": 0.1}, "methods": {"m": scores}}


def healthy(peak: float, *, false: int = 0) -> dict[str, Any]:
    row = {"peak": peak, "false": false, "froc_false": [false] * LEVELS}
    return {"facts": {"lesions": 0}, "methods": {"m": row}}


def test_statistics_of_a_method_that_separates_everybody() -> None:
    lesions = Columns.of([diseased(0.4), diseased(0.8, found=0), {"empty": True}])
    well = Columns.of([healthy(0.5), healthy(0.7)])
    weights, healthy_weights = group_weights(lesions, well)
    found = resampled(
        "m", lesions=lesions, healthy=well, weights=weights, healthy_weights=healthy_weights
    )
    at = {name: float(values[0]) for name, values in found.items()}
    assert len(lesions) == 2
    assert at["auprc"] == pytest.approx(0.6)
    assert at["lesions_found"] == at["found_at_0.5"] == 0.5
    assert at["subject_auroc"] == at["sensitivity_at_95%"] == 1.0
    assert at["lesion_f1"] == pytest.approx(2 / 3)


def test_healthy_at_the_threshold_are_flagged() -> None:
    found = flagged(Columns.of([healthy(0.99), healthy(1.0), healthy(1.01), healthy(0.2)]), "m")
    assert (found["hits"], found["of"]) == (2, 4)


def test_condition_is_paired_with_the_same_subjects_and_skips_pairs_with_an_empty_one() -> None:
    standard = [diseased(0.5), diseased(0.9), diseased(0.3)]
    now = [diseased(0.4), {"empty": True}, diseased(0.1)]
    found = summarise_condition(
        Columns(tuple(now)),
        Columns.of([healthy(1.5), healthy(0.5)]),
        standard=standard,
        standard_healthy=[healthy(0.5), healthy(0.5)],
        methods=["m"],
    )
    row = found["methods"]["m"]
    assert found["subjects"] == 2
    assert row["auprc"]["value"] == pytest.approx(0.25)
    assert row["change"]["value"] == pytest.approx((-0.1 - 0.2) / 2)
    assert row["change"]["low"] >= -0.2 - 1e-9
    assert (row["flagged"]["hits"], row["flagged_standard"]["hits"]) == (1, 0)


def test_lesions_in_the_torque_region_are_counted_against_the_reference() -> None:
    def row(**found: int) -> dict[str, Any]:
        inside = {"lesions_inside": 2, "peak_inside": 1.2, "peak_outside": 0.3}
        return {"methods": {m: inside | {"found_inside": n} for m, n in found.items()}}

    rows = Columns((row(soft=2, strict=1), row(soft=1, strict=1)))
    found = summarise_torque(rows, rows, methods=["soft", "strict"], reference="strict")
    assert found["lesions_inside"] == 4
    assert found["methods"]["soft"]["found_inside"]["value"] == pytest.approx(0.75)
    assert found["methods"]["soft"]["relative"]["value"] == pytest.approx(1.5)
    assert found["methods"]["strict"]["relative"]["low"] == pytest.approx(1.0)
    assert found["methods"]["soft"]["flagged_inside"]["value"] == 1.0
    assert found["methods"]["soft"]["flagged_outside"]["value"] == 0.0


def test_sessions_without_any_mark_have_no_dice_and_are_counted() -> None:
    def session(dice: float | None, peak: float) -> dict[str, Any]:
        row = {"retest_dice": dice, "retest_icc": 0.5, "peak": peak, "peak_again": peak + 0.1}
        return {"methods": {"m": row}}

    retest = Columns((session(None, 0.2), session(0.8, 2.0), session(0.6, 3.0)))
    found = summarise_pairs(Columns(()), retest, methods=["m"])["methods"]["m"]
    assert found["retest_dice"]["value"] == pytest.approx(0.7)
    assert found["retest_marked"] == 2
    assert found["retest_peak_icc"] > 0.9
    assert "parity" not in found
