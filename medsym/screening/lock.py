"""One run per output folder, one worker per case: files with process, host, token and heartbeat.

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
CASE_LOCKS = "locks"
LOCKED_CODE = "MS-151"
#: A lock of another machine (or where processes cannot be asked after) without a heartbeat for this
#: long belongs to a run that died. A scan takes seconds, and the heartbeat is renewed with each.
STALE_SECONDS = 3600.0
#: A lock file may vanish while it is opened; more often than this it does not.
_ATTEMPTS = 5
#: A stage of a scan takes seconds, and the heartbeat of its case is renewed with each.
_STALE_CASE_SECONDS = 900.0
#: How long a worker waits for another that screens the same case: until it is done, or known dead.
_WAIT_FOR_CASE_SECONDS = _STALE_CASE_SECONDS + 60.0
_POLL_SECONDS = 1.0
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
    with hold(out / LOCK_FILE, error=locked_error(out)) as beat:
        yield beat


def locked_error(out: Path) -> OutputError:
    """Another run is writing into a folder."""
    return OutputError(
        code=LOCKED_CODE,
        subject=str(out),
        cause="another run is writing into this folder",
        fix="wait for it, or delete .medsym*.lock* in it if you are sure that none is",
    )


@contextmanager
def case_lock(out: Path, case: str) -> Iterator[Callable[[], None]]:
    """Hold one case of an output folder; waits for another worker that is writing it.

    Two workers can meet at one case when a cluster takes a machine for lost that goes on working.

    Yields:
        The heartbeat, to be called from time to time.

    Raises:
        OutputError: MS-561 if another worker is still at it after 16 minutes.
    """
    locks = out / "logs" / CASE_LOCKS
    locks.mkdir(parents=True, exist_ok=True)
    error = OutputError(
        code="MS-561",
        subject=case,
        cause="another worker is writing this case",
        fix="run the same command again when it is done",
    )
    path = locks / f"{case}.lock"
    stale, patience = _STALE_CASE_SECONDS, _WAIT_FOR_CASE_SECONDS
    with hold(path, error=error, stale_s=stale, wait_s=patience) as beat:
        yield beat


@contextmanager
def hold(
    path: Path, *, error: OutputError, stale_s: float = STALE_SECONDS, wait_s: float = 0.0
) -> Iterator[Callable[[], None]]:
    """Hold a lock file; one left by a dead process is taken over.

    Args:
        path: lock file; its folder exists.
        error: raised if another process holds it.
        stale_s: age in seconds at which a lock that nobody can be asked about counts as left.
        wait_s: seconds to wait for another holder.

    Yields:
        The heartbeat, to be called from time to time.
    """
    token, end = secrets.token_hex(16), time.monotonic() + wait_s
    while (descriptor := _acquire(path, token, stale_s=stale_s)) is None:
        if time.monotonic() >= end:
            raise error
        time.sleep(_POLL_SECONDS)
    try:
        yield partial(_beat, path)
    finally:
        _release(path, descriptor, token)


def _acquire(path: Path, token: str, *, stale_s: float) -> int | None:
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
        if is_ours and (is_new or _is_left_over(path, is_flocked=True, stale_s=stale_s)):
            _write(descriptor, token)
            if _read(path).get("token") == token:  # else the file was removed before flock
                return descriptor
        os.close(descriptor)
        if flocked is None and not is_new:
            _remove_left_over(path, stale_s=stale_s)
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


def _is_left_over(path: Path, *, is_flocked: bool, stale_s: float) -> bool:
    """Whether the run that wrote a lock file is dead.

    Args:
        path: lock file.
        is_flocked: this process has its flock, so no run of this machine has it.
        stale_s: age in seconds at which it is left if nothing else is known.
    """
    holder = _read(path)
    try:
        is_old = time.time() - path.stat().st_mtime > stale_s
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


def _remove_left_over(path: Path, *, stale_s: float) -> None:
    """Remove the lock file of a dead run; one process at a time, so that no live one goes."""
    guard = path.with_name(f"{path.name}.takeover")
    try:
        os.close(os.open(guard, os.O_CREAT | os.O_EXCL | os.O_WRONLY, 0o644))
    except OSError:
        return
    try:
        if _is_left_over(path, is_flocked=False, stale_s=stale_s):
            path.unlink(missing_ok=True)
    finally:
        guard.unlink(missing_ok=True)
