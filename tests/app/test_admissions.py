"""A session is let in until its log-in ends, in whatever tab and for whatever reason."""

from app.admissions import Admissions, LogIn

HOUR = 3600.0


class Clock:
    now = 1000.0

    def __call__(self) -> float:
        return self.now


def has_ended(known: Admissions, log_in: LogIn) -> bool:
    """Whether another tab with this log-in is refused; the tab is closed at once."""
    is_in = known.let_in("another tab", log_in)
    assert ("another tab" in known) is is_in
    known.dismiss("another tab")
    return not is_in


def test_logging_out_ends_all_sessions_of_that_person_alone() -> None:
    known = Admissions(is_active=lambda _: True, seconds_to_live=HOUR, clock=Clock())
    first, second = (LogIn(person="anna", issued=time) for time in (900.0, 950.0))
    other = LogIn(person="ben", issued=900.0)
    for session, log_in in (("a1", first), ("a2", first), ("a3", second), ("b", other)):
        known.let_in(session, log_in)
    known.let_in("local")
    known.log_out("anna")
    assert [s in known for s in ("a1", "a2", "a3", "b", "local")] == [False] * 3 + [True] * 2
    assert has_ended(known, first)
    assert has_ended(known, second)
    assert not has_ended(known, other)
    assert not has_ended(known, LogIn(person="anna", issued=1001.0))


def test_a_log_out_ends_log_ins_of_browsers_that_were_never_open() -> None:
    clock = Clock()
    known = Admissions(is_active=lambda _: True, seconds_to_live=HOUR, clock=clock)
    clock.now = 2000.7
    known.let_in("a", LogIn(person="anna", issued=1500.0))
    known.log_out("anna")
    for issued, is_over in ((1000.0, True), (1999.0, True), (2000.0, False), (2002.0, False)):
        assert has_ended(known, LogIn(person="anna", issued=issued)) is is_over
        assert not has_ended(known, LogIn(person="ben", issued=issued))
    clock.now = 2100.0
    ahead = LogIn(person="anna", issued=2130.0)  # by the provider's clock
    known.let_in("b", ahead)
    known.log_out("anna")
    assert has_ended(known, ahead)
    clock.now = 2101.0
    known.log_out("anna")
    assert has_ended(known, ahead), "another log-out takes nothing back"


def test_an_idle_tab_is_out_when_the_log_in_is_too_old() -> None:
    clock = Clock()
    known = Admissions(is_active=lambda _: True, seconds_to_live=HOUR, clock=clock)
    log_in = LogIn(person="anna", issued=1000.0)
    known.let_in("a", log_in)
    known.let_in("local")
    clock.now += HOUR
    assert "a" in known
    clock.now += 1
    assert "a" not in known
    assert has_ended(known, log_in)
    assert "local" in known


def test_who_has_gone_is_not_in() -> None:
    alive = {"a"}
    known = Admissions(is_active=alive.__contains__, seconds_to_live=HOUR, clock=Clock())
    known.let_in("a")
    assert "a" in known
    alive.clear()
    assert "a" not in known


def test_a_tab_that_was_on_its_way_in_does_not_get_past_a_log_out() -> None:
    known = Admissions(is_active=lambda _: True, seconds_to_live=HOUR, clock=Clock())
    log_in = LogIn(person="anna", issued=900.0)
    assert known.let_in("a", log_in)
    known.log_out("anna")
    assert not known.let_in("b", log_in)
    assert "b" not in known


def test_a_log_out_counts_for_every_spelling_that_the_list_of_readers_takes() -> None:
    known = Admissions(is_active=lambda _: True, seconds_to_live=HOUR, clock=Clock())
    assert known.let_in("a", LogIn(person="Anna@a.example", issued=900.0))
    known.log_out("anna@A.example")
    assert "a" not in known
    assert has_ended(known, LogIn(person="ANNA@a.example", issued=950.0))
    assert not has_ended(known, LogIn(person="ann\u00c4@a.example", issued=950.0))
