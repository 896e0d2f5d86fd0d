"""The benchmark of the viewer: made work lists that can be read, plain words without a browser."""

import json
import sys
from pathlib import Path

import pytest

from app.cohort import read_worklist
from app.results import read_case
from app.thumbnails import thumbnail
from medsym.benchmarks.viewer.browser import driver
from medsym.benchmarks.viewer.folder import first_record, made_cohort
from medsym.benchmarks.viewer.table import format_viewer
from medsym.errors import OutputError
from tests.app.result_folder import build_folder


def test_a_made_cohort_is_a_folder_of_so_many_cases_with_their_pictures(tmp_path: Path) -> None:
    like = build_folder(tmp_path)
    for path in like.glob("sub-*/anat/*_case.json"):
        record = json.loads(path.read_text())
        record["calibration"] |= {"reason": None, "warning": None}
        path.write_text(json.dumps(record))
    root = made_cohort(tmp_path / "made", like=like, cases=12)
    rows = read_worklist(root)
    assert len({row.case for row in rows}) == 12
    p_values = [row.numbers["p_value"] for row in rows]
    assert p_values == sorted(p_values)
    assert len(set(p_values)) == 12
    assert all(thumbnail(root, row.case) for row in rows)
    assert read_case(root, rows[0].case).scan_path is None


def test_a_case_that_is_not_there_is_refused_by_name(tmp_path: Path) -> None:
    like = build_folder(tmp_path)
    assert first_record(like, case="sub-02_FLAIR")["case"] == "sub-02_FLAIR"
    for name in ("sub-99_T1w", "sub-03_T1w"):  # unknown; not assessable
        with pytest.raises(OutputError, match=f"MS-703.*{name}"):
            first_record(like, case=name)


def test_without_playwright_it_is_said_how_to_install_it(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setitem(sys.modules, "playwright.sync_api", None)
    with pytest.raises(OutputError, match=r"MS-700.*playwright install chromium"), driver():
        pass


def test_the_table_says_whether_the_machine_was_idle() -> None:
    spread = {"median": 12.0, "p95": 34.0}
    runs = {"ms": spread, "websocket": 5000.0, "websocket_largest": 7000}
    review = dict.fromkeys(
        ["empty_frame_ms", "slice_frame_ms", "slice_script_ms", "threshold_script_ms"], spread
    )
    review |= {"first_paint_first_s": 3.5, "first_paint_again_s": [2.0, 2.5], "rerun": runs}
    review |= {"maps_first_s": 5.5, "maps_again_s": [2.6]}
    worklist = {"cases": 1000, "open_first_s": 3.0, "open_again_s": [2.0], "open_websocket": 300}
    worklist |= {"open_pictures": 7, "scroll_pictures": 40, "filter": runs, "next_case": runs}
    numbers = {
        "case": "sub-a_T1w",
        "shape": [256, 256, 256],
        "review": review | {"slices_drawn": 60, "slices_asked": 60},
        "worklist": worklist | {"scroll_frame_ms": spread},
        "browser": "150",
        "processors": 2,
        "machine": {"processor": "some processor"},
        "load_after": 2.0,
    }
    assert "not idle" in format_viewer(numbers | {"load_before": 4.0})
    table = format_viewer(numbers | {"load_before": 0.1})
    assert "not idle" not in table
    seconds = [line.split()[-3] for line in table.splitlines() if line.split()[-1:] == ["4"]]
    assert seconds == ["3.50", "5.50", "2.50", "2.60"], "the scan and its maps, each said"
