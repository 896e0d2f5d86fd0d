"""Time per stage of the analysis, and the threads it runs on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class StageClock:
    """Times the stages and tells a listener which one begins."""

    def __init__(self, listener: Callable[[str], None] | None) -> None:
        self.seconds: dict[str, float] = {}
        self._listener, self._stage, self._since = listener, "", time.perf_counter()

    def enter(self, stage: str) -> None:
        """Begin a stage and end the one before; an empty name only ends it."""
        now = time.perf_counter()
        if self._stage:
            self.seconds[self._stage] = round(now - self._since, 3)
        self._stage, self._since = stage, now
        if stage and self._listener:
            self._listener(stage)


@contextmanager
def one_thread() -> Iterator[None]:
    """Run torch on one thread: the plane search makes many small steps, which threads slow down.

    Measured on two cores shared with other work: 2 to 4 s with one thread, 9 to 60 s with two.
    """
    before = torch.get_num_threads()
    torch.set_num_threads(1)
    try:
        yield
    finally:
        torch.set_num_threads(before)
