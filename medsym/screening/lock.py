"""One run per output folder, one worker per case: files with process, machine and token.

Where there is flock, the kernel knows whether the run that wrote a lock file is alive; whether the
file is of this kernel is said by its boot number, because a container's host name is new with every
start. Elsewhere whoever creates the file holds it, and a file left by a dead run is known by its
process. A file of another machine is touched every half minute while its run lives, and is left
over when it was not for five. The token lets a run remove its own file only.
"""

import json
import os
import secrets
import socket
import sys
import tempfile
import threading
import time
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from functools import lru_cache
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.volumes.output_file import check_parent

LOCK_FILE = ".medsym.lock"
CASE_LOCKS = "locks"
CASE_SUFFIX = ".lock"
LOCKED_CODE = "MS-151"
#: A held lock file is touched this often.
_BEAT_SECONDS = 30.0
#: A lock of another machine (or where processes cannot be asked after) that was not touched for
#: this long belongs to a run that died: ten times missed. Network file systems may show a change
#: up to a minute late.
STALE_SECONDS = 300.0
#: A lock file may vanish while it is opened; more often than this it does not.
_ATTEMPTS = 5
#: How long a worker waits for another that screens the same case: until it is done, or known dead.
_WAIT_FOR_CASE_SECONDS = STALE_SECONDS + 60.0
_POLL_SECONDS = 1.0
#: Tells this process from a dead one with the same number: containers always start with 1.
_PROCESS = secrets.token_hex(16)
_BOOT = Path("/proc/sys/kernel/random/boot_id")


@contextmanager
def output_lock(out: Path) -> Iterator[None]:
    """Hold the lock of an output folder; a lock left by a dead run is taken over.

    Raises:
        OutputError: MS-151 if another run holds it.
    """
    with hold(out / LOCK_FILE, error=locked_error(out)):
        yield


def locked_error(out: Path) -> OutputError:
    """Another run is writing into a folder."""
    return OutputError(
        code=LOCKED_CODE,
        subject=str(out),
        cause="another run is writing into this folder",
        fix="wait for it, or delete .medsym*.lock* in it if you are sure that none is",
    )


@contextmanager
def case_lock(out: Path, case: str, *, wait_s: float = _WAIT_FOR_CASE_SECONDS) -> Iterator[None]:
    """Hold one case of an output folder; waits for another worker that is writing it.

    Two workers can meet at one case when a cluster takes a machine for lost that goes on working.

    Raises:
        OutputError: MS-561 another worker is still at it after 6 minutes, MS-140 no such folder.
    """
    locks = out / "logs" / CASE_LOCKS
    for folder in (locks.parent, locks):  # a late worker must not bring back a removed ``out``
        check_parent(folder)
        folder.mkdir(exist_ok=True)
    error = OutputError(
        code="MS-561",
        subject=case,
        cause="another worker is writing this case",
        fix="run the same command again when it is done",
    )
    with hold(locks / f"{case}{CASE_SUFFIX}", error=error, wait_s=wait_s):
        yield


@contextmanager
def hold(path: Path, *, error: OutputError, wait_s: float = 0.0) -> Iterator[None]:
    """Hold a lock file; one left by a dead process is taken over.

    Args:
        path: lock file; its folder exists.
        error: raised if another process holds it.
        wait_s: seconds to wait for another holder.
    """
    token, end = secrets.token_hex(16), time.monotonic() + wait_s
    while (descriptor := _acquire(path, token)) is None:
        if time.monotonic() >= end:
            raise error
        time.sleep(_POLL_SECONDS)
    ended = threading.Event()
    threading.Thread(target=_keep_touched, args=(path, ended), daemon=True).start()
    try:
        yield
    finally:
        ended.set()
        _release(path, descriptor, token)


def _keep_touched(path: Path, ended: threading.Event) -> None:
    while not ended.wait(_BEAT_SECONDS):
        with suppress(OSError):
            os.utime(path)


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
    here = {"pid": os.getpid(), "host": socket.gethostname(), "boot": _boot()}
    holder = {**here, "process": _PROCESS, "token": token}
    os.ftruncate(descriptor, 0)
    os.write(descriptor, json.dumps(holder).encode("ascii"))


def _read(path: Path) -> dict[str, Any]:
    """Who holds a lock; empty if that cannot be read."""
    try:
        holder = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError):
        return {}
    return holder if isinstance(holder, dict) else {}


@lru_cache(maxsize=1)
def _boot() -> str | None:
    """Number of this start of the kernel, the same in all its containers; None: not told."""
    with suppress(OSError):
        return _BOOT.read_text(encoding="ascii").strip()
    return None


def _is_left_over(path: Path, *, is_flocked: bool) -> bool:
    """Whether the run that wrote a lock file is dead.

    Args:
        path: lock file.
        is_flocked: this process has its flock, so no run of this machine has it.
    """
    holder = _read(path)
    try:
        is_old = age_s(path) > STALE_SECONDS
    except FileNotFoundError:
        return is_flocked
    host, pid = holder.get("host"), holder.get("pid")
    if is_flocked:
        is_this_kernel = _boot() is not None and holder.get("boot") == _boot()
        return is_old or is_this_kernel or host in (None, socket.gethostname())
    if os.name != "posix" or host != socket.gethostname() or not isinstance(pid, int):
        return is_old
    if pid == os.getpid():
        return holder.get("process") != _PROCESS
    return not _is_running(pid)


def age_s(path: Path) -> float:
    """Seconds since a file was touched, by the clock that stamps files in its folder."""
    with tempfile.TemporaryFile(dir=path.parent) as probe:
        return os.fstat(probe.fileno()).st_mtime - path.stat().st_mtime


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
