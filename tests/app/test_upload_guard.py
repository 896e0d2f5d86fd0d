"""Files of sessions that may send them only, one each, few at a time."""

import asyncio
from typing import Any

import pytest
from starlette.types import Message

from app.viewer import upload_guard
from app.viewer.upload_guard import AdmittedUploads
from tests.app.test_guards import ask, page

MIB = 1024**2


class Memory:
    def __init__(self, **held: int) -> None:
        self.held = {session: mib * MIB for session, mib in held.items()}

    def sizes(self) -> dict[str, int]:
        return self.held

    def drop(self, session: str) -> None:
        self.held.pop(session, None)


def put(app: AdmittedUploads, session: str, *, base: str = "", method: str = "PUT") -> int:
    return ask(app, path=f"{base}/_stcore/upload_file/{session}/file-1", method=method)[0]


@pytest.mark.parametrize("base", ["", "/clinic"])
def test_files_are_taken_from_admitted_sessions_only(base: str) -> None:
    app = AdmittedUploads(page, is_admitted=lambda who: who == "known", memory=Memory())
    assert put(app, "known", base=base) == 200
    assert put(app, "stranger", base=base) == 403
    assert put(app, "stranger", base=base, method="DELETE") == 403


def test_without_upload_nothing_is_taken() -> None:
    app = AdmittedUploads(page, is_admitted=None, memory=Memory())
    assert {put(app, "known", method=method) for method in ("PUT", "POST", "DELETE")} == {403}
    assert ask(app, path="/")[0] == 200


def test_a_new_file_takes_the_place_of_the_one_before(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(upload_guard, "MAX_UPLOAD_MIB", 10)
    monkeypatch.setattr(upload_guard, "MAX_MEMORY_MIB", 20)
    memory = Memory(a=10, b=10)
    app = AdmittedUploads(page, is_admitted=lambda _: True, memory=memory)
    assert put(app, "c") == 429, "the others' files fill the memory"
    assert put(app, "a") == 200
    assert memory.held == {"b": 10 * MIB}


def test_a_session_sends_one_file_at_a_time() -> None:
    answers: list[int] = []

    async def both() -> None:
        inside, go = asyncio.Event(), asyncio.Event()

        async def slow(scope: Any, receive: Any, send: Any) -> None:
            inside.set()
            await go.wait()
            await page(scope, receive, send)

        app = AdmittedUploads(slow, is_admitted=lambda _: True, memory=Memory())

        async def send(message: Message) -> None:
            if message["type"] == "http.response.start":
                answers.append(message["status"])

        async def receive() -> Message:
            return {"type": "http.request", "body": b"", "more_body": False}

        scope = {"type": "http", "method": "PUT", "path": "/_stcore/upload_file/a/1", "headers": []}
        first = asyncio.create_task(app(scope, receive, send))
        await inside.wait()
        await app(scope, receive, send)
        go.set()
        await first

    asyncio.run(both())
    assert answers == [429, 200]
