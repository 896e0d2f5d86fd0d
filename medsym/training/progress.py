"""How a run is getting on: means of the loss, speed, share of time spent waiting, time left."""

import time
from collections.abc import Callable, Iterable, Iterator, Mapping
from dataclasses import asdict, dataclass, field
from typing import TypeVar

import torch
from torch import Tensor

Thing = TypeVar("Thing")
Clock = Callable[[], float]
FIRST_SECONDS = 1.0  # until the first line; the time between lines then doubles


class Sums:
    """Sums of the parts of the loss, kept on the device until somebody asks for their mean."""

    def __init__(self) -> None:
        self._sums: dict[str, Tensor] = {}
        self.steps = 0

    def add(self, parts: Mapping[str, Tensor]) -> None:
        """One step's parts."""
        self.steps += 1
        for name, value in parts.items():
            held = self._sums.get(name)
            self._sums[name] = value.double() if held is None else held + value

    def take(self) -> tuple[dict[str, float], int]:
        """Sums and number of steps since the last call; waits for the device once."""
        names, steps = sorted(self._sums), self.steps
        values = torch.stack([self._sums[n] for n in names]).tolist() if names else []
        self._sums, self.steps = {}, 0
        return dict(zip(names, values, strict=True)), steps


@dataclass(frozen=True, kw_only=True, slots=True)
class Report:
    """Where a run is.

    Attributes:
        step: Steps done, of ``total``.
        total: Steps of the whole run.
        loss: Mean loss since the last report, over the subjects of this process.
        parts: Its parts.
        subjects_per_second: Since the last report, all processes together.
        waiting: Share of the time since the last report spent waiting for subjects, 0 to 1.
        seconds_left: At this speed.
    """

    step: int
    total: int
    loss: float
    parts: dict[str, float] = field(default_factory=dict)
    subjects_per_second: float
    waiting: float
    seconds_left: float

    def line(self) -> str:
        """The report on one line."""
        return (
            f"{self.step}/{self.total}: loss {self.loss:.4f}, "
            f"{self.subjects_per_second:.2f} subjects/s, waiting for subjects "
            f"{100 * self.waiting:.0f} % of the time, {duration(self.seconds_left)} left"
        )

    def numbers(self) -> dict[str, object]:
        """The report as plain values."""
        return asdict(self)


def counted(
    things: Iterable[Thing],
    *,
    total: int,
    name: str,
    say: Callable[[str], None],
    every: float,
    clock: Clock = time.perf_counter,
) -> Iterator[Thing]:
    """The things, with a line now and then that says how many have come.

    Args:
        things: What is waited for.
        total: How many there will be.
        name: What they are called, in the plural.
        say: Receives the lines.
        every: Seconds between them.
        clock: Seconds, rising.
    """
    since = clock()
    for number, thing in enumerate(things, start=1):
        if clock() - since >= every and number < total:
            since = clock()
            say(f"{number} of {total} {name}")
        yield thing


def duration(seconds: float) -> str:
    """Hours and minutes, or minutes and seconds, in words."""
    whole = round(seconds)
    hours, minutes = whole // 3600, whole % 3600 // 60
    return f"{hours} h {minutes:02d} min" if hours else f"{minutes} min {whole % 60:02d} s"


class Meter:
    """Decides when to report, and measures between reports.

    Args:
        total: Steps of the whole run.
        done: Steps done before.
        subjects_per_step: Of all processes.
        every: Seconds between reports, once the run is under way.
        waited: Seconds spent waiting for subjects so far, rising.
        clock: Seconds, rising.
    """

    def __init__(
        self,
        *,
        total: int,
        done: int,
        subjects_per_step: int,
        every: float,
        waited: Clock,
        clock: Clock = time.perf_counter,
    ) -> None:
        self._total, self._step, self._subjects = total, done, subjects_per_step
        self._first = done
        self._every, self._interval = every, min(FIRST_SECONDS, every)
        self._waited, self._clock = waited, clock
        self._since, self._waited_before = clock(), waited()
        self._sums = Sums()
        self._longer: dict[str, float] = {}
        self._longer_steps = 0

    def begin(self) -> None:
        """The first batch has come; what it took to start is not the speed of the run."""
        if self._step == self._first:
            self.pause()

    def add(self, parts: Mapping[str, Tensor]) -> Report | None:
        """Count a step; a report if it is time for one."""
        self._step += 1
        self._sums.add(parts)
        if self._clock() - self._since < self._interval:
            return None
        self._interval = min(2.0 * self._interval, self._every)
        return self._report()

    def pause(self) -> None:
        """Take up time again after something that is neither training nor waiting."""
        self._collect()
        self._since, self._waited_before = self._clock(), self._waited()

    def means(self) -> dict[str, float]:
        """Mean parts per step since this was asked for the last time."""
        self._collect()
        steps, self._longer_steps = self._longer_steps, 0
        sums, self._longer = self._longer, {}
        return {name: value / steps for name, value in sums.items()}

    def _collect(self) -> tuple[dict[str, float], int]:
        sums, steps = self._sums.take()
        self._longer_steps += steps
        for name, value in sums.items():
            self._longer[name] = self._longer.get(name, 0.0) + value
        return sums, steps

    def _report(self) -> Report:
        sums, steps = self._collect()
        seconds = max(self._clock() - self._since, 1e-9)
        waited = self._waited() - self._waited_before
        self._since, self._waited_before = self._clock(), self._waited()
        parts = {name: value / steps for name, value in sums.items()}
        return Report(
            step=self._step,
            total=self._total,
            loss=sum(parts.values()),
            parts=parts,
            subjects_per_second=steps * self._subjects / seconds,
            waiting=min(waited / seconds, 1.0),
            seconds_left=(self._total - self._step) * seconds / steps,
        )
