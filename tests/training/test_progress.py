"""Progress comes soon at first, then evenly, and its numbers are those of the steps since."""

import pytest
import torch

from medsym.training.progress import FIRST_SECONDS, Meter, Report, counted, duration


class Time:
    """A clock, and time spent waiting, that the test moves."""

    def __init__(self) -> None:
        self.now = 0.0
        self.waited = 0.0

    def meter(self, **how: float) -> Meter:
        given = {"total": 100, "done": 0, "subjects_per_step": 4, "every": 8.0, **how}
        return Meter(waited=lambda: self.waited, clock=lambda: self.now, **given)  # type: ignore[arg-type]


def parts(value: float) -> dict[str, torch.Tensor]:
    return {"a": torch.tensor(value), "b": torch.tensor(2.0 * value)}


def test_reports_come_after_one_second_then_twice_as_long_each_time_up_to_the_limit() -> None:
    time = Time()
    meter = time.meter(total=1000)
    found = []
    for _ in range(400):
        time.now += 0.1
        if meter.add(parts(1.0)) is not None:
            found.append(time.now)
    gaps = [b - a for a, b in zip([0.0, *found], found, strict=False)]
    assert gaps[:4] == pytest.approx([FIRST_SECONDS, 2.0, 4.0, 8.0], abs=0.11)
    assert gaps[4:] == pytest.approx([8.0] * len(gaps[4:]), abs=0.11)


def test_a_report_holds_means_speed_waiting_and_time_left() -> None:
    time = Time()
    meter = time.meter(done=10)
    time.now, time.waited = 0.5, 0.25
    assert meter.add(parts(1.0)) is None
    time.now, time.waited = 2.0, 0.5
    report = meter.add(parts(3.0))
    assert report is not None
    assert (report.step, report.total) == (12, 100)
    assert report.parts == {"a": 2.0, "b": 4.0}
    assert report.loss == 6.0
    assert report.subjects_per_second == pytest.approx(4 * 2 / 2.0)
    assert report.waiting == pytest.approx(0.25)
    assert report.seconds_left == pytest.approx(88 * 1.0)


def test_means_run_over_all_steps_since_they_were_asked_for() -> None:
    time = Time()
    meter = time.meter()
    for value in (1.0, 2.0, 6.0):
        time.now += 1.5
        meter.add(parts(value))
    assert meter.means() == {"a": 3.0, "b": 6.0}
    meter.add(parts(8.0))
    assert meter.means() == {"a": 8.0, "b": 16.0}


def test_a_pause_counts_neither_as_training_nor_as_waiting_and_loses_no_step() -> None:
    time = Time()
    meter = time.meter()
    time.now = 0.5
    meter.add(parts(1.0))
    time.now, time.waited = 50.0, 20.0
    meter.pause()
    time.now, time.waited = 52.0, 21.0
    report = meter.add(parts(3.0))
    assert report is not None
    assert report.subjects_per_second == pytest.approx(2.0)
    assert report.waiting == pytest.approx(0.5)
    assert meter.means() == {"a": 2.0, "b": 4.0}


def test_the_time_until_the_first_batch_is_not_the_speed_of_the_run() -> None:
    time = Time()
    meter = time.meter(done=4)
    time.now, time.waited = 60.0, 60.0
    meter.begin()
    time.now = 62.0
    report = meter.add(parts(1.0))
    assert report is not None
    assert report.subjects_per_second == pytest.approx(2.0)
    assert report.waiting == 0.0
    time.now = 63.0
    meter.begin()  # of a later step: nothing
    time.now = 64.0
    second = meter.add(parts(1.0))
    assert second is not None
    assert second.subjects_per_second == pytest.approx(2.0)


def test_counting_says_where_it_is_now_and_then_and_loses_nothing() -> None:
    times = iter(range(0, 1000, 4))
    lines: list[str] = []
    found = list(
        counted(
            range(9),
            total=9,
            name="heads",
            say=lines.append,
            every=10.0,
            clock=lambda: float(next(times)),
        )
    )
    assert found == list(range(9))
    assert lines[0] == "3 of 9 heads"
    assert 1 < len(lines) < 5


def test_the_line_says_everything_in_words() -> None:
    report = Report(
        step=3, total=9, loss=0.5, subjects_per_second=2.5, waiting=0.25, seconds_left=3700.0
    )
    assert report.line() == (
        "3/9: loss 0.5000, 2.50 subjects/s, waiting for subjects 25 % of the time, 1 h 01 min left"
    )
    assert duration(61.0) == "1 min 01 s"
