"""A p-value, rate, bound or threshold that is written or printed is never smaller than it is."""

import json
from collections.abc import Callable
from pathlib import Path

import numpy as np
import pytest

from app.why import why
from medsym.screening.records import plain
from medsym.screening.report import _environment
from medsym.screening.table import tsv
from medsym.upwards import (
    UPWARDS,
    beside_threshold,
    bound_text,
    p_text,
    percent_text,
    rounded_up,
    threshold_text,
)
from tests.app.browser_modules import answer_of
from tests.app.result_folder import BASIS

#: p-values k / (n + 1), and rates; 6/119 and 21/2001 lie just above 0.05 and 0.0105.
P_VALUES = [6 / 119, 21 / 2001, 11 / 1047, 7 / 138, 0.05, 0.07, 1 / 3, 1.0, 0.1, 0.001, 1 / 2001]
#: (threshold, what may reach it): to the nearest decimal, half of these pairs would change places.
PAIRS = [
    (6.145522, 6.16),
    (6.145522, 6.145522),
    (6.17, 6.16),
    (6.14, 6.13),
    (3.0, 2.99),
    (3.0, 3.0),
]
PAIRS += [(4.911, 4.95), (4.911, 4.9), (0.6, 0.58), (10 * (0.1 + 0.2), 3.01), (0.05, -7.0)]
RATES = [0.001, 0.004, 0.014, 0.025, 0.05, 0.07, 0.1, 1 / 30, 0.29, 1e-7]


def test_no_bound_is_printed_or_recorded_smaller_than_it_is() -> None:
    bounds = 10.0 ** np.random.default_rng(0).uniform(-8, 2, 500)
    for bound in map(float, bounds):
        assert float(bound_text(bound)) >= bound
        assert float(bound_text(bound)) <= 1.11 * bound + 1e-6
        record = plain({"bound": bound, "summary": {"bound_max": np.float32(bound)}})
        assert record["bound"] >= bound
        assert record["summary"]["bound_max"] >= np.float32(bound)
        assert rounded_up(record["bound"], decimals=6) == record["bound"]


def test_other_numbers_of_a_record_are_rounded_as_before() -> None:
    files = {"bound": {"path": "a", "sha256": "b"}}
    record = {"files": files, "asymmetry": 1.0000001, "bound_max": None}
    assert plain(record) == {**record, "asymmetry": 1.0}


@pytest.mark.parametrize(("bound", "said"), [(0.01449, "0.015"), (0.0, "below 0.000001")])
def test_the_panel_why_says_at_most_and_means_it(bound: float, said: str) -> None:
    numbers = {"volume_ml": 1.0, "deviation": 5.0, "asymmetry": 1.0, "bound": bound}
    found = why({"side": "left", "p_value": None, **numbers}, record={})
    assert f"at most {said} nats here" in found["sentence"]
    assert ("Bound here", f"{said} nats") in found["rows"]


@pytest.mark.parametrize(
    ("text", "scale", "values"), [(p_text, 1, P_VALUES), (percent_text, 100, RATES)]
)
def test_no_p_value_or_rate_is_printed_smaller_than_it_is(
    text: Callable[[float], str], scale: int, values: list[float]
) -> None:
    for value in [*values, *np.random.default_rng(0).uniform(1e-4, 1, 300)]:
        shown = float(text(value)) / scale
        assert value <= shown * (1 + 1e-12)
        assert shown <= 1.11 * value + 1e-5
    assert [p_text(value) for value in (0.05, 6 / 119, 1.0)] == ["0.05", "0.051", "1"]
    assert [percent_text(rate) for rate in (0.001, 0.07, 0.05)] == ["0.1", "7", "5"]


def test_the_browser_prints_the_same_p_values_and_rates(tmp_path: Path) -> None:
    given = json.dumps({"p": P_VALUES, "rates": RATES})
    script = f"""
        import {{ percentUp }} from "./upwards.js";
        import {{ pText }} from "./readout.js";
        const given = {given};
        answer({{ p: given.p.map(pText), rates: given.rates.map(percentUp) }});
    """
    said = answer_of(script, folder=tmp_path)
    assert said["p"] == [p_text(value) for value in P_VALUES]
    assert said["rates"] == [percent_text(rate) for rate in RATES]


