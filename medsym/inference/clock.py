"""Time per stage of the analysis."""

import time
from collections.abc import Callable


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
