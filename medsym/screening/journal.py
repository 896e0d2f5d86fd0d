"""The journal of an output folder: one line of JSON per event, only ever appended.

It tells people what happened, when, where and at what cost. Nothing is decided by it: whether a
case is done is said by its record alone, so a journal may be cut, torn or deleted. Times and other
numbers that differ between equal runs stand here and nowhere else.
"""

import json
import os
import socket
import sys
import time
from collections.abc import Iterator
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsym import __version__

JOURNAL = "journal.jsonl"


def journal_path(out: Path) -> Path:
    """The journal of an output folder."""
    return out / "logs" / JOURNAL


def append(out: Path, event: str, **facts: Any) -> None:
    """Append one event; a journal that cannot be written does not stop a run.

    The line goes out in one write to the end of the file, behind a line break if the last writer
    died within its line. Writers of several processes take turns where the system can lock files.

    Args:
        out: output folder.
        event: what happened, such as "done".
        facts: plain JSON values; ``case`` names the scan. No paths: they may hold names of people.
    """
    line = {"time": _now(), "event": event, "host": socket.gethostname(), "version": __version__}
    data = json.dumps({**line, **facts}, allow_nan=False).encode("ascii") + b"\n"
    with suppress(OSError):
        descriptor = os.open(journal_path(out), os.O_RDWR | os.O_CREAT | os.O_APPEND, 0o644)
        try:
            _take_turn(descriptor)
            os.write(descriptor, (b"\n" if _is_torn(descriptor) else b"") + data)
        finally:
            os.close(descriptor)


def read_journal(out: Path) -> Iterator[dict[str, Any]]:
    """Events of an output folder, oldest first; lines that are no event are left out."""
    path = journal_path(out)
    if not path.is_file():
        return
    with path.open(encoding="utf-8", errors="replace") as stream:
        for line in stream:
            try:
                event = json.loads(line)
            except (ValueError, RecursionError):
                continue
            if isinstance(event, dict) and isinstance(event.get("event"), str):
                yield event


def process_cost() -> dict[str, float | int | None]:
    """What this process has used: processor time (user and system, s) and peak memory (MiB)."""
    used = time.process_time()
    if sys.platform == "win32":
        return {"cpu_s": round(used, 3), "peak_mib": None}
    import resource

    peak = resource.getrusage(resource.RUSAGE_SELF).ru_maxrss
    unit = 2**20 if sys.platform == "darwin" else 2**10  # bytes there, KiB elsewhere
    return {"cpu_s": round(used, 3), "peak_mib": round(peak / unit)}


def _now() -> str:
    return time.strftime("%Y-%m-%dT%H:%M:%SZ", time.gmtime())


def _is_torn(descriptor: int) -> bool:
    """Whether the last line lacks its end."""
    if not os.fstat(descriptor).st_size:
        return False
    os.lseek(descriptor, -1, os.SEEK_END)
    return os.read(descriptor, 1) != b"\n"


def _take_turn(descriptor: int) -> None:
    """Wait for the other writers; the turn ends with the file's closing."""
    if sys.platform == "win32":
        return
    import fcntl

    with suppress(OSError):  # a file system without locks: the one write has to do
        fcntl.flock(descriptor, fcntl.LOCK_EX)
