"""Tables: numbers stay numbers, text cannot become a formula or break a row."""

import json

import pytest

from medsym.screening.records import plain
from medsym.screening.table import COLUMNS, cell, read_failures, tsv, with_q_values, write_tables

CASE = {
    "case": "sub-1_T1w",
    "scan": {"file": "=cmd|' /C calc'!A0.nii"},
    "assessable": True,
    "reasons": [],
    "midplane": {"score": 0.71},
    "findings": [{"side": "right"}, {"side": "left"}],
    "calibration": {"name": "people of this site", "group": None},
    "summary": {"deviation_max": 5.25, "deviation_side": "left", "bound_max": -1e-9},
}


@pytest.mark.parametrize("text", ["=1+1", "+1", "-1x", "@SUM(A1)", "\tx"])
def test_text_cannot_become_a_formula(text: str) -> None:
    assert cell(text)[0] not in "=+-@\t"


def test_negative_numbers_stay_numbers() -> None:
    assert float(cell(-2.5)) == -2.5
    assert cell(-3) == "-3"
    assert cell(True) == "true"
    assert cell(float("nan")) == cell(None) == cell("") == "n/a"


def test_a_cell_cannot_break_its_row() -> None:
    text = tsv([{"a": "x\ty\nz", "b": 1}], columns=("a", "b"))
    assert text == "a\tb\nx y z\t1\n"


def test_tables_of_a_folder(tmp_path) -> None:
    failure = {"file": "-x\n.nii", "case": "sub-x", "code": "MS-101", "cause": "cut", "fix": "copy"}
    write_tables(tmp_path, records=[CASE], failures=[failure])
    header, row = (tmp_path / "screening.tsv").read_text().splitlines()
    assert tuple(header.split("\t")) == COLUMNS
    values = dict(zip(header.split("\t"), row.split("\t"), strict=True))
    assert values["file"].startswith("'=cmd")
    assert values["deviation_max"] == "5.25"
    assert values["deviation_side"] == "left"
    assert values["num_findings"] == "2"
    assert values["finding_sides"] == "right,left"
    assert json.loads((tmp_path / "screening.json").read_text())["cases"][0]["case"] == "sub-1_T1w"
    assert read_failures(tmp_path / "failures.tsv")[0] == {**failure, "file": "'-x .nii"}
    described = json.loads((tmp_path / "dataset_description.json").read_text())
    assert described["DatasetType"] == "derivative"
    assert "Research use only" in described["ResearchUseOnly"]


def test_every_case_with_a_p_value_has_the_q_value_of_its_cohort() -> None:
    p = {"a": 0.01, "b": 0.02, "c": None, "d": 0.9}
    rows = with_q_values([{"case": case, "p_value": value} for case, value in p.items()])
    found = [row["q_value"] for row in rows]
    assert found[2] is None
    assert [found[0], found[1], found[3]] == pytest.approx([0.03, 0.03, 0.9])


@pytest.mark.parametrize(
    ("use", "said"),
    [
        ({}, "n/a"),
        ({"warning": "unlike"}, "unlike"),
        ({"reason": "too few", "warning": "unlike"}, "no p-value: too few; unlike"),
    ],
)
def test_what_speaks_against_a_p_value_stands_beside_it(tmp_path, use, said: str) -> None:
    record = {**CASE, "calibration": {**CASE["calibration"], **use}}
    write_tables(tmp_path, records=[record], failures=[])
    header, row = (tmp_path / "screening.tsv").read_text().splitlines()
    assert dict(zip(header.split("\t"), row.split("\t"), strict=True))["warning"] == said


def test_a_table_that_someone_edited_is_read_by_its_header(tmp_path) -> None:
    (tmp_path / "failures.tsv").write_bytes(b"code\tfile\nMS-101\tM\xfcller.nii\n\n")
    (row,) = read_failures(tmp_path / "failures.tsv")
    assert (row["code"], row["case"], row["fix"]) == ("MS-101", "", "")


def test_records_hold_plain_finite_numbers() -> None:
    import numpy as np

    assert plain({"a": np.float32("nan"), "b": (np.int64(3), 1.23456789), "c": None}) == {
        "a": None,
        "b": [3, 1.234568],
        "c": None,
    }
