"""Lines for the person at the terminal."""

import sys
from typing import TYPE_CHECKING

from medsym.errors import MedsymError, one_line

if TYPE_CHECKING:
    from medsym.screening.runner import Progress

EXIT_OK, EXIT_REFUSED, EXIT_USAGE, EXIT_LOCKED = 0, 1, 2, 75


def say(text: str) -> None:
    """Write one line to standard output."""
    sys.stdout.write(one_line(text) + "\n")
    sys.stdout.flush()


def complain(text: str) -> None:
    """Write one line to standard error."""
    sys.stderr.write(one_line(text) + "\n")
    sys.stderr.flush()


class ProgressLine:
    """One line per scan: rewritten in place on a terminal, final stage only elsewhere."""

    _FINAL = ("done", "resumed", "not assessable", "refused")

    def __init__(self, *, terminal: bool | None = None) -> None:
        self._terminal = sys.stdout.isatty() if terminal is None else terminal

    def __call__(self, progress: "Progress") -> None:
        """Show where a run is."""
        final = progress.stage in self._FINAL
        line = one_line(
            f"[{progress.number}/{progress.total}] {progress.name}  {progress.stage}  "
            f"{progress.seconds:.1f} s"
        )
        if self._terminal:
            sys.stdout.write(f"\r\x1b[2K{line}" + ("\n" if final else ""))
            sys.stdout.flush()
        elif final:
            say(line)
        if isinstance(progress.error, MedsymError):
            complain(str(progress.error))
