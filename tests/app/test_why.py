"""Why a finding was flagged: sides, counts of healthy heads, shares, and what was not recorded."""

import gzip
import json
from typing import Any

import pytest

from app.results import Case
from app.why import HEAD, NOT_RECORDED, ROUNDING, SOFT_TRUNK, percent, plain_number, why, why_body
from tests.app.result_folder import BASIS, case_record


def record(**calibration: Any) -> dict[str, Any]:
    found = case_record("sub-01_T1w", scan_hash="ab" * 32, assessable=True, files={})
    return found | {"calibration": found["calibration"] | calibration}


def explained(
    *, side: str = "left", p_value: float | None = 1 / 81, **basis: Any
) -> dict[str, Any]:
    case = record(kind="synthetic", n=80)
    finding = case["findings"][0] | {"side": side, "p_value": p_value, "basis": BASIS | basis}
    return why(finding, record=case)


@pytest.mark.parametrize(("side", "other"), [("left", "right"), ("right", "left")])
def test_the_sentence_names_the_patients_side_and_the_mirror_place(side: str, other: str) -> None:
    said = explained(side=side)["sentence"]
    assert said.startswith(
        f"Orange on the {side.upper()}: 8.0 SD more evidence of disease than at the mirror place "
        f"on the {other};"
    )
    assert f"on the {side};" not in said


@pytest.mark.parametrize(
    ("p_value", "words"),
    [
        (round(1 / 81, 6), "none of 80 drawn healthy heads shows as much anywhere (p = 0.013)"),
        (round(2 / 81, 6), "1 of 80 drawn healthy heads shows as much anywhere (p = 0.025)"),
        (round(9 / 81, 6), "8 of 80 drawn healthy heads show as much anywhere (p = 0.12)"),
        (0.02, "p = 0.02: the share of drawn healthy heads that show as much anywhere"),
        (None, "how often drawn healthy heads show as much is not known"),
    ],
)
def test_healthy_heads_are_counted_back_from_p(p_value: float | None, words: str) -> None:
    assert words in explained(p_value=p_value)["sentence"]


def test_people_are_called_people_and_a_missing_p_says_why() -> None:
    finding = record()["findings"][0] | {"p_value": 1 / 81}
    assert "80 healthy people" in why(finding, record=record())["sentence"]
    unknown = why(finding, record=record(kind=None))["sentence"]
    assert "80 cases of the calibration" in unknown
    assert "people" not in unknown
    few = record(reason="holds 18 of the 19 that are needed")
    assert "(holds 18 of the 19" in why(finding | {"p_value": None}, record=few)["sentence"]


def test_shares_make_one_and_a_strict_trunk_takes_no_part() -> None:
    found = explained(head_share=0.9995, rest_share=0.0005)
    assert sum(share for _, share, _ in found["layers"]) == pytest.approx(1.0)
    rows = {name: text for name, _, text in found["layers"]}
    assert rows["Layers before the head"] == "exactly 0"
    assert rows[HEAD].startswith("above 99.9 %")
    assert rows[ROUNDING].startswith("below 0.1 %")
    assert found["layers_words"].startswith("Only the head can take part")
    assert "0.000018 nats in this scan, measured" in found["layers_words"]


def test_a_soft_trunk_is_not_called_exact() -> None:
    found = explained(trunk="soft", head_share=0.25, rest_share=0.75)
    assert [name for name, _, _ in found["layers"]] == [HEAD, SOFT_TRUNK]
    assert sum(share for _, share, _ in found["layers"]) == pytest.approx(1.0)
    assert "exactly" not in found["layers_words"]


def test_measured_defect_is_said_and_a_single_pass_measures_none() -> None:
    assert "measured 0.0010 nats" in explained()["sentence"]
    single = explained(measured_defect=None)
    assert "was not measured" in single["sentence"]
    assert "assumed" in single["layers_words"]


def test_the_strip_holds_the_healthy_range_this_case_and_the_threshold() -> None:
    strip = explained(healthy_mean=-0.1, healthy_sd=0.25, regional_asymmetry=1.9)["strip"]
    assert strip["mean"] == -0.1
    assert strip["threshold"] == pytest.approx(-0.1 + 4.0 * 0.25)
    assert (strip["value"] - strip["mean"]) / strip["sd"] == pytest.approx(8.0)
    assert "two SD: -0.60 to +0.40" in strip["words"]


def test_a_mean_that_is_not_zero_is_not_called_the_mirror_place() -> None:
    said = explained(healthy_mean=1.0)["sentence"]
    assert "8.0 SD more evidence of disease than drawn healthy heads have there" in said
    assert "than at the mirror place" not in said


def test_a_narrow_healthy_range_is_not_written_as_nothing() -> None:
    strip = explained(healthy_mean=0.0, healthy_sd=0.002, regional_asymmetry=0.016)["strip"]
    assert "two SD: -0.0040 to +0.0040" in strip["words"]


def test_an_old_record_says_what_it_does_not_hold() -> None:
    old = record()["findings"][0]
    del old["basis"]
    found = why(old, record=record())
    assert (found["strip"], found["layers"]) == (None, [])
    assert found["layers_words"] == NOT_RECORDED
    assert "not recorded" in found["sentence"]


def test_the_body_holds_every_finding_by_rank_and_none_of_a_case_not_assessable(tmp_path) -> None:
    case = Case(name="sub-01_T1w", record=record(), root=tmp_path)
    assert sorted(json.loads(gzip.decompress(why_body(case)))) == ["1", "2"]
    assert why_body(case) == why_body(case)
    withheld = Case(name="x", record=record() | {"assessable": False}, root=tmp_path)
    assert json.loads(gzip.decompress(why_body(withheld))) == {}


@pytest.mark.parametrize(
    ("value", "text"),
    [
        (0.0, "below 0.000001"),
        (0.000018, "0.000018"),
        (0.013, "0.013"),
        (11.83, "12"),
        (2.0, "2.0"),
    ],
)
def test_small_numbers_keep_two_figures_without_exponent(value: float, text: str) -> None:
    assert plain_number(value) == text


def test_percent_never_calls_a_part_everything() -> None:
    assert [percent(s) for s in (0.0, 0.0004, 0.25, 0.9996, 1.0)] == [
        *("0 %", "below 0.1 %", "25 %", "above 99.9 %", "100 %")
    ]
