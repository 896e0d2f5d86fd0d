"""Runs the converter with limits: it is a program in C that reads files of somebody else.

Where the operating system has no such limits (Windows), or not all of them (macOS has none for
memory), the program runs with those that there are, and with its time limit.
"""

import importlib.util
import json
import signal
import subprocess
import sys
from collections.abc import Mapping, Sequence
from dataclasses import dataclass

_GIB = 1024**3
#: By the names of Python's module resource: memory and written file in bytes, processor seconds,
#: open files. An archive that is unpacked has 8 GiB at most; a head takes a second and 0.1 GiB.
LIMITS: Mapping[str, int] = {
    "RLIMIT_AS": 8 * _GIB,
    "RLIMIT_FSIZE": 4 * _GIB,
    "RLIMIT_CPU": 600,
    "RLIMIT_NOFILE": 256,
}
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
    command: Sequence[str], *, timeout_s: float, limits: Mapping[str, int] = LIMITS
) -> Ended:
    """Run a program with limits and wait for its end.

    Args:
        command: program and arguments.
        timeout_s: after which it is ended.
        limits: as ``LIMITS``.

    Raises:
        OSError: it cannot be started.
    """
    start = [sys.executable, "-I", "-S", "-c", _START, json.dumps(dict(limits))]
    has_limits = importlib.util.find_spec("resource") is not None
    try:
        done = subprocess.run(
            [*(start if has_limits else ()), *command],
            capture_output=True,
            check=False,
            timeout=timeout_s,
        )
    except subprocess.TimeoutExpired:
        return Ended(code=-1, machine=f"did not end in {timeout_s:.0f} s")
    if done.returncode < 0:
        return _ended_by(-done.returncode, limits)
    full = done.returncode != 0 and _FULL in done.stdout + done.stderr
    return Ended(code=done.returncode, machine="finds no room to write" if full else "")


def _ended_by(number: int, limits: Mapping[str, int]) -> Ended:
    """A program that gets no memory breaks off in one of several ways, none of which says so."""
    name = signal.Signals(number).name if number in set(signal.Signals) else f"signal {number}"
    words = {
        "SIGXCPU": f"needs more than {limits.get('RLIMIT_CPU')} s of processor time",
        "SIGXFSZ": f"writes more than {limits.get('RLIMIT_FSIZE', 0) / _GIB:.2g} GiB",
    }
    most = f"it may use {limits.get('RLIMIT_AS', 0) / _GIB:.2g} GiB of memory"
    words |= {fault: f"breaks off ({fault}); {most}" for fault in ("SIGSEGV", "SIGABRT", "SIGBUS")}
    if name in words:
        return Ended(code=-number, exceeded=words[name])
    return Ended(code=-number, machine=f"was ended by another program ({name})")
