"""Ending a long run in order: the first request is noted, the second interrupts at once."""

import os
import signal
import threading
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from types import FrameType

_NOTED = b"\nstopping after this step; press Ctrl+C again to stop at once\n"
_REASONS = {signal.SIGINT: "interrupted", signal.SIGTERM: "asked to end"}


@contextmanager
def requests_to_stop() -> Iterator[Callable[[], str]]:
    """While open, Ctrl+C and SIGTERM are noted; calling what is given says which came, or "".

    A second Ctrl+C raises KeyboardInterrupt. A second SIGTERM changes nothing: it would cut off
    what is written after the first.
    """
    found: list[str] = []

    def note(number: int, _frame: FrameType | None) -> None:
        if found and number == signal.SIGINT:
            raise KeyboardInterrupt
        found.append(_REASONS[signal.Signals(number)])
        if number == signal.SIGINT:
            os.write(2, _NOTED)  # a handler must not enter Python's own buffers

    if threading.current_thread() is not threading.main_thread():
        yield lambda: ""  # only the main thread may set handlers
        return
    before = {number: signal.signal(number, note) for number in _REASONS}
    try:
        yield lambda: found[0] if found else ""
    finally:
        for number, handler in before.items():
            signal.signal(number, handler)
