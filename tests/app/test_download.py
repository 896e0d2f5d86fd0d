"""Results leave as one file: whole, for their own session, few at a time, and nothing stays."""

import asyncio
import io
import zipfile
from collections.abc import Callable
from pathlib import Path
from typing import Any, BinaryIO

import pytest
from starlette.applications import Starlette
from starlette.types import ASGIApp

from app.uploads import download
from app.uploads.download import AT_ONCE, download_routes, download_url

PATIENCE_S = 20
SIZE = 3 * download.PIECE + 17


@pytest.fixture
def private(tmp_path: Path) -> Path:
    """Folder of a session with its results."""
    return session_folder(tmp_path / "s1")


def session_folder(folder: Path) -> Path:
    (folder / "results" / "sub-1").mkdir(parents=True)
    (folder / "results" / "sub-1" / "map.nii.gz").write_bytes(bytes(range(251)) * (SIZE // 251 + 1))
    return folder


def make_app(results_of: Callable[[str], Path | None]) -> Starlette:
    return Starlette(routes=download_routes(results_of))


async def get(
    app: ASGIApp, token: str, meanwhile: Callable[[], Any] = lambda: None, method: str = "GET"
) -> list[Any]:
    """What is sent, and what is done after each message."""
    sent: list[Any] = []

    async def send(message: Any) -> None:
        sent.append(message)
        done = meanwhile()
        if asyncio.iscoroutine(done):
            sent.append(await done)

    async def receive() -> Any:
        await asyncio.Event().wait()

    path = download_url(token, base_path="")
    scope = {"type": "http", "method": method, "path": path, "raw_path": path.encode()}
    scope |= {"query_string": b"", "headers": [], "root_path": "", "http_version": "1.1"}
    await app(scope, receive, send)  # type: ignore[arg-type]
    return sent


def fetch(app: ASGIApp, token: str) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request."""
    start, *rest = asyncio.run(get(app, token))
    headers = {name.decode(): value.decode() for name, value in start["headers"]}
    return start["status"], headers, b"".join(part.get("body", b"") for part in rest)


def test_the_whole_results_arrive_and_nothing_stays(private: Path) -> None:
    app = make_app({"mine": private / "results"}.get)
    status, headers, body = fetch(app, "mine")
    assert status == 200
    assert headers["content-disposition"] == 'attachment; filename="medsym_results.zip"'
    assert headers["cache-control"] == "private, no-store"
    assert int(headers["content-length"]) == len(body) > SIZE
    with zipfile.ZipFile(io.BytesIO(body)) as packed:
        assert packed.testzip() is None
        assert packed.namelist() == ["medsym_results/sub-1/map.nii.gz"]
    assert [path.name for path in private.iterdir()] == ["results"]
    assert fetch(app, "other")[0] == 404
    assert fetch(app, "mine")[0] == 200, "and once more"


def test_a_download_is_cut_off_when_its_session_ends(private: Path) -> None:
    folders: dict[str, Path] = {"mine": private / "results"}
    app = make_app(folders.get)
    sent = asyncio.run(get(app, "mine", folders.clear))
    body = b"".join(message.get("body", b"") for message in sent)
    assert len(body) < SIZE
    folders["mine"] = private / "results"
    assert fetch(app, "mine")[0] == 200, "its place is free again"


def test_a_session_has_one_download_and_all_together_few(tmp_path: Path) -> None:
    folders = {str(n): session_folder(tmp_path / str(n)) / "results" for n in range(AT_ONCE + 1)}
    app = make_app(folders.get)

    async def nested(depth: int) -> list[Any]:
        """Each begins while those before it are under way; the last number asks again, too."""
        started: list[bool] = []

        def meanwhile() -> Any:
            if started:
                return None
            started.append(True)
            return nested(depth + 1) if depth + 1 <= AT_ONCE else get(app, "0")

        return await get(app, str(depth), meanwhile)

    statuses: list[int] = []

    def collect(messages: list[Any]) -> None:
        for message in messages:
            if isinstance(message, list):
                collect(message)
            elif message["type"] == "http.response.start":
                statuses.append(message["status"])

    collect(asyncio.run(nested(0)))
    assert statuses.count(200) == AT_ONCE
    assert set(statuses[AT_ONCE:]) == {429}
    assert fetch(app, "0")[0] == 200


@pytest.mark.parametrize("when", ["before", "while packing"])
def test_without_room_it_is_refused_and_can_be_tried_again(
    private: Path, when: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app({"mine": private / "results"}.get)
    with monkeypatch.context() as full:
        if when == "before":
            usage = type("Usage", (), {"free": SIZE})
            full.setattr(download.shutil, "disk_usage", lambda _place: usage)
        else:
            no_room = OSError(28, "No space left on device")
            full.setattr(download, "pack_results", lambda *_: (_ for _ in ()).throw(no_room))
        assert fetch(app, "mine")[0] == 507
    assert [path.name for path in private.iterdir()] == ["results"]
    assert fetch(app, "mine")[0] == 200


def test_results_that_change_while_they_are_packed_are_no_lack_of_room(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    app = make_app({"mine": private / "results"}.get)
    gone = FileNotFoundError(2, "No such file or directory")
    with monkeypatch.context() as changing:
        changing.setattr(download, "pack_results", lambda *_: (_ for _ in ()).throw(gone))
        status, _, words = fetch(app, "mine")
    assert status == 503
    assert b"room" not in words
    assert fetch(app, "mine")[0] == 200


def test_who_asks_for_the_headers_alone_has_nothing_packed(
    private: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(download, "pack_results", lambda *_: pytest.fail("it was packed"))
    app = make_app({"mine": private / "results"}.get)
    assert asyncio.run(get(app, "mine", method="HEAD"))[0]["status"] == 405


@pytest.mark.parametrize("end", ["the browser takes nothing", "the session ends"])
def test_a_stalled_download_ends_and_frees_its_place(
    private: Path, end: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    folders: dict[str, Path] = {"mine": private / "results"}
    monkeypatch.setattr(download, "PIECE_S" if end.startswith("the b") else "LOOK_EVERY_S", 0.05)
    packed: list[BinaryIO] = []
    pack = download._pack
    monkeypatch.setattr(download, "_pack", lambda folder: packed.append(pack(folder)) or packed[0])
    app = make_app(folders.get)

    async def stall() -> None:
        if end == "the session ends":
            folders.clear()
        await asyncio.Event().wait()

    asyncio.run(asyncio.wait_for(get(app, "mine", stall), PATIENCE_S))
    assert packed[0].closed
    folders["mine"] = private / "results"
    packed.clear()
    assert fetch(app, "mine")[0] == 200
