"""Hands scans to an executor and collects how they ended; what dies is tried once more, alone."""

from collections.abc import Callable, Iterable, Iterator, Sequence
from concurrent.futures import FIRST_COMPLETED, Executor, Future, wait
from dataclasses import dataclass
from itertools import islice
from pathlib import Path
from typing import Any

from medsym.errors import MedsymError, OutputError
from medsym.screening import journal
from medsym.screening.progress import ScanReport, refused
from medsym.screening.workers.tasks import Numbered, read_answer, task_text

#: Seconds between looks at news while nothing is finished.
_LOOK_S = 0.2
Unit = tuple[Numbered, ...]
Work = Callable[[str], str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Fleet:
    """An executor and how to use it.

    Attributes:
        executor: anything with the interface of ``concurrent.futures.Executor`` whose workers see
            input, output and model folders under the same paths.
        work: what a worker does with the text of a task; a function at the top of a module.
        at_once: tasks that are given out and not finished, at most.
        scans_per_task: scans of a task.
        retries_at_once: as ``at_once``, for second attempts; 1 gives a scan that ran out of memory
            all of it.
        news: called often while waiting, to hand on what workers tell.
        stop: ends the work of a run that was stopped, as far as the executor can; by default the
            executor is shut down and its futures are cancelled.
    """

    executor: Executor
    work: Work
    at_once: int
    scans_per_task: int = 1
    retries_at_once: int = 1
    news: Callable[[], None] = lambda: None
    stop: Callable[[], None] | None = None

    def end(self) -> None:
        """End all work at once."""
        if self.stop is None:
            self.executor.shutdown(cancel_futures=True)
        else:
            self.stop()


def reports_of(
    scans: Sequence[Numbered],
    *,
    plan: str,
    fleet: Fleet,
    lost: Callable[[Numbered, str], None],
) -> Iterator[ScanReport]:
    """How scans ended, in the order in which they did.

    Args:
        scans: what is to be screened, with their numbers.
        plan: text of the run's plan.
        fleet: who does it.
        lost: told about every attempt that was lost with its worker, and why.

    Raises:
        MedsymError: what concerns the whole run, such as a model that workers cannot load.
    """
    again: list[Numbered] = []
    source = iter(scans)
    units = iter(lambda: tuple(islice(source, fleet.scans_per_task)), ())
    for unit, outcome in _each(units, plan=plan, fleet=fleet, at_once=fleet.at_once):
        if isinstance(outcome, tuple):
            yield from outcome
        else:
            for scan in unit:
                lost(scan, outcome)
            again += unit
    singles = ((scan,) for scan in again)
    number = fleet.retries_at_once
    for (scan,), outcome in _each(singles, plan=plan, fleet=fleet, at_once=number):
        if isinstance(outcome, tuple):
            yield from outcome
        else:
            lost(scan, outcome)
            yield _given_up(scan, cause=outcome)


def note_lost(out: Path, scan: Numbered, cause: str) -> None:
    """A line of the journal for an attempt that was lost."""
    journal.append(out, "attempt lost", case=scan[1].name.case, cause=cause)


def _given_up(scan: Numbered, *, cause: str) -> ScanReport:
    number, entry = scan
    error = OutputError(
        code="MS-560",
        subject=entry.path.name,
        cause=f"the work was lost twice: {cause}",
        fix="run the same command again, with fewer --workers if memory ran out",
    )
    return refused(entry, number=number, error=error)


def _each(
    units: Iterable[Unit], *, plan: str, fleet: Fleet, at_once: int
) -> Iterator[tuple[Any, tuple[ScanReport, ...] | str]]:
    """Every unit with its reports, or with the reason why its work was lost."""
    source, pending = iter(units), dict[Future[str], Unit]()
    try:
        while True:
            for unit in islice(source, at_once - len(pending)):
                pending[_submit(fleet, task_text(plan, unit))] = unit
            if not pending:
                return
            done, _ = wait(pending, timeout=_LOOK_S, return_when=FIRST_COMPLETED)
            fleet.news()
            for future in done:
                yield pending.pop(future), _outcome(future)
    finally:
        for future in pending:
            future.cancel()


def _submit(fleet: Fleet, text: str) -> "Future[str]":
    """A future in any case: an executor that broke down refuses tasks at once."""
    try:
        return fleet.executor.submit(fleet.work, text)
    except RuntimeError as error:
        failed: Future[str] = Future()
        failed.set_exception(error)
        return failed


def _outcome(future: "Future[str]") -> tuple[ScanReport, ...] | str:
    try:
        return read_answer(future.result())
    except Exception as problem:
        error = problem
    if isinstance(error, MedsymError):
        raise error
    text = (str(error).strip().splitlines() or [""])[-1]
    is_told = isinstance(error, RuntimeError) and text
    return text if is_told else f"{type(error).__name__}: {text}".rstrip(": ")
