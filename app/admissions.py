"""Which browser sessions were let in, as whom, and until when.

A log-out is a time: what the provider said about that person before it counts no more, in whatever
browser the cookie with it lies. It is kept in memory, so a new start of the server forgets it.
"""

import math
import threading
import time
from collections.abc import Callable
from dataclasses import dataclass

from medsym.commands.view_access import lower_ascii

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
    """Sessions that were let in; those of a person end together.

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
        self._left: dict[str, float] = {}  # the last moment of log-ins that have ended, by person
        self._guard = threading.Lock()

    def let_in(self, session: str, log_in: LogIn | None = None) -> bool:
        """Admit a session; without a log-in, for as long as it lives.

        Returns:
            Whether it is in: not if the person has logged out since that log-in, in any browser, or
            the time is over. Asked and done in one step, so that no log-out falls in between.
        """
        with self._guard:
            if log_in is not None and self._has_ended(log_in):
                self._sessions.pop(session, None)
                return False
            if len(self._sessions) > MANY_SESSIONS:
                self._sessions = {s: by for s, by in self._sessions.items() if self._is_active(s)}
            self._sessions[session] = log_in
            return True

    def dismiss(self, session: str) -> None:
        """Admit a session no longer."""
        with self._guard:
            self._sessions.pop(session, None)

    def log_out(self, person: str) -> None:
        """Dismiss every session of a person, and admit none again without another log-in.

        Providers count whole seconds, so a log-in within the second of the log-out is a new one,
        unless it is open here: the clock of the provider may be ahead. The case of ASCII letters
        does not matter, as in the list of readers.
        """
        name = lower_ascii(person)
        with self._guard:
            now = self._clock()
            self._left = {who: at for who, at in self._left.items() if not self._is_old_at(at)}
            last = math.floor(now) - 1.0
            for session, log_in in list(self._sessions.items()):
                if log_in is not None and lower_ascii(log_in.person) == name:
                    last = max(last, log_in.issued)
                    del self._sessions[session]
            self._left[name] = max(last, self._left.get(name, last))

    def __contains__(self, session: object) -> bool:
        """Whether a session lives, was let in, and its log-in has not ended."""
        with self._guard:
            if not isinstance(session, str) or session not in self._sessions:
                return False
            by = self._sessions[session]
            return (by is None or not self._is_old_at(by.issued)) and self._is_active(session)

    def _has_ended(self, log_in: LogIn) -> bool:
        left = self._left.get(lower_ascii(log_in.person))
        has_left = left is not None and log_in.issued <= left
        return has_left or self._is_old_at(log_in.issued)

    def _is_old_at(self, issued: float) -> bool:
        return self._clock() - issued > self._seconds_to_live
