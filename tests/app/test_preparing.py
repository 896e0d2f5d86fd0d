"""Volumes are made before they are asked for, once, and only for those who asked themselves."""

import asyncio
import functools
import threading
from collections.abc import Iterator
from dataclasses import replace
from pathlib import Path

import pytest

from app import state, volume_addresses
from app.results import Case, read_case
from app.viewer import preparing
from app.viewer.case_volumes import CaseFiles, case_files
from app.viewer.preparing import KEPT, Preparation, Preparations
from medsym.errors import OutputError
from tests.app.result_folder import build_folder

PATIENCE_S = 60
FIRST, SECOND = "sub-01_T1w", "sub-02_FLAIR"


@pytest.fixture(scope="module")
def root(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tmp_path_factory.mktemp("preparing"))


@pytest.fixture
def gate(monkeypatch: pytest.MonkeyPatch) -> Iterator[threading.Event]:
    """Maps are made only when it is open."""
    opened, make = threading.Event(), preparing.map_volumes

    def wait(*arguments: object, **options: object) -> object:
        assert opened.wait(PATIENCE_S)
        return make(*arguments, **options)  # type: ignore[arg-type]

    monkeypatch.setattr(preparing, "map_volumes", wait)
    yield opened
    opened.set()


def files_of(root: Path, name: str) -> CaseFiles:
    found = case_files(read_case(root, name))
    assert found is not None
    return found


def finder(root: Path, name: str) -> dict[str, functools.partial[Case]]:
    return {name: functools.partial(read_case, root, name)}


def wait(made: Preparation) -> None:
    made.maps.exception(PATIENCE_S)


def test_the_scan_is_there_before_the_maps_and_a_case_is_made_once(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    made = known.ask(files_of(root, FIRST))
    assert made.scan.result(PATIENCE_S).grid.shape
    assert not made.maps.done()
    assert not made.maps.cancel(), "whoever gives up does not take it from the others"
    gate.set()
    assert set(made.maps.result(PATIENCE_S)) == {
        *("deviation", "asymmetry", "bound", "pathology", "anatomy")
    }
    assert known.ask(files_of(root, FIRST)) is made


def test_what_is_ahead_of_time_ends_when_another_case_is_asked_for(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    shown = known.ask(files_of(root, "sub-03_T1w"))
    gate.set()
    wait(shown)
    gate.clear()
    known.ahead(finder(root, SECOND), after=shown)
    name = files_of(root, SECOND).name
    while (ahead := known.find(name)) is None:
        pass
    ahead.scan.result(PATIENCE_S)
    other = known.ask(files_of(root, FIRST))
    gate.set()
    with pytest.raises(preparing.NotWantedError):
        ahead.maps.result(PATIENCE_S)
    assert known.find(name) is None
    wait(other)
    assert known.ask(files_of(root, SECOND)).maps.result(PATIENCE_S), "asked for, it is made"


def test_what_is_ahead_of_time_goes_on_for_who_asks_for_it(
    root: Path, gate: threading.Event
) -> None:
    known = Preparations()
    gate.set()
    shown = known.ask(files_of(root, "sub-03_T1w"))
    wait(shown)
    gate.clear()
    known.ahead(finder(root, SECOND), after=shown)
    while (ahead := known.find(files_of(root, SECOND).name)) is None:
        pass
    assert known.ask(files_of(root, SECOND)) is ahead
    known.ahead({}, after=shown)
    gate.set()
    assert ahead.maps.result(PATIENCE_S)


def test_an_error_is_said_and_not_remembered(root: Path) -> None:
    known, files = Preparations(), files_of(root, FIRST)
    changed = replace(files, scan_hash="0" * 64)
    with pytest.raises(OutputError, match="MS-165"):
        known.ask(changed).scan.result(PATIENCE_S)
    wait(known.ask(files))
    assert known.find(changed.name) is None


def test_few_cases_are_kept(root: Path) -> None:
    known, files = Preparations(), files_of(root, "sub-03_T1w")
    asked = [replace(files, scan_stamp=stamp) for stamp in range(KEPT + 2)]
    for one in asked:
        known.ask(one).scan.result(PATIENCE_S)
    kept = [known.find(one.name) is not None for one in asked]
    assert kept == [False] * 2 + [True] * KEPT
    known.forget()
    assert known.find(asked[-1].name) is None


@pytest.fixture
def prepared(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CaseFiles]:
    """Files of a case that was prepared, in a server where two sessions were let in."""
    known = Preparations()
    monkeypatch.setattr(volume_addresses, "PREPARED", known)
    for session in ("anna", "ben"):
        state.ADMISSIONS.let_in(session, None)
    files = files_of(root, FIRST)
    wait(known.ask(files))
    yield files
    for session in ("anna", "ben"):
        state.ADMISSIONS.dismiss(session)


def test_maps_go_to_the_session_that_asked_and_to_no_other(prepared: CaseFiles) -> None:
    assert state.STORE.num_grants() == 0, "what is prepared has no address"
    tokens = {
        session: state.MAPS.put(prepared.name.encode(), digest=prepared.name, session=session)
        for session in ("anna", "ben")
    }
    answers = {name: asyncio.run(volume_addresses.maps_of(token)) for name, token in tokens.items()}
    urls = {
        name: {about["url"] for about in answer["volumes"].values()}  # type: ignore[index, attr-defined]
        for name, answer in answers.items()
    }
    assert not urls["anna"] & urls["ben"]
    assert answers["anna"]["name"] == prepared.name  # type: ignore[index]
    state.ADMISSIONS.dismiss("anna")
    assert asyncio.run(volume_addresses.maps_of(tokens["anna"])) is None
    gone = [state.STORE.get(url.rsplit("/", 1)[1]) for url in urls["anna"]]
    assert gone == [None] * 5
    assert all(state.STORE.get(url.rsplit("/", 1)[1]) for url in urls["ben"])
    assert asyncio.run(volume_addresses.maps_of("guessed")) is None


@pytest.mark.usefixtures("prepared")
def test_a_session_that_ends_while_its_maps_are_made_gets_none(
    root: Path, gate: threading.Event
) -> None:
    files = files_of(root, SECOND)
    made = volume_addresses.PREPARED.ask(files)
    token = state.MAPS.put(files.name.encode(), digest=files.name, session="anna")

    async def leave() -> object:
        waiting = asyncio.create_task(volume_addresses.maps_of(token))
        await asyncio.sleep(0.05)
        state.ADMISSIONS.dismiss("anna")
        gate.set()
        return await waiting

    assert asyncio.run(leave()) is None
    assert made.maps.result(PATIENCE_S)
