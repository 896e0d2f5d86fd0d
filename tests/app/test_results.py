"""Reading a result folder: order, refusals, nothing from outside, nothing that has changed."""

import json
import math
from pathlib import Path

import pytest

from app import results
from app.cohort import read_worklist
from app.results import map_path, read_case
from app.viewer.payload import case_payload
from app.viewer.preparing import case_volumes
from medsym.errors import MedsymError, OutputError
from tests.app.result_folder import MARKER_MM, WITHIN_MM, build_folder


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tmp_path_factory.mktemp("results"))


def case_file(root: Path) -> Path:
    return next(root.glob("sub-01/anat/*_case.json"))


def test_worklist_puts_the_largest_deviation_first_and_refused_scans_last(folder: Path) -> None:
    rows = read_worklist(folder)
    assert [row.status for row in rows] == ["assessed", "assessed", "not assessable", "refused"]
    assert [row.case for row in rows] == ["sub-02_FLAIR", "sub-01_T1w", "sub-03_T1w", ""]
    assert "truncated" in rows[-1].remarks


def test_a_scan_that_is_not_assessable_has_no_number(folder: Path) -> None:
    row = read_worklist(folder)[2]
    assert math.isnan(row.numbers["deviation_max"])
    assert math.isnan(row.numbers["pathology_ml"])
    assert row.side == ""
    case = read_case(folder, "sub-03_T1w")
    assert set(case_volumes(case)) == {"scan"}
    assert case_payload(case, volumes={}, web="", finding=1)["findings"] == []


def test_case_names_structures_and_volumes(folder: Path) -> None:
    case = read_case(folder, "sub-01_T1w")
    assert case.structures == {1: "Left-Cerebrum", 2: "Right-Cerebrum"}
    assert set(case_volumes(case)) == {
        *("scan", "deviation", "asymmetry", "bound", "pathology", "anatomy")
    }


def test_payload_starts_at_the_finding_that_was_asked_for(folder: Path) -> None:
    case = read_case(folder, "sub-01_T1w")
    starts = {
        rank: case_payload(case, volumes={}, web="", finding=rank)["crosshair_mm"]
        for rank in (None, 1, 2, 99)
    }
    assert starts[None] == starts[1] == starts[99] == list(MARKER_MM)
    assert starts[2] == list(WITHIN_MM)
    json.dumps(case_payload(case, volumes={}, web="", finding=None))


@pytest.mark.parametrize("name", ["sub-99_T1w", "../sub-01_T1w", "*", "", "sub-01_T1w\n"])
def test_unknown_case_is_refused_by_name(folder: Path, name: str) -> None:
    with pytest.raises(OutputError, match=r"MS-161 .*no such case"):
        read_case(folder, name)


def test_folder_without_a_table_is_refused(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"MS-160 .*--out of medsym screen"):
        read_worklist(tmp_path)


def test_changed_map_is_refused(tmp_path: Path) -> None:
    root = build_folder(tmp_path)
    path = next(root.glob("sub-01/anat/*deviation*"))
    path.write_bytes(path.read_bytes() + b"0")
    with pytest.raises(OutputError, match="MS-163"):
        case_volumes(read_case(root, "sub-01_T1w"))


def test_changed_scan_is_refused(tmp_path: Path) -> None:
    root = build_folder(tmp_path)
    other = tmp_path / "scans" / "sub-03_T1w.nii.gz"
    scan = tmp_path / "scans" / "sub-01_T1w.nii.gz"
    other.replace(scan)
    record = json.loads(case_file(root).read_text())
    record["scan"]["sha256"] = "0" * 64
    case_file(root).write_text(json.dumps(record))
    with pytest.raises(OutputError, match=r"MS-165 .*changed since it was screened"):
        case_volumes(read_case(root, "sub-01_T1w"))


@pytest.mark.parametrize(
    "escape", ["../../secret.nii.gz", "/etc/passwd", "anat/../../../secret.nii.gz"]
)
def test_map_outside_the_folder_is_refused(tmp_path: Path, escape: str) -> None:
    root = build_folder(tmp_path)
    (tmp_path / "secret.nii.gz").write_bytes(b"secret")
    record = json.loads(case_file(root).read_text())
    record["files"]["deviation"]["path"] = escape
    case_file(root).write_text(json.dumps(record))
    with pytest.raises(MedsymError, match="MS-162"):
        map_path(read_case(root, "sub-01_T1w"), "deviation")


def test_link_that_leaves_the_folder_is_refused(tmp_path: Path) -> None:
    root = build_folder(tmp_path)
    path = next(root.glob("sub-01/anat/*deviation*"))
    outside = tmp_path / "secret.nii.gz"
    path.rename(outside)
    path.symlink_to(outside)
    with pytest.raises(OutputError, match="MS-162"):
        map_path(read_case(root, "sub-01_T1w"), "deviation")


def test_a_name_that_ends_with_a_line_end_is_no_case(tmp_path: Path) -> None:
    folder = tmp_path / "sub-01" / "anat"
    folder.mkdir(parents=True)
    for name in ("sub-01_T1w", "sub-01_T1w\n"):
        (folder / f"{name}_case.json").write_text("{}")
    assert results.case_file(tmp_path, "sub-01_T1w") is not None
    assert results.case_file(tmp_path, "sub-01_T1w\n") is None
