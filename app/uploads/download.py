"""The results of a session's uploads as one file: packed on the disk, sent in pieces, then gone.

The file has no name: it lies in the folder of its session and ends with what sends it. That ends
with the session, and when the browser takes nothing for a while: few are sent at a time.
"""

import asyncio
import errno
import shutil
import tempfile
from collections.abc import Callable, Iterator
from contextlib import suppress
from pathlib import Path
from typing import BinaryIO

from starlette.concurrency import run_in_threadpool
from starlette.requests import ClientDisconnect, Request
from starlette.responses import PlainTextResponse, Response, StreamingResponse
from starlette.routing import Route
from starlette.types import Message, Receive, Scope, Send

from app.uploads.files import pack_results
from app.uploads.room import size_of
from app.viewer.routes import PREFIX, PRIVATE_HEADERS, route_base
from medsym.screening.archives import LIMITS

NAME = "medsym_results.zip"
AT_ONCE = 4  # of all sessions; each has one at a time
PIECE = 1024**2
PIECE_S = 60.0  # for one piece to be taken: 17 KiB/s, less than any network in use
LOOK_EVERY_S = 2.0  # whether the session still lives


def download_url(token: str, *, base_path: str) -> str:
    """Address of a session's results, absolute on this server."""
    return f"{route_base(base_path)}/{PREFIX}/results/{token}/{NAME}"


def download_routes(
    results_of: Callable[[str], Path | None], *, base_path: str = ""
) -> list[Route]:
    """Route of the results, for `st.App(routes=...)`.

    Args:
        results_of: token -> result folder of its session; None for a token that is not valid.
        base_path: of the server.
    """
    under_way: set[Path] = set()

    async def download(request: Request) -> Response:
        token = request.path_params["token"]
        folder = results_of(token)
        if folder is None:
            return _refused("There are no results.", status=404)
        if folder in under_way or len(under_way) >= AT_ONCE:
            return _refused("Another download is under way. Try again in a minute.", status=429)
        under_way.add(folder)
        try:
            packed = await run_in_threadpool(_pack, folder)
        except OSError as error:
            under_way.discard(folder)
            return _not_packed(error)
        except BaseException:
            under_way.discard(folder)
            raise
        return _Sent(
            packed,
            is_wanted=lambda: results_of(token) == folder,
            ended=lambda: under_way.discard(folder),
        )

    route = Route(download_url("{token}", base_path=base_path), download)
    route.methods = {"GET"}  # HEAD would pack everything and send nothing
    return [route]


class _Sent(StreamingResponse):
    """Sends an open file and closes it, however that ends."""

    def __init__(
        self, packed: BinaryIO, *, is_wanted: Callable[[], bool], ended: Callable[[], None]
    ) -> None:
        self._packed, self._is_wanted, self._ended = packed, is_wanted, ended
        headers = PRIVATE_HEADERS | {
            "Content-Disposition": f'attachment; filename="{NAME}"',
            "Content-Length": str(packed.seek(0, 2)),
            "Content-Encoding": "identity",
        }
        packed.seek(0)
        super().__init__(_pieces(packed, is_wanted), media_type="application/zip", headers=headers)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""

        async def send_in_time(message: Message) -> None:
            async with asyncio.timeout(PIECE_S):
                await send(message)

        sending = asyncio.ensure_future(super().__call__(scope, receive, send_in_time))
        try:
            while not (await asyncio.wait({sending}, timeout=LOOK_EVERY_S))[0]:
                if not self._is_wanted():
                    return
            with suppress(ClientDisconnect, TimeoutError):
                sending.result()
        finally:
            sending.cancel()
            await asyncio.wait({sending})
            self._packed.close()
            self._ended()


def _pieces(packed: BinaryIO, is_wanted: Callable[[], bool]) -> Iterator[bytes]:
    """Piece after piece, for as long as their session lives and keeps its results."""
    while piece := packed.read(PIECE):
        if not is_wanted():
            return
        yield piece


def _pack(folder: Path) -> BinaryIO:
    if shutil.disk_usage(folder).free < size_of(folder) + LIMITS.reserve_bytes:
        raise OSError(errno.ENOSPC, "no room")
    packed = tempfile.TemporaryFile(dir=folder.parent)  # noqa: SIM115  closed by what sends it
    try:
        pack_results(folder, packed)
    except BaseException:
        packed.close()
        raise
    return packed


def _not_packed(error: OSError) -> Response:
    if error.errno in {errno.ENOSPC, errno.EDQUOT}:
        return _refused("There is no room to pack the results.", status=507)
    return _refused("The results cannot be packed now. Try again in a minute.", status=503)


def _refused(words: str, *, status: int) -> Response:
    return PlainTextResponse(words, status_code=status, headers=PRIVATE_HEADERS)