def test_reports_and_the_panel_why_print_by_the_same_rule() -> None:
    page = _environment().from_string("{{ p | p }}, at most {{ rate | percent }} %")
    assert page.render(p=6 / 119, rate=0.001) == "0.051, at most 0.1 %"
    numbers = {"volume_ml": 1.0, "deviation": 5.0, "asymmetry": 1.0, "bound": 0.1}
    record = {"threshold": {"peak_sd": 4.0, "false_alarm_rate": 0.0010001}}
    found = why({"side": "left", "p_value": 0.0504, **numbers}, record=record)
    assert "p = 0.051" in found["sentence"]
    assert ("p", "0.051") in found["rows"]
    assert any("(at most 0.101 %" in text for _, text in found["rows"])


def test_tables_and_records_keep_what_is_rounded_up() -> None:
    values = dict.fromkeys(sorted(UPWARDS), 19.3655624390)
    record = plain(values)
    assert set(record.values()) == {19.365563}
    header, line = tsv([record], columns=list(record)).splitlines()
    assert header.split("\t") == list(record)
    assert set(map(float, line.split("\t"))) == {19.365563}
    assert tsv([{"bound_max": 6.145522, "p_value": None}], columns=["bound_max", "p_value"]) == (
        "bound_max\tp_value\n6.145522\tn/a\n"
    )
    assert plain({"rounding_max": 0.0000152588})["rounding_max"] == 0.000016


def test_a_threshold_is_printed_no_smaller_and_what_is_beside_it_on_its_own_side() -> None:
    rng = np.random.default_rng(0)
    near = [
        (t, t + gap) for t, gap in zip(rng.uniform(1, 9, 300), rng.normal(0, 0.1, 300), strict=True)
    ]
    for threshold, value in [*PAIRS, *near]:
        for step, decimals in ((0.1, 1), (0.01, 2)):
            least = float(threshold_text(threshold, decimals=decimals))
            shown = float(beside_threshold(value, threshold, decimals=decimals))
            assert threshold - 1e-9 <= least < threshold + step
            assert (shown >= least) == (value >= threshold)
            assert abs(shown - value) <= step + 1e-9
    assert beside_threshold(6.16, None) == beside_threshold(6.16, 9.0) == "6.2"
    assert beside_threshold(None, 9.0) == "-"


def test_the_browser_prints_the_same_thresholds_and_what_is_beside_them(tmp_path: Path) -> None:
    script = f"""
        import {{ besideThreshold, thresholdUp }} from "./upwards.js";
        answer({json.dumps(PAIRS)}.map(([t, v]) => [thresholdUp(t, 1), besideThreshold(v, t, 1)]));
    """
    said = answer_of(script, folder=tmp_path)
    assert said == [[threshold_text(t), beside_threshold(value, t)] for t, value in PAIRS]


def test_the_panel_why_prints_a_threshold_that_its_finding_reaches() -> None:
    basis = {**BASIS, "healthy_mean": 0.0, "healthy_sd": 0.1, "regional_asymmetry": 0.493}
    numbers = {"volume_ml": 1.0, "deviation": 4.93, "asymmetry": 1.0, "bound": 0.1, "basis": basis}
    record = {"threshold": {"peak_sd": 4.911, "false_alarm_rate": 0.05}}
    found = why({"side": "left", "p_value": 0.05, **numbers}, record=record)
    rows = dict(found["rows"])
    assert (rows["Deviation"], rows["Threshold"].split(" (")[0]) == ("5.0 SD", "5.0 SD")
    assert "Orange on the LEFT: 5.0 SD more" in found["sentence"]
    assert "This case: +0.50 nats, 5.0 SD" in found["strip"]["words"]
    assert found["strip"]["words"].endswith("Threshold: +0.50 nats, 5.0 SD.")
