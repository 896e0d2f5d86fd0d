"""Files on their way into memory: from sessions that may send them, one each, few at a time.

Streamlit itself takes any number of files from any session, whether a page asks for one or not.
"""

import re
from collections.abc import Callable, Mapping
from typing import Protocol

from starlette.types import ASGIApp, Receive, Scope, Send

from app.viewer.guards import refuse
from medsym.commands.viewing import MAX_UPLOAD_MIB

UPLOADS = re.compile(r"/_stcore/upload_file/([^/]+)/")  # Streamlit's route, below the base path
#: Files of all sessions in memory: those that wait for "Analyse", and those on their way there.
MAX_MEMORY_MIB = 2048
_MIB = 1024**2


class UploadMemory(Protocol):
    """Files in memory that were sent and not yet taken."""

    def sizes(self) -> Mapping[str, int]:
        """Their bytes, by session."""

    def drop(self, session: str) -> None:
        """Forget those of a session."""


class AdmittedUploads:
    """Refuse files for a session that was not let in, and more than fit into memory.

    A session has one file in memory: with a new one, the one before is forgotten.

    Args:
        app: what is guarded.
        is_admitted: tells whether a session was let in; None where nobody may upload.
        memory: files that wait.
    """

    def __init__(
        self, app: ASGIApp, *, is_admitted: Callable[[str], bool] | None, memory: UploadMemory
    ) -> None:
        self._app = app
        self._is_admitted = is_admitted
        self._memory = memory
        self._arriving: set[str] = set()

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        found = UPLOADS.search(scope["path"]) if scope["type"] == "http" else None
        if found is None or scope["method"] == "OPTIONS":
            await self._app(scope, receive, send)
        elif self._is_admitted is None:
            await refuse(scope, receive, send, "Nothing can be uploaded here.")
        elif not self._is_admitted(found[1]):
            await refuse(scope, receive, send, "Log in first.")
        elif scope["method"] == "DELETE":
            await self._app(scope, receive, send)
        else:
            await self._take(found[1], scope, receive, send)

    async def _take(self, session: str, scope: Scope, receive: Receive, send: Send) -> None:
        waiting = sum(size for who, size in self._memory.sizes().items() if who != session)
        largest = (len(self._arriving) + 1) * MAX_UPLOAD_MIB * _MIB
        if session in self._arriving or waiting + largest > MAX_MEMORY_MIB * _MIB:
            words = "Other files are on their way. Try again in a minute."
            await refuse(scope, receive, send, words, status=429)
            return
        self._arriving.add(session)
        try:
            self._memory.drop(session)
            await self._app(scope, receive, send)
        finally:
            self._arriving.discard(session)
