"""Which case each reader looks at: what is made for them stays, and everything else may end."""

import threading
from collections import Counter
from collections.abc import Callable, Iterator
from contextlib import contextmanager


class Looking:
    """Names of cases by reader, one each, and of those that a page or a link waits for."""

    def __init__(self) -> None:
        self.is_active: Callable[[str], bool] = lambda _reader: True
        self._cases: dict[str, str] = {}
        self._waits: Counter[str] = Counter()
        self._lock = threading.Lock()

    def look(self, reader: str, name: str) -> None:
        """A reader looks at a case, and at the one before no more."""
        with self._lock:
            self._cases[reader] = name

    def leave(self, reader: str) -> None:
        """A reader looks at none."""
        with self._lock:
            self._cases.pop(reader, None)

    @contextmanager
    def wait(self, name: str) -> Iterator[None]:
        """Somebody waits for a case, whatever the readers look at meanwhile."""
        with self._lock:
            self._waits[name] += 1
        try:
            yield
        finally:
            with self._lock:
                self._waits[name] -= 1
                self._waits = +self._waits

    def names(self) -> set[str]:
        """Cases that somebody looks at or waits for; readers who have ended are forgotten."""
        with self._lock:
            self._cases = {who: case for who, case in self._cases.items() if self.is_active(who)}
            return {*self._cases.values(), *self._waits}
