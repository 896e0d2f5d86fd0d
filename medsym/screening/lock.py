"""One run per output folder: a lock file with process, host and a heartbeat."""

import json
import os
import socket
import time
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path

from medsym.errors import OutputError

LOCK_FILE = ".medsym.lock"
LOCKED_CODE = "MS-151"
#: A lock of another machine (or where processes cannot be asked after) without a heartbeat for this
#: long belongs to a run that died. A scan takes seconds, and the heartbeat is renewed with each.
STALE_SECONDS = 3600.0


def _is_stale(path: Path) -> bool:
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
        pid, host = int(holder["pid"]), str(holder["host"])
        age = time.time() - path.stat().st_mtime
    except (OSError, ValueError, KeyError, TypeError):
        return not path.exists() or time.time() - path.stat().st_mtime > STALE_SECONDS
    if host != socket.gethostname() or os.name != "posix":
        return age > STALE_SECONDS
    return not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except PermissionError:
        return True
    return True


def _create(path: Path) -> bool:
    try:
        descriptor = os.open(path, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644)
    except FileExistsError:
        return False
    with os.fdopen(descriptor, "w", encoding="utf-8") as stream:
        json.dump({"pid": os.getpid(), "host": socket.gethostname()}, stream)
    return True


@contextmanager
def output_lock(out: Path) -> Iterator[Path]:
    """Hold the lock of an output folder; a lock left by a dead run is taken over.

    Yields:
        The lock file; touch it as a heartbeat.

    Raises:
        OutputError: MS-151 if another run holds it.
    """
    path = out / LOCK_FILE
    if not _create(path):
        if _is_stale(path):
            path.unlink(missing_ok=True)
        if not _create(path):
            raise OutputError(
                code=LOCKED_CODE,
                subject=str(out),
                cause="another run is writing into this folder",
                fix=f"wait for it, or delete {LOCK_FILE} in it if you are sure that none is",
            )
    try:
        yield path
    finally:
        path.unlink(missing_ok=True)
