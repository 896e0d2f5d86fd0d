"""Uploads of all sessions of this server: taken in, analysed, shown, removed."""

import logging
import shutil
import tempfile
import threading
from collections.abc import Callable
from pathlib import Path

from app.uploads.files import shown_name, stored_name
from app.uploads.queue import JobStatus, UploadQueue
from app.uploads.room import GRACE_S, UploadRoom, size_of
from medsym.commands.viewing import MAX_UPLOAD_MIB
from medsym.errors import OutputError, ScanError
from medsym.screening.scratch import remove_left_behind

log = logging.getLogger(__name__)

#: All files of a session.
MAX_SESSION_MIB = 2048
#: Everything of all sessions, with what was unpacked and computed.
MAX_ALL_MIB = 16 * 1024
_MIB = 1024**2
SWEEP_S = 2.0
#: A folder is gone this long after its session, at the latest.
GONE_AFTER_S = GRACE_S + SWEEP_S
_FILES, _RESULTS, _PASSING = "files", "results", "passing"


class Uploads:
    """What the pages need to know about uploads.

    Args:
        is_active: tells whether a session still lives.
        on_removed: called with a session whose uploads were removed, to forget what memory holds.
        room: private folders.
        queue: analyses.
    """

    def __init__(
        self,
        *,
        is_active: Callable[[str], bool],
        on_removed: Callable[[str], None] = lambda _session: None,
        room: UploadRoom | None = None,
        queue: UploadQueue | None = None,
    ) -> None:
        self._room = room or UploadRoom(is_active=is_active)
        self._queue = queue or UploadQueue()
        self._on_removed = on_removed
        self._stopped = threading.Event()
        self._adding = threading.Lock()  # sizes are of what is there, not of what is on its way

    def start(self) -> None:
        """Remove what a killed server left, and watch for sessions that end."""
        remove_left_behind()
        threading.Thread(target=self._watch, name="ended sessions", daemon=True).start()

    def add(self, session: str, name: str, content: memoryview | bytes) -> int:
        """Take a file in and queue its analysis; returns the number of the upload.

        Args:
            session: whose it is.
            name: as the browser states it.
            content: of the file.

        Raises:
            ScanError: MS-690 the kind of file, MS-694 it is empty or too large.
            OutputError: MS-692 too many wait, MS-722 too many of this session, MS-695 it cannot be
                kept, MS-723 all sessions together keep too much.
        """
        kept, shown = stored_name(name), shown_name(name)
        with self._adding:
            room = self._room.make(session)
            _refuse_size(shown, len(content), before=size_of(room / _FILES))
            _refuse_in_all(shown, self._room.num_bytes() + len(content))
            folder = passing = None
            try:
                (room / _FILES).mkdir(exist_ok=True)
                folder = Path(tempfile.mkdtemp(dir=room / _FILES))
                passing = room / _PASSING / folder.name
                passing.mkdir(parents=True)
                with (folder / kept).open("xb") as stream:
                    stream.write(content)
                return self._queue.add(
                    session=session,
                    name=shown,
                    file=folder / kept,
                    out=room / _RESULTS,
                    passing=passing,
                )
            except (OSError, OutputError) as error:
                for made in filter(None, (folder, passing)):
                    shutil.rmtree(made, ignore_errors=True)
                if isinstance(error, OSError):
                    raise _no_place(shown, error) from None
                raise

    def of(self, session: str) -> list[JobStatus]:
        """Uploads of a session, the newest first."""
        return self._queue.of(session)

    def cancel(self, session: str, number: int) -> None:
        """End an upload of a session."""
        self._queue.cancel(session, number)

    def results(self, session: str) -> Path | None:
        """Result folder of a session's uploads; None before the first one is done."""
        folder = self._room.find(session)
        out = folder and folder / _RESULTS
        return out if out and (out / "screening.tsv").is_file() else None

    def discard(self, session: str) -> None:
        """End and remove everything of a session."""
        self._queue.forget(session)
        self._room.remove(session)
        self._on_removed(session)

    def sweep(self) -> None:
        """Discard what belongs to sessions that have ended."""
        for session in self._room.ended():
            self.discard(session)

    def close(self) -> None:
        """End and remove everything."""
        self._stopped.set()
        self._queue.close()
        self._room.close()

    def _watch(self) -> None:
        while not self._stopped.wait(SWEEP_S):
            try:
                self.sweep()
            except Exception:  # the next round must come, whatever this one met
                log.exception("uploads of ended sessions could not be removed")


def _refuse_size(name: str, size: int, *, before: int) -> None:
    if 0 < size <= MAX_UPLOAD_MIB * _MIB and before + size <= MAX_SESSION_MIB * _MIB:
        return
    limits = f"{MAX_UPLOAD_MIB} are taken, {MAX_SESSION_MIB} together"
    raise ScanError(
        code="MS-694",
        subject=name,
        cause=f"it has {size / _MIB:.0f} MiB; at most {limits}" if size else "the file is empty",
        fix="upload it again, or screen it at a terminal: medsym screen",
    )


def _refuse_in_all(name: str, size: int) -> None:
    if size > MAX_ALL_MIB * _MIB:
        raise OutputError(
            code="MS-723",
            subject=name,
            cause="the uploads of all readers together fill the place that is kept for them",
            fix="delete what you uploaded and no longer need, or try again later",
        )


def _no_place(name: str, error: OSError) -> OutputError:
    return OutputError(
        code="MS-695",
        subject=name,
        cause=f"it cannot be kept here ({error.strerror})",
        fix="tell whoever runs this viewer that its folder for temporary files is full",
    )
