"""Lines for the person at the terminal, and numbers in the file that they asked for."""

import os
import signal
import sys
import threading
from collections.abc import Iterator
from contextlib import contextmanager, suppress
from pathlib import Path
from types import FrameType
from typing import TYPE_CHECKING, TextIO

from medsym.errors import MedsymError, one_line
from medsym.strict_json import to_json
from medsym.volumes.output_file import write_atomically

if TYPE_CHECKING:
    from medsym.screening.progress import Progress

EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_LOCKED = 0, 1, 2, 75
EXIT_UNFINISHED = EXIT_LOCKED  # sysexits.h: a temporary failure, try again later


def say(text: str) -> None:
    """Write one line to standard output."""
    _write(sys.stdout, one_line(text) + "\n")


def complain(text: str) -> None:
    """Write one line to standard error."""
    _write(sys.stderr, one_line(text) + "\n")


def show(table: str, *, numbers: object, path: Path | None) -> None:
    """Print a table; write the same numbers as JSON if a file was asked for."""
    for line in table.splitlines():
        say(line)
    write_numbers(numbers, path=path)


def write_numbers(numbers: object, *, path: Path | None) -> None:
    """Write what was measured as JSON, if a file was asked for."""
    if path is not None:
        write_atomically(path, to_json(numbers).encode())
        say(f"numbers in {path}")


def _write(stream: TextIO | None, text: str) -> None:
    """Write at once; neither a reader that is gone nor a poor encoding stops a batch."""
    if stream is None:  # the process was started without it
        return
    encoding = stream.encoding or "utf-8"
    try:
        stream.write(text.encode(encoding, "backslashreplace").decode(encoding))
        stream.flush()
    except (OSError, ValueError):
        _discard(stream)


def _discard(stream: TextIO) -> None:
    """Send what a stream still holds nowhere; else the interpreter complains about it at exit."""
    with suppress(OSError, ValueError):
        number = stream.fileno()
        nowhere = os.open(os.devnull, os.O_WRONLY)
        os.dup2(nowhere, number)
        os.close(nowhere)


@contextmanager
def stoppable() -> Iterator[None]:
    """While open, a request to end this process (SIGTERM) interrupts it as Ctrl+C does.

    A second request is ignored: it would cut off what is written after the first.
    """
    if threading.current_thread() is not threading.main_thread():
        yield  # only the main thread may set handlers
        return

    def stop(number: int, _frame: FrameType | None) -> None:
        signal.signal(number, signal.SIG_IGN)
        raise KeyboardInterrupt

    before = signal.signal(signal.SIGTERM, stop)
    try:
        yield
    finally:
        signal.signal(signal.SIGTERM, before)


def _is_terminal(stream: TextIO | None) -> bool:
    return stream is not None and not stream.closed and stream.isatty()


class ProgressLine:
    """One line per scan: rewritten in place on a terminal, final stage only elsewhere."""

    _FINAL = ("done", "resumed", "not assessable", "refused")

    def __init__(self, *, terminal: bool | None = None) -> None:
        self._terminal = _is_terminal(sys.stdout) if terminal is None else terminal

    def __call__(self, progress: "Progress") -> None:
        """Show where a run is."""
        final = progress.stage in self._FINAL
        line = one_line(
            f"[{progress.number}/{progress.total}] {progress.name}  {progress.stage}  "
            f"{progress.seconds:.1f} s"
        )
        if self._terminal:
            _write(sys.stdout, f"\r\x1b[2K{line}" + ("\n" if final else ""))
        elif final:
            say(line)
        if isinstance(progress.error, MedsymError):
            complain(str(progress.error))
