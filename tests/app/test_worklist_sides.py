"""The work list says of sides what the reports say: those of the findings, and of all of them."""

import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medsym.screening.case_words import headline
from medsym.screening.table import COLUMNS, screening_row, tsv
from tests.app.result_folder import case_record
from tests.app.test_pages import MAIN

pytestmark = pytest.mark.filterwarnings("default")
#: Sides of findings -> what is said; the largest voxel of all these cases is on the right.
SAID = {
    "left": "LEFT higher than RIGHT",
    "right": "RIGHT higher than LEFT",
    "left,left": "LEFT higher than RIGHT",
    "right,left,left": "LEFT higher than RIGHT at 2 places; RIGHT higher than LEFT at 1 place",
    "left,right": "LEFT higher than RIGHT at 1 place; RIGHT higher than LEFT at 1 place",
}


def record_of(sides: str) -> dict[str, Any]:
    """A record whose case is called as its findings lie."""
    found = case_record(sides or "none", scan_hash="ab" * 32, assessable=True, files={})
    leading = found["findings"][0]
    findings = [leading | {"side": side} for side in sides.split(",") if sides]
    return found | {"findings": findings}


def shown(folder: Path, monkeypatch: pytest.MonkeyPatch, *, columns: list[str]) -> dict[str, str]:
    """Case -> what the work list says of its side, of a table with some columns."""
    rows = [screening_row(record_of(sides)) for sides in ("", *SAID)]
    (folder / "screening.tsv").write_text(tsv(rows, columns=columns))
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    pages = AppTest.from_file(str(MAIN), default_timeout=60).run()
    assert not pages.exception
    return dict(pages.dataframe[0].value.set_index("Case")["Side"])


def test_the_work_list_names_the_sides_of_the_findings_as_the_index_does(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    said = shown(tmp_path, monkeypatch, columns=list(COLUMNS))
    assert said == {"none": "largest on the right", **SAID}
    assert {sides: headline(record_of(sides)) for sides in SAID} == SAID


def test_an_older_table_names_no_side_as_higher(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    older = [column for column in COLUMNS if column != "finding_sides"]
    said = shown(tmp_path, monkeypatch, columns=older)
    assert set(said.values()) == {"largest on the right"}
