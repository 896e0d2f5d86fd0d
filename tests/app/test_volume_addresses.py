"""What is prepared goes only to those who asked themselves."""

import asyncio
import threading
from collections.abc import Iterator
from pathlib import Path

import pytest

from app import state, volume_addresses
from app.viewer.case_volumes import CaseFiles
from app.viewer.preparation import NotWantedError
from app.viewer.preparing import Preparations
from tests.app.slow_maps import FIRST, PATIENCE_S, SECOND, files_of

ME = "anna"


@pytest.fixture
def prepared(root: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[CaseFiles]:
    """Files of a case that was prepared, in a server where two sessions were let in."""
    known = Preparations()
    monkeypatch.setattr(volume_addresses, "PREPARED", known)
    for session in ("anna", "ben"):
        state.ADMISSIONS.let_in(session, None)
    files, before = files_of(root, FIRST), state.STORE.num_grants()
    known.ask(files, reader=ME).maps.exception(PATIENCE_S)
    assert state.STORE.num_grants() == before, "what is prepared has no address"
    yield files
    for session in ("anna", "ben"):
        state.ADMISSIONS.dismiss(session)


def test_maps_go_to_the_session_that_asked_and_to_no_other(prepared: CaseFiles) -> None:
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
    made = volume_addresses.PREPARED.ask(files, reader="anna")
    token = state.MAPS.put(files.name.encode(), digest=files.name, session="anna")

    async def leave() -> object:
        waiting = asyncio.create_task(volume_addresses.maps_of(token))
        await asyncio.sleep(0.05)
        state.ADMISSIONS.dismiss("anna")
        gate.set()
        return await waiting

    assert asyncio.run(leave()) is None
    assert made.maps.result(PATIENCE_S)


@pytest.mark.usefixtures("prepared")
def test_a_page_that_waits_gets_what_was_begun_anew_when_its_reader_came_back(
    root: Path, gate: threading.Event
) -> None:
    known, files = volume_addresses.PREPARED, files_of(root, SECOND)
    left = known.ask(files, reader="anna")
    token = state.MAPS.put(files.name.encode(), digest=files.name, session="anna")

    async def step() -> object:
        waiting = asyncio.create_task(volume_addresses.maps_of(token))
        await asyncio.sleep(0.05)
        known.ask(files_of(root, FIRST), reader="anna")
        gate.set()
        assert isinstance(left.maps.exception(PATIENCE_S), NotWantedError)
        known.ask(files, reader="anna")
        return await waiting

    answer = asyncio.run(step())
    assert answer["name"] == files.name  # type: ignore[index]
