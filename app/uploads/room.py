"""Private folders of browser sessions: made for one, removed when it ends or the server does.

They lie in one scratch folder of the server's process; if that is killed, the next start of the
viewer, or any run of medsym that needs a scratch folder, removes what it left.
"""

import os
import shutil
import tempfile
import threading
import time
from collections.abc import Callable
from contextlib import ExitStack, suppress
from pathlib import Path

from medsym.screening.scratch import scratch_folder

#: A session whose connection broke may come back: the browser tries for some seconds.
GRACE_S = 10.0


class UploadRoom:
    """Folders by session.

    Args:
        is_active: tells whether a session still lives.
        clock: seconds, monotonic.
        grace_s: how long a session may be away.
    """

    def __init__(
        self,
        *,
        is_active: Callable[[str], bool],
        clock: Callable[[], float] = time.monotonic,
        grace_s: float = GRACE_S,
    ) -> None:
        self._is_active = is_active
        self._clock = clock
        self._grace_s = grace_s
        self._stack = ExitStack()
        self._root: Path | None = None
        self._folders: dict[str, Path] = {}
        self._away_since: dict[str, float] = {}
        self._guard = threading.Lock()

    def make(self, session: str) -> Path:
        """The folder of a session, which nobody can guess and no other user can open."""
        with self._guard:
            if self._root is None:
                self._root = self._stack.enter_context(scratch_folder())
            if session not in self._folders:
                self._folders[session] = Path(tempfile.mkdtemp(dir=self._root))  # mode 0700
            return self._folders[session]

    def find(self, session: str) -> Path | None:
        """The folder of a session; None if it has none."""
        with self._guard:
            return self._folders.get(session)

    def num_bytes(self) -> int:
        """Size of everything in all folders."""
        with self._guard:
            folders = list(self._folders.values())
        return sum(size_of(folder) for folder in folders)

    def ended(self) -> list[str]:
        """Sessions with a folder that have been away for longer than the grace."""
        with self._guard:
            now = self._clock()
            for session in self._folders:
                if self._is_active(session):
                    self._away_since.pop(session, None)
                else:
                    self._away_since.setdefault(session, now)
            return [s for s, since in self._away_since.items() if now - since >= self._grace_s]

    def remove(self, session: str) -> None:
        """Remove the folder of a session; nobody may be writing into it."""
        with self._guard:
            folder = self._folders.pop(session, None)
            self._away_since.pop(session, None)
        if folder is not None:
            shutil.rmtree(folder, ignore_errors=True)

    def close(self) -> None:
        """Remove everything."""
        with self._guard:
            self._folders.clear()
            self._away_since.clear()
            self._root = None
            self._stack.close()


def size_of(folder: Path) -> int:
    """Bytes of the files in a folder, which others may be removing meanwhile."""
    total = 0
    for place, _, names in os.walk(folder):  # passes over folders that are gone
        for name in names:
            with suppress(OSError):
                total += Path(place, name).lstat().st_size
    return total
