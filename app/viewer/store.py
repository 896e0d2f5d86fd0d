"""Volumes waiting for the browser, each behind an unguessable address that belongs to one session.

Nothing here is shared between sessions but the bytes: a token of one session never names a volume
that another session did not ask for itself, and tokens end with their session or after their time.
"""

import secrets
import threading
import time
from collections import OrderedDict
from collections.abc import Callable
from dataclasses import dataclass, replace

TOKEN_BYTES = 32  # 256 bits
SECONDS_TO_LIVE = 4 * 3600.0  # a reading session; the page asks for new tokens when it reruns
MAX_GRANTS = 20_000  # tokens at one time; the oldest go first
MAX_BYTES = 1024**3  # bodies kept in memory; the least recently used go first


@dataclass(frozen=True, kw_only=True, slots=True)
class _Grant:
    session: str
    digest: str
    expires: float


class VolumeStore:
    """Bodies by content, grants by token.

    Args:
        is_active: tells whether a session still lives; its tokens die with it.
        clock: seconds, monotonic.
        seconds_to_live: lifetime of a token.
        max_bytes: upper limit of the bodies kept.
        max_grants: upper limit of the tokens kept.
    """

    def __init__(
        self,
        *,
        is_active: Callable[[str], bool] = lambda _session: True,
        clock: Callable[[], float] = time.monotonic,
        seconds_to_live: float = SECONDS_TO_LIVE,
        max_bytes: int = MAX_BYTES,
        max_grants: int = MAX_GRANTS,
    ) -> None:
        self._is_active = is_active
        self._clock = clock
        self._seconds_to_live = seconds_to_live
        self._max_bytes = max_bytes
        self._max_grants = max_grants
        self._bodies: OrderedDict[str, bytes] = OrderedDict()
        self._grants: dict[str, _Grant] = {}
        self._lock = threading.Lock()

    def put(self, body: bytes, *, digest: str, session: str) -> str:
        """Keep `body` and return this session's token for it; while valid the same, renewed."""
        with self._lock:
            self._forget()
            expires = self._clock() + self._seconds_to_live
            self._bodies[digest] = body
            self._bodies.move_to_end(digest)
            self._shrink(keep=digest)
            for token, grant in self._grants.items():
                if grant.session == session and grant.digest == digest:
                    self._grants[token] = replace(grant, expires=expires)
                    return token
            while len(self._grants) >= self._max_grants:
                del self._grants[next(iter(self._grants))]
            token = secrets.token_urlsafe(TOKEN_BYTES)
            self._grants[token] = _Grant(session=session, digest=digest, expires=expires)
            return token

    def get(self, token: str) -> bytes | None:
        """Body behind a token, or None when it is unknown, expired, or its session has ended."""
        with self._lock:
            self._forget()
            grant = self._grants.get(token)
            if grant is None or grant.digest not in self._bodies:
                return None
            self._bodies.move_to_end(grant.digest)
            return self._bodies[grant.digest]

    def owner(self, token: str) -> str | None:
        """The session that a token belongs to, or None when `get` would find nothing."""
        with self._lock:
            self._forget()
            grant = self._grants.get(token)
            return None if grant is None else grant.session

    def forget(self, session: str) -> None:
        """Take back all tokens of a session, and the bodies that nobody else asked for."""
        with self._lock:
            for token, grant in list(self._grants.items()):
                if grant.session == session:
                    del self._grants[token]
            self._forget()

    def num_grants(self) -> int:
        """Number of valid tokens."""
        with self._lock:
            self._forget()
            return len(self._grants)

    def _forget(self) -> None:
        now = self._clock()
        active: dict[str, bool] = {}
        for token, grant in list(self._grants.items()):
            if grant.session not in active:
                active[grant.session] = self._is_active(grant.session)
            if grant.expires <= now or not active[grant.session]:
                del self._grants[token]
        wanted = {grant.digest for grant in self._grants.values()}
        for digest in [digest for digest in self._bodies if digest not in wanted]:
            del self._bodies[digest]

    def _shrink(self, *, keep: str) -> None:
        total = sum(len(body) for body in self._bodies.values())
        while total > self._max_bytes and len(self._bodies) > 1:
            digest = next(iter(self._bodies))
            if digest == keep:
                self._bodies.move_to_end(digest)
                digest = next(iter(self._bodies))
            total -= len(self._bodies.pop(digest))
