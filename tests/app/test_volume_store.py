"""A volume's address is a capability: per session, unguessable, short-lived."""

from collections.abc import Callable

import pytest

from app.viewer.store import VolumeStore


class Clock:
    def __init__(self) -> None:
        self.now = 0.0

    def __call__(self) -> float:
        return self.now


def make_store(
    *,
    active: set[str] | None = None,
    clock: Callable[[], float] | None = None,
    max_bytes: int = 10**9,
) -> VolumeStore:
    return VolumeStore(
        is_active=lambda session: active is None or session in active,
        clock=clock or Clock(),
        seconds_to_live=60,
        max_bytes=max_bytes,
    )


def test_same_session_and_content_keep_their_token() -> None:
    store = make_store()
    assert store.put(b"a", digest="d", session="s") == store.put(b"a", digest="d", session="s")


def test_two_sessions_get_different_tokens_for_the_same_content() -> None:
    store = make_store()
    first, second = (store.put(b"a", digest="d", session=name) for name in ("s", "t"))
    assert first != second
    assert store.get(first) == store.get(second) == b"a"


def test_token_is_long_and_unknown_tokens_are_refused() -> None:
    store = make_store()
    token = store.put(b"a", digest="d", session="s")
    assert len(token) >= 43  # 256 bits in base 64
    assert store.get(token[:-1]) is None
    assert store.get("") is None


def test_token_dies_after_its_time() -> None:
    clock = Clock()
    store = make_store(clock=clock)
    token = store.put(b"a", digest="d", session="s")
    clock.now = 59.9
    assert store.get(token) == b"a"
    clock.now = 60.0
    assert store.get(token) is None
    assert store.num_grants() == 0


def test_asking_again_renews_a_token() -> None:
    clock = Clock()
    store = make_store(clock=clock)
    token = store.put(b"a", digest="d", session="s")
    clock.now = 59.0
    assert store.put(b"a", digest="d", session="s") == token
    clock.now = 118.0
    assert store.get(token) == b"a"
    clock.now = 120.0
    assert store.get(token) is None


def test_tokens_die_with_their_session_and_leave_those_of_others() -> None:
    active = {"s", "t"}
    store = make_store(active=active)
    first, second = (store.put(b"a", digest="d", session=name) for name in ("s", "t"))
    active.remove("s")
    assert store.get(first) is None
    assert store.get(second) == b"a"


def test_memory_is_bounded_and_the_newest_volume_stays() -> None:
    store = make_store(max_bytes=25)
    tokens = [store.put(bytes(10), digest=str(n), session="s") for n in range(4)]
    kept = [store.get(token) is not None for token in tokens]
    assert kept == [False, False, True, True]


@pytest.mark.parametrize("size", [5, 50])
def test_a_volume_larger_than_the_limit_is_still_served(size: int) -> None:
    store = make_store(max_bytes=20)
    assert store.get(store.put(bytes(size), digest="d", session="s")) == bytes(size)


def test_what_a_session_deletes_is_gone_for_it_and_for_nobody_else() -> None:
    store = VolumeStore()
    mine = store.put(b"scan", digest="mine", session="a")
    shared, theirs = (store.put(b"both", digest="both", session=who) for who in "ab")
    store.forget("a")
    assert [store.get(token) for token in (mine, shared, theirs)] == [None, None, b"both"]
    assert store.num_grants() == 1
