"""Which browser sessions were let in, as whom, and until when."""

import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

MANY_SESSIONS = 1000  # more are looked through for those that have ended


@dataclass(frozen=True, kw_only=True, slots=True)
class LogIn:
    """One log-in of a person; all tabs of a browser have the same.

    Args:
        person: name of the reader.
        issued: when the provider said so, seconds since 1970.
    """

    person: str
    issued: float


class Admissions:
    """Sessions that were let in; those of a log-in end together.

    Args:
        is_active: tells whether a session still lives.
        seconds_to_live: of a log-in.
        clock: seconds since 1970.
    """

    def __init__(
        self,
        *,
        is_active: Callable[[str], bool],
        seconds_to_live: float,
        clock: Callable[[], float] = time.time,
    ) -> None:
        self._is_active, self._clock = is_active, clock
        self._seconds_to_live = seconds_to_live
        self._sessions: dict[str, LogIn | None] = {}
        self._ended: set[LogIn] = set()
        self._guard = threading.Lock()

    def let_in(self, session: str, log_in: LogIn | None = None) -> None:
        """Admit a session; without a log-in, for as long as it lives."""
        with self._guard:
            if len(self._sessions) > MANY_SESSIONS:
                self._sessions = {s: by for s, by in self._sessions.items() if self._is_active(s)}
            self._sessions[session] = log_in

    def dismiss(self, session: str) -> None:
        """Admit a session no longer."""
        with self._guard:
            self._sessions.pop(session, None)

    def log_out(self, person: str) -> None:
        """Dismiss every session of a person, and admit none again without another log-in."""
        with self._guard:
            self._ended = {one for one in self._ended if not self._is_old(one)}
            for session, log_in in list(self._sessions.items()):
                if log_in is not None and log_in.person == person:
                    self._ended.add(log_in)
                    del self._sessions[session]

    def has_ended(self, log_in: LogIn) -> bool:
        """Whether the person has logged out since, in any tab, or the time is over."""
        with self._guard:
            return log_in in self._ended or self._is_old(log_in)

    def __contains__(self, session: object) -> bool:
        """Whether a session lives, was let in, and its log-in has not ended."""
        with self._guard:
            if not isinstance(session, str) or session not in self._sessions:
                return False
            by = self._sessions[session]
            return (by is None or not self._is_old(by)) and self._is_active(session)

    def _is_old(self, log_in: LogIn) -> bool:
        return self._clock() - log_in.issued > self._seconds_to_live
