"""Runs the converter with limits: it is a program in C that reads files of somebody else.

Where the operating system has no such limits (Windows), or not all of them (macOS has none for
memory), the program runs with those that there are, and with its limits of time and room.
"""

import importlib.util
import json
import shutil
import signal
import subprocess
import sys
import tempfile
import time
from collections.abc import Mapping, Sequence
from contextlib import suppress
from dataclasses import dataclass
from pathlib import Path
from typing import BinaryIO

from medsym.screening import archives

_GIB = 1024**3
#: By the names of Python's module resource: memory and written file in bytes, processor seconds,
#: open files. An archive that is unpacked has 8 GiB at most; a head takes a second and 0.1 GiB.
#: What it held in memory when it broke off is written nowhere: it is of a patient.
LIMITS: Mapping[str, int] = {
    "RLIMIT_AS": 8 * _GIB,
    "RLIMIT_FSIZE": 4 * _GIB,
    "RLIMIT_CPU": 600,
    "RLIMIT_NOFILE": 256,
    "RLIMIT_CORE": 0,
}
LOOK_EVERY_S = 0.25  # at the room that is taken
READ_BYTES = 64 * 1024  # of what the program says: the last
#: A process sets its limits and becomes the program. Done between fork and exec of a process with
#: threads, as preexec_fn does, it could hang.
_START = """
import json, os, resource, signal, sys
for name, most in json.loads(sys.argv[1]).items():
    kind = getattr(resource, name, None)
    if kind is None:
        continue
    hard = resource.getrlimit(kind)[1]
    if hard != resource.RLIM_INFINITY:
        most = min(most, hard)
    try:
        resource.setrlimit(kind, (most, most + 1 if hard == resource.RLIM_INFINITY else hard))
    except (OSError, ValueError):
        pass
signal.signal(signal.SIGXFSZ, signal.SIG_DFL)
os.execv(sys.argv[2], sys.argv[2:])
"""
_FULL = b"disk full"  # dcm2niix, where a file cannot be written
_NO_ROOM = "finds no room to write"


@dataclass(frozen=True, kw_only=True, slots=True)
class Ended:
    """How the program ended.

    Attributes:
        code: exit code; negative: the signal that ended it.
        exceeded: which limit it met, in words; "" for none.
        machine: what the machine did to it, in words; "" for nothing.
    """

    code: int
    exceeded: str = ""
    machine: str = ""


def run_limited(
    command: Sequence[str], *, timeout_s: float, out: Path, limits: Mapping[str, int] = LIMITS
) -> Ended:
    """Run a program with limits and wait for its end.

    Args:
        command: program and arguments.
        timeout_s: after which it is ended.
        out: folder that it writes to, all its files together not more than one may have.
        limits: as ``LIMITS``.

    Raises:
        OSError: it cannot be started.
    """
    start = [sys.executable, "-I", "-S", "-c", _START, json.dumps(dict(limits))]
    has_limits = importlib.util.find_spec("resource") is not None
    with tempfile.TemporaryFile(dir=out) as said:
        process = subprocess.Popen(
            [*(start if has_limits else ()), *command],
            stdin=subprocess.DEVNULL,
            stdout=said,
            stderr=subprocess.STDOUT,
        )
        try:
            stopped = _watch(process, timeout_s=timeout_s, out=out, limits=limits)
        finally:
            process.kill()
            process.wait()
        if stopped is not None:
            return stopped
        code = process.returncode
        if code < 0:
            return _ended_by(-code, limits)
        return Ended(code=code, machine=_NO_ROOM if code and _FULL in _last(said) else "")


def _watch(
    process: "subprocess.Popen[bytes]", *, timeout_s: float, out: Path, limits: Mapping[str, int]
) -> Ended | None:
    """Wait for a program; how it must be ended, or None when it ends by itself."""
    until, most = time.monotonic() + timeout_s, limits.get("RLIMIT_FSIZE", LIMITS["RLIMIT_FSIZE"])
    while time.monotonic() < until:
        try:
            process.wait(min(LOOK_EVERY_S, timeout_s))
        except subprocess.TimeoutExpired:
            if archives.LIMITS.reserve_bytes > shutil.disk_usage(out).free:
                return Ended(code=-1, machine=_NO_ROOM)
        if _size_of(out) > most:
            return Ended(code=-1, exceeded=_too_large(most))
        if process.returncode is not None:
            return None
    return Ended(code=-1, machine=f"did not end in {timeout_s:.0f} s")


def _size_of(folder: Path) -> int:
    """Bytes of all files, some of which may be renamed meanwhile."""
    total = 0
    for path in folder.rglob("*"):
        with suppress(OSError):
            total += path.lstat().st_size
    return total


def _last(said: BinaryIO) -> bytes:
    said.seek(max(0, said.seek(0, 2) - READ_BYTES))
    return said.read()


def _too_large(most: int) -> str:
    return f"writes more than {most / _GIB:.2g} GiB"


def _ended_by(number: int, limits: Mapping[str, int]) -> Ended:
    """A program that gets no memory breaks off in one of several ways, none of which says so."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    words = {
        "SIGXCPU": f"needs more than {limits.get('RLIMIT_CPU')} s of processor time",
        "SIGXFSZ": _too_large(limits.get("RLIMIT_FSIZE", 0)),
    }
    most = f"it may use {limits.get('RLIMIT_AS', 0) / _GIB:.2g} GiB of memory"
    words |= {fault: f"breaks off ({fault}); {most}" for fault in ("SIGSEGV", "SIGABRT", "SIGBUS")}
    if name in words:
        return Ended(code=-number, exceeded=words[name])
    return Ended(code=-number, machine=f"was ended by another program ({name})")
