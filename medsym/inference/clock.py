"""Time per stage of the analysis, and the threads it runs on."""

import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager

import torch


class StageClock:
    """Times the stages and tells a listener which one begins.

    Attributes:
        seconds: wall clock by stage.
        processor: processor seconds by stage, of all threads of this process.
    """

    def __init__(self, listener: Callable[[str], None] | None) -> None:
        self.seconds: dict[str, float] = {}
        self.processor: dict[str, float] = {}
        self._listener, self._stage = listener, ""
        self._since, self._used = time.perf_counter(), time.process_time()

    def enter(self, stage: str) -> None:
        """Begin a stage and end the one before; an empty name only ends it."""
        now, used = time.perf_counter(), time.process_time()
        if self._stage:
            self.seconds[self._stage] = round(now - self._since, 3)
            self.processor[self._stage] = round(used - self._used, 3)
        self._stage, self._since, self._used = stage, now, used
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
