"""Volumes are made before they are asked for, once, and end when nobody looks."""

import functools
import threading
from dataclasses import replace
from pathlib import Path

import pytest

from app.results import Case, read_case
from app.viewer import preparing
from app.viewer.case_volumes import CaseFiles
from app.viewer.encoding import EncodedVolume
from app.viewer.preparation import NotWantedError, Preparation
from app.viewer.preparing import KEPT, Preparations
from medsym.errors import OutputError
from tests.app.result_folder import build_folder
from tests.app.slow_maps import FIRST, PATIENCE_S, SECOND, files_of

ME, OTHER = "me", "other"


def finder(root: Path, name: str) -> dict[str, functools.partial[Case]]:
    return {name: functools.partial(read_case, root, name)}


def wait(made: Preparation) -> None:
    made.maps.exception(PATIENCE_S)


def test_the_scan_is_there_before_the_maps_and_a_case_is_made_once(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    made = known.ask(files_of(root, FIRST), reader=ME)
    assert made.scan.result(PATIENCE_S).grid.shape
    assert not made.maps.done()
    assert not made.maps.cancel(), "whoever gives up does not take it from the others"
    gate.set()
    assert set(made.maps.result(PATIENCE_S)) == {
        *("deviation", "asymmetry", "bound", "pathology", "anatomy")
    }
    assert known.ask(files_of(root, FIRST), reader=ME) is made


def test_what_is_ahead_of_time_ends_when_another_case_is_asked_for(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    shown = known.ask(files_of(root, "sub-03_T1w"), reader=ME)
    gate.set()
    wait(shown)
    gate.clear()
    known.ahead(finder(root, SECOND), after=shown)
    name = files_of(root, SECOND).name
    while (ahead := known.find(name)) is None:
        pass
    ahead.scan.result(PATIENCE_S)
    other = known.ask(files_of(root, FIRST), reader=ME)
    gate.set()
    with pytest.raises(NotWantedError):
        ahead.maps.result(PATIENCE_S)
    assert known.find(name) is None
    wait(other)
    assert known.ask(files_of(root, SECOND), reader=ME).maps.result(PATIENCE_S), (
        "asked for, it is made"
    )


def test_what_is_ahead_of_time_goes_on_for_who_asks_for_it(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    gate.set()
    shown = known.ask(files_of(root, "sub-03_T1w"), reader=ME)
    wait(shown)
    gate.clear()
    known.ahead(finder(root, SECOND), after=shown)
    while (ahead := known.find(files_of(root, SECOND).name)) is None:
        pass
    assert known.ask(files_of(root, SECOND), reader=ME) is ahead
    known.ahead({}, after=shown)
    gate.set()
    assert ahead.maps.result(PATIENCE_S)


def test_an_error_is_said_also_to_who_comes_late_and_ends_when_it_is_asked_for_again(
    root: Path,
) -> None:
    known, files = Preparations(), files_of(root, FIRST)
    failed = known.ask(replace(files, scan_hash="0" * 64), reader=ME)
    with pytest.raises(OutputError, match="MS-165"):
        failed.scan.result(PATIENCE_S)
    wait(failed)
    assert known.find(failed.files.name) is failed
    assert known.ask(failed.files, reader=ME) is not failed


@pytest.mark.parametrize("kind", ["deviation", "anatomy"])
def test_maps_of_a_later_screening_are_not_shown_with_the_findings_of_an_earlier_one(
    tmp_path: Path, gate: threading.Event, kind: str
) -> None:
    root = build_folder(tmp_path)
    made = Preparations().ask(files_of(root, FIRST), reader=ME)
    made.scan.result(PATIENCE_S)
    later = files_of(root, SECOND)  # meanwhile the case is written anew: other maps, as valid
    paths, others = ({k: path for k, path, _ in of.maps} for of in (made.files, later))
    paths[kind].write_bytes(others[kind].read_bytes())
    gate.set()
    with pytest.raises(OutputError, match=r"MS-163 .*Open the case again"):
        made.maps.result(PATIENCE_S)


@pytest.mark.parametrize("pool", ["_scans", "_maps"])
def test_nobody_waits_for_what_a_process_that_ends_does_not_make(root: Path, pool: str) -> None:
    known = Preparations()
    getattr(known, pool).shutdown()  # as the interpreter does
    made = known.ask(files_of(root, FIRST), reader=ME)
    for future, waits in ((made.scan, pool == "_scans"), (made.maps, True)):
        error = future.exception(timeout=10)
        assert isinstance(error, RuntimeError) == waits


def stepped_through(known: Preparations, files: CaseFiles, *, cases: int) -> list[Preparation]:
    """A reader opens case after case and waits for the scan alone."""
    made = []
    for stamp in range(cases):
        made.append(known.ask(replace(files, scan_stamp=stamp), reader=ME))
        made[-1].scan.result(PATIENCE_S)
    return made


def test_cases_that_a_reader_left_end_and_the_one_at_hand_is_made(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    others = known.ask(files_of(root, SECOND), reader=OTHER)
    *left, shown = stepped_through(known, files_of(root, FIRST), cases=KEPT + 3)
    gate.set()
    assert shown.maps.result(PATIENCE_S)
    assert others.maps.result(PATIENCE_S), "another reader looks at it"
    for one in left:
        with pytest.raises(NotWantedError):
            one.maps.result(PATIENCE_S)
        assert known.find(one.files.name) is None, "whoever comes back begins anew"


def test_what_a_reader_looks_at_stays_until_the_reader_ends_and_few_others_are_kept(
    root: Path,
) -> None:
    known, files = Preparations(), files_of(root, "sub-03_T1w")
    mine = known.ask(replace(files, scan_stamp=-1), reader=ME)
    for ended in (False, True):
        known.looking.is_active = lambda reader, ended=ended: not (ended and reader == ME)  # type: ignore[misc]
        asked = [replace(files, scan_stamp=stamp) for stamp in range(KEPT + 2)]
        for one in asked:
            wait(known.ask(one, reader=OTHER))
        assert [known.find(one.name) is not None for one in asked] == [False] * 2 + [True] * KEPT
        assert (known.find(mine.files.name) is None) == ended


def test_removed_uploads_of_a_reader_are_forgotten_alone(root: Path, tmp_path: Path) -> None:
    known, mine = Preparations(), files_of(root, "sub-03_T1w")
    upload = replace(mine, scan=tmp_path / "upload.nii.gz")
    upload.scan.write_bytes(mine.scan.read_bytes())
    for files, reader in ((mine, ME), (upload, OTHER)):
        wait(known.ask(files, reader=reader))
    upload.scan.unlink()
    known.forget(OTHER)
    assert known.find(upload.name) is None
    assert known.find(mine.name) is not None
    assert known.looking.names() == {mine.name}


@pytest.mark.parametrize("asked", [False, True])
def test_nobody_waits_for_a_large_neighbour_but_who_asks_for_it(
    root: Path, asked: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    known, files, make = Preparations(), files_of(root, SECOND), preparing.scan_volume
    shown = known.ask(files_of(root, "sub-03_T1w"), reader=ME)
    wait(shown)
    limits: list[float] = []

    def scan(files: CaseFiles, *, max_gib: float = 8.0) -> EncodedVolume:
        limits.append(max_gib)
        if asked:
            known.ask(files, reader=ME)
        return make(files, max_gib=1e-6 if max_gib == preparing.USUAL_GIB else max_gib)

    monkeypatch.setattr(preparing, "scan_volume", scan)
    known.ahead(finder(root, SECOND), after=shown)
    while not limits or (asked and len(limits) < 2):
        pass
    known._behind.submit(lambda: None).result(PATIENCE_S)  # what was to be made is over
    assert limits == [preparing.USUAL_GIB, preparing.MAX_GIB][: 1 + asked]
    assert (known.find(files.name) is not None) == asked
    assert known.ask(files, reader=ME).maps.result(PATIENCE_S)
