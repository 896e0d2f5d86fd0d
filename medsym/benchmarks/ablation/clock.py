"""How many steps the trainings of an ablation do, agreed between processes.

Networks of an ablation have to do equally many steps, and how many fit into a time depends on the
machine. The rate of learning is flat until its cool-down, so the number can still be chosen, and
corrected, until the first network gets there: each process writes how far it is, one of them
decides, all obey.
"""

import math
import time
from dataclasses import dataclass
from multiprocessing.context import BaseContext
from typing import Any

DECIDE_AT = 0.1  # share of the time of a wave before which its speed is not known
MARGIN = 0.93  # of the steps that this speed would allow: other programs come and go
LEAST_STEPS = 5  # steps that say something about speed
GUARD = 0.04  # of its steps, that the fastest training is kept from its cool-down while one decides


@dataclass(frozen=True, kw_only=True, slots=True)
class SharedClock:
    """State that all processes see; every number has one writer, so there are no locks.

    Attributes:
        total: Steps of every training; 0 as long as it is undecided.
        done: Steps done, one entry per training.
        started: Time of the first step of each training, seconds since 1970; 0 before it.
        deadline: When everything has to end, seconds since 1970; infinite without a limit.
    """

    total: Any
    done: Any
    started: Any
    deadline: float

    @classmethod
    def start(
        cls, context: BaseContext, *, runs: int, total: int, deadline: float = math.inf
    ) -> "SharedClock":
        """A clock for a number of trainings."""
        return cls(
            total=context.Value("i", total, lock=False),
            done=context.Array("i", runs, lock=False),
            started=context.Array("d", runs, lock=False),
            deadline=deadline,
        )

    def finished(self, run: int) -> bool:
        """Whether a training has done all of its steps."""
        return 0 < self.total.value <= self.done[run]

    def late(self) -> bool:
        """Whether the deadline has passed."""
        return time.time() > self.deadline

    def tick(self, run: int) -> None:
        """Count a step; the time starts after the first, which is slower than the others."""
        if self.done[run] == 0:
            self.started[run] = time.time()
        self.done[run] += 1


def affordable_steps(
    clock: SharedClock,
    *,
    running: int,
    now: float,
    end: float,
    extra_steps: float,
    most: int,
    cooldown: float,
) -> int | None:
    """Steps that the slowest training can do until a time; None while that is not known.

    Args:
        clock: State of the trainings.
        running: The first so many of them run.
        now: Seconds since 1970.
        end: When they have to be done, in the same clock.
        extra_steps: What scoring costs afterwards, in steps.
        most: Upper limit.
        cooldown: Last share of the steps in which the rate of learning falls. Nobody may have
            got there yet, so the number is never smaller than that.
    """
    done, started = list(clock.done)[:running], list(clock.started)[:running]
    if min(done) <= LEAST_STEPS:
        return None
    speeds = [(d - 1) / max(now - s, 1e-3) for d, s in zip(done, started, strict=True)]
    reach = min(d + v * max(end - now, 0.0) for d, v in zip(done, speeds, strict=True))
    least = math.ceil(_guarded(max(done)) / (1.0 - min(cooldown, 0.9)))
    return min(max(math.floor(MARGIN * reach - extra_steps), least), most)


def is_final(clock: SharedClock, *, cooldown: float) -> bool:
    """Whether the fastest training is so close to its cool-down that the total has to stay."""
    flat = (1.0 - min(cooldown, 0.9)) * clock.total.value
    return bool(clock.total.value > 0 and _guarded(max(clock.done)) >= flat)


def _guarded(done: int) -> int:
    return math.ceil(done * (1.0 + GUARD)) + LEAST_STEPS
