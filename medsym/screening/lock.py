"""One run per output folder: a lock file with process, host, a random token and a heartbeat.

Where there is flock, the kernel knows whether the run that wrote a lock file is alive. Elsewhere
whoever creates the file holds it, and a file left by a dead run is known by its process or, if it
is of another machine, by its age. The token lets a run remove its own file only.
"""

import json
import os
import secrets
import socket
import sys
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager, suppress
from functools import partial
from pathlib import Path
from typing import Any

from medsym.errors import OutputError

LOCK_FILE = ".medsym.lock"
LOCKED_CODE = "MS-151"
#: A lock of another machine (or where processes cannot be asked after) without a heartbeat for this
#: long belongs to a run that died. A scan takes seconds, and the heartbeat is renewed with each.
STALE_SECONDS = 3600.0
#: A lock file may vanish while it is opened; more often than this it does not.
_ATTEMPTS = 5
#: Tells this process from a dead one with the same number: containers always start with 1.
_PROCESS = secrets.token_hex(16)


@contextmanager
def output_lock(out: Path) -> Iterator[Callable[[], None]]:
    """Hold the lock of an output folder; a lock left by a dead run is taken over.

    Yields:
        The heartbeat, to be called from time to time.

    Raises:
        OutputError: MS-151 if another run holds it.
    """
    path, token = out / LOCK_FILE, secrets.token_hex(16)
    descriptor = _acquire(path, token)
    if descriptor is None:
        raise OutputError(
            code=LOCKED_CODE,
            subject=str(out),
            cause="another run is writing into this folder",
            fix=f"wait for it, or delete {LOCK_FILE}* in it if you are sure that none is",
        )
    try:
        yield partial(_beat, path)
    finally:
        _release(path, descriptor, token)


def _acquire(path: Path, token: str) -> int | None:
    """Open file that holds the lock, or None if another run does."""
    for _ in range(_ATTEMPTS):
        try:
            descriptor, is_new = _open(path)
        except FileNotFoundError:
            continue
        except OSError:
            return None
        flocked = _flock(descriptor)
        is_ours = is_new if flocked is None else flocked
        if is_ours and (is_new or _is_left_over(path, is_flocked=True)):
            _write(descriptor, token)
            if _read(path).get("token") == token:  # else the file was removed before flock
                return descriptor
        os.close(descriptor)
        if flocked is None and not is_new:
            _remove_left_over(path)
        elif not is_ours:
            return None
    return None


def _release(path: Path, descriptor: int, token: str) -> None:
    if sys.platform == "win32":
        os.close(descriptor)  # an open file cannot be removed there
    if _read(path).get("token") == token:
        path.unlink(missing_ok=True)
    if sys.platform != "win32":
        os.close(descriptor)  # only now: nobody can have taken the file over before


def _beat(path: Path) -> None:
    with suppress(OSError):
        os.utime(path)


def _open(path: Path) -> tuple[int, bool]:
    """Descriptor, and whether the file is new."""
    try:
        return os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL, 0o644), True
    except FileExistsError:
        return os.open(path, os.O_RDWR), False


def _flock(descriptor: int) -> bool | None:
    """True: held from now on; False: held by another; None: no flock here."""
    if sys.platform == "win32":
        return None
    import fcntl

    try:
        fcntl.flock(descriptor, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except BlockingIOError:
        return False
    except OSError:
        return None
    return True


def _write(descriptor: int, token: str) -> None:
    holder = {"pid": os.getpid(), "host": socket.gethostname(), "process": _PROCESS, "token": token}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(holder).encode("ascii"))


def _read(path: Path) -> dict[str, Any]:
    """Who holds a lock; empty if that cannot be read."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


def _is_left_over(path: Path, *, is_flocked: bool) -> bool:
    """Whether the run that wrote a lock file is dead.

    Args:
        path: lock file.
        is_flocked: this process has its flock, so no run of this machine has it.
    """
    holder = _read(path)
    try:
        is_old = time.time() - path.stat().st_mtime > STALE_SECONDS
    except FileNotFoundError:
        return is_flocked
    host, pid = holder.get("host"), holder.get("pid")
    if is_flocked:
        return is_old or host in (None, socket.gethostname())
    if os.name != "posix" or host != socket.gethostname() or not isinstance(pid, int):
        return is_old
    if pid == os.getpid():
        return holder.get("process") != _PROCESS
    return not _is_running(pid)


def _is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    except (PermissionError, OverflowError):
        return True
    return True


def _remove_left_over(path: Path) -> None:
    """Remove the lock file of a dead run; one process at a time, so that no live one goes."""
    guard = path.with_name(f"{path.name}.takeover")
    try:
        os.close(os.open(guard, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except OSError:
        return
    try:
        if _is_left_over(path, is_flocked=False):
            path.unlink(missing_ok=True)
    finally:
        guard.unlink(missing_ok=True)
