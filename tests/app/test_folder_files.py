"""A result folder that others can write: bad files are refused in words, and the list goes on."""

import json
import os
from pathlib import Path

import pytest

from app.cohort import read_worklist
from app.folder_files import MAX_JSON_BYTES, MAX_TABLE_BYTES, read_case_record, read_table
from app.results import case_file, map_path, read_case
from app.thumbnails import forget_thumbnails, thumbnail
from app.viewer.payload import case_payload
from medsym.errors import OutputError
from tests.app.result_folder import case_record

CASE = "sub-01_T1w"


@pytest.fixture
def place(tmp_path: Path) -> Path:
    """Where the record of the only case lies."""
    forget_thumbnails()
    folder = tmp_path / "sub-01" / "anat"
    folder.mkdir(parents=True)
    return folder / f"{CASE}_case.json"


def good() -> dict[str, object]:
    """A record as it should be."""
    return case_record(CASE, scan_hash="ab", assessable=True, files={})


def finding(**about: object) -> dict[str, object]:
    """The changes that spoil the first finding."""
    return {"findings": [good()["findings"][0] | about]}  # type: ignore[index]


@pytest.mark.parametrize(
    "change",
    [
        *({"files": []}, {"files": "x"}, {"files": {"thumbnail": "x"}}),
        *({"files": {"thumbnail": {}}}, {"files": {"thumbnail": {"path": 7}}}),
        *({"findings": {}}, {"findings": ["x"]}, finding(basis=[1]), finding(deviation="8")),
        *(finding(peak_mm=[1, 2]), finding(peak_mm=["a", 1, 2]), finding(bound=None)),
        *({"reasons": "x"}, {"scan": [1]}, {"grid": {"spacing_mm": "x"}}, {"summary": "x"}),
        *({"mirror_world": [[1]]}, {"mirror_world": "x"}, {"grid": {"spacing_mm": 0}}),
        *({"threshold": {"peak_sd": "x"}}, {"threshold": {"extent_sd": 1e300}}),
        *({"threshold": 0}, {"summary": {"deviation_max_mm": [1]}}, finding(p_value="x")),
        *({"calibration": "x"}, {"midplane": {"normal": "x"}}, {"options": [1]}, {"model": "x"}),
    ],
    ids=json.dumps,
)
def test_what_is_no_record_of_a_case_is_refused(place: Path, change: dict[str, object]) -> None:
    root = place.parents[2]
    place.write_text(json.dumps(good()))
    assert read_case(root, CASE).assessable
    place.write_text(json.dumps(good() | change))
    with pytest.raises(OutputError, match="MS-164"):
        read_case(root, CASE)
    assert thumbnail(root, CASE) is None


def test_parts_that_are_null_are_missing_parts(place: Path) -> None:
    parts = dict.fromkeys(("threshold", "calibration", "findings", "scan", "files", "options"))
    place.write_text(json.dumps(good() | parts))
    case = read_case(place.parents[2], CASE)
    assert not parts.keys() & case.record.keys()
    assert case_payload(case, volumes={}, web="", finding=None)["findings"] == []


def test_nested_endless_and_broken_records_are_refused(place: Path) -> None:
    for content in (b"[" * 100_000, b"\xff\xfe", b"{", b'{"a": 1' + b"0" * 5000 + b"}"):
        place.write_bytes(content)
        with pytest.raises(OutputError, match="MS-164"):
            read_case_record(place)
    with place.open("wb") as stream:
        stream.truncate(MAX_JSON_BYTES + 1)
    with pytest.raises(OutputError, match="MS-164"):
        read_case_record(place)


def test_a_pipe_in_place_of_a_record_is_not_waited_for(place: Path) -> None:
    os.mkfifo(place)
    assert case_file(place.parents[2], CASE) is None
    with pytest.raises(OutputError, match="MS-164"):
        read_case_record(place)


@pytest.mark.parametrize("name", ["a\0b", "a" * 5000, "\ud800"])
def test_names_that_no_file_can_have_are_missing_files(place: Path, name: str) -> None:
    root = place.parents[2]
    place.write_text(json.dumps(good() | {"files": {"thumbnail": {"path": name}}}))
    (root / "logs").mkdir()
    (root / "logs" / "sources.json").write_text(json.dumps({CASE: "/" + name}))
    case = read_case(root, CASE)
    assert case.scan_path is None
    with pytest.raises(OutputError, match="MS-162"):
        map_path(case, "thumbnail")
    assert thumbnail(root, CASE) is None


def test_one_bad_row_hides_no_other_scan(tmp_path: Path) -> None:
    rows = [b"case\tfile\tassessable\tp_value", b"sub-1\ta.nii\ttrue\t0.5", b"sub-2\t\xff\xfe"]
    rows += [b"sub-3\t" + b"x" * 140_000 + b"\ttrue\t1e999\tmore\tthan\tcolumns", b'"sub-4']
    (tmp_path / "screening.tsv").write_bytes(b"\r\n".join(rows) + b"\n")
    found = read_worklist(tmp_path)
    assert {row.case for row in found} == {"sub-1", "sub-2", "sub-3", '"sub-4'}
    assert found[0].case == "sub-1"


def test_an_endless_table_is_refused_and_an_empty_one_has_no_rows(tmp_path: Path) -> None:
    table = tmp_path / "screening.tsv"
    table.touch()
    assert read_table(table) == []
    with table.open("wb") as stream:
        stream.truncate(MAX_TABLE_BYTES + 1)
    with pytest.raises(OutputError, match="MS-686"):
        read_worklist(tmp_path)
