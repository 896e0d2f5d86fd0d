"""What a worker does with a task: the model is loaded once, then scan after scan is screened."""

import threading
from functools import lru_cache, partial
from pathlib import Path

from medsym.errors import MedsymError
from medsym.inference.case import reference_of
from medsym.models.store import load_model
from medsym.screening.measuring import HealthyRunner
from medsym.screening.progress import Progress
from medsym.screening.runner import ScanRunner
from medsym.screening.workers.child import tell
from medsym.screening.workers.pool import WorkerPool
from medsym.screening.workers.supervise import Fleet, note_lost, reports_of
from medsym.screening.workers.tasks import (
    answer_text,
    other_files,
    read_plan,
    read_task,
    refusal_text,
)

#: A Dask worker may run several tasks as threads, but how many torch uses is set per process.
_ONE_AT_A_TIME = threading.Lock()


def screen_task(text: str) -> str:
    """Screen or measure the scans of a task; returns how they ended.

    Raises:
        ModelError: MS-310 to MS-315 as ``load_model``, MS-565 other files than the run's.
    """
    plan, scans = read_task(text)
    with _ONE_AT_A_TIME:
        runner, total = _runner(plan)
        return answer_text([runner.one(entry, number=n, total=total) for n, entry in scans])


def screen_job(text: str) -> str:
    """Screen the scans of a task in a process of its own, which may die; returns how they ended.

    For jobs of a cluster: a scan that exhausts the memory costs itself, not the job.
    """
    plan, scans = read_task(text)
    with WorkerPool(1) as pool:
        fleet = Fleet(executor=pool, work=screen_task, at_once=1)
        try:
            lost = partial(note_lost, read_plan(plan).out)
            found = reports_of(scans, plan=plan, fleet=fleet, lost=lost)
            return answer_text(list(found))
        except MedsymError as error:
            return refusal_text(error)


@lru_cache(maxsize=1)
def _runner(text: str) -> tuple[ScanRunner, int]:
    plan = read_plan(text)
    model = load_model(plan.model, device=plan.options.device)
    if model.manifest.get("sha256") != plan.sha256:
        raise other_files(plan.model)
    kind = {"screen": ScanRunner, "measure": HealthyRunner}[plan.purpose]
    runner = kind(
        out=Path(plan.out),
        model=model,
        options=plan.options,
        reference=reference_of(model),
        tell=_tell,
    )
    return runner, plan.total


def _tell(progress: Progress) -> None:
    tell({key: getattr(progress, key) for key in ("number", "total", "name", "stage", "seconds")})
