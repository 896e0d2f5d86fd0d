"""Order, search, filters and status of the work list; words of readers on a record that is gone."""

import json
import math
from pathlib import Path

import pytest

from app.cohort import NUMBERS, WorklistRow, read_worklist
from app.reading import DISAGREE, EARLIER, STARTED, Status, select_rows, statuses
from app.results import compared_with, read_case, record_seal
from medsym.screening.reviews import Verdict, add_verdict, read_reviews
from tests.app.result_folder import build_folder

CASE = "sub-01_T1w"


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    root = tmp_path / "out"
    (root / "sub-01" / "anat").mkdir(parents=True)
    write_record(root, seal="a")
    return root


def write_record(root: Path, *, seal: str) -> None:
    path = root / "sub-01" / "anat" / f"{CASE}_case.json"
    path.unlink(missing_ok=True)
    path.write_text(json.dumps({"record_sha256": seal, "padding": seal * 9}))


def say(root: Path, reader: str, verdict: str, **about: int | str) -> None:
    words = {"case": CASE, "finding": None, "record_sha256": "a", **about}
    add_verdict(root, Verdict(reader=reader, verdict=verdict, **words))  # type: ignore[arg-type]


def status(root: Path) -> Status:
    return statuses(root, read_reviews(root).verdicts).get(CASE, Status())


def row(case: str, **about: object) -> WorklistRow:
    numbers = {**dict.fromkeys(NUMBERS, math.nan), "num_findings": about.pop("findings", math.nan)}
    words = {"file": case + ".nii.gz", "status": "assessed", "side": "", "remarks": "", **about}
    return WorklistRow(case=case, numbers=numbers, calibration="", finding_sides=(), **words)  # type: ignore[arg-type]


def test_the_rarest_comes_first_and_without_a_p_value_the_largest(tmp_path: Path) -> None:
    lines = ["case\tassessable\tp_value\tdeviation_max"]
    lines += ["a\ttrue\tn/a\t9", "b\ttrue\t0.5\t8", "c\ttrue\t0.01\t5", "d\ttrue\t0.01\t6"]
    (tmp_path / "screening.tsv").write_text("\n".join([*lines, "e\tfalse\t0.001\t99"]) + "\n")
    rows = read_worklist(tmp_path)
    assert [found.case for found in rows] == ["d", "c", "b", "a", "e"]
    assert math.isnan(rows[-1].numbers["p_value"])


def test_status_follows_the_last_word_of_every_reader(folder: Path) -> None:
    assert status(folder) == Status()
    say(folder, "Anna", "none", finding=1)
    assert status(folder) == Status()
    say(folder, "Anna", "accept", finding=1)
    assert status(folder).word == STARTED
    say(folder, "Anna", "accept")
    assert status(folder) == Status(word="accepted", readers=("Anna",))
    say(folder, "Ben", "reject")
    assert status(folder) == Status(word=DISAGREE, readers=("Anna", "Ben"))
    say(folder, "Ben", "none")
    assert status(folder) == Status(word="accepted", readers=("Anna",))


def test_what_was_said_of_other_results_is_not_read(folder: Path) -> None:
    say(folder, "Anna", "accept")
    assert record_seal(folder, CASE) == "a"
    write_record(folder, seal="bb")
    assert status(folder) == Status(word=EARLIER)


def test_filters_narrow_and_keep_the_order() -> None:
    rows = [row("sub-1", findings=2), row("sub-12", findings=0), row("sub-3", findings=1)]
    rows += [row("sub-21", status="not assessable"), row("", file="bad.nii.gz", status="refused")]
    read = {"sub-1": Status(word="accepted", readers=("Anna",)), "sub-3": Status(word=EARLIER)}

    def shown(search: str = "", *filters: str, reader: str = "") -> list[str]:
        found = select_rows(rows, search=search, filters=filters, read=read, reader=reader)
        return [item.case for item in found]

    assert shown() == ["sub-1", "sub-12", "sub-3", "sub-21", ""]
    assert shown(" SUB-1 ") == ["sub-1", "sub-12"]
    assert shown("bad") == [""]
    assert shown("", "With findings") == ["sub-1", "sub-3"]
    assert shown("", "With findings", "Unread") == ["sub-3"]
    assert shown("", "With findings", "Unread", reader="Ben") == ["sub-1", "sub-3"]
    assert shown("", "Not assessable") == ["sub-21"]


def test_a_record_names_its_calibration_and_an_old_one_has_none(tmp_path: Path) -> None:
    record = read_case(build_folder(tmp_path), CASE).record
    assert compared_with(record) == "site-a (80 healthy people)"
    drawn = {"name": "synthetic healthy reference", "kind": "synthetic", "n": 200}
    assert "drawn heads" in compared_with({"calibration": drawn})
    assert compared_with({}) == ""
