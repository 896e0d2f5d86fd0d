"""Screening on a Slurm cluster, through submitit, as an executor of concurrent.futures.

Tasks that are handed in together become one job array. A job that is preempted, or runs out of its
time, is put back into the queue and goes on where it was, because finished cases are kept. What
submitit pickles is our own text in a folder that only its owner can enter; whether jobs still
exist is asked of ``squeue``, so that no accounting database is needed.
"""

import re
import subprocess
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError

_POLL_S = 2.0
#: A finished job is gone from the queue before its result is seen on a slow network file system.
GRACE_S = 60.0
_MAX_ARRAY = 1000  # Slurm's own default is 1001
_DEFAULTS = {"time": "60", "mem": "4G", "cpus-per-task": "1"}
_OURS = {"array", "output", "error", "open-mode", "signal", "ntasks", "nodes", "wrap"}
_KEY = re.compile(r"[a-z][a-z-]*")
_TIME = re.compile(r"(?:(?P<days>\d{1,3})-)?(?P<clock>\d{1,5}(?::\d{1,2}){0,2})")
_LIVE = {
    *("PENDING", "CONFIGURING", "RUNNING", "SUSPENDED", "STOPPED", "COMPLETING", "REQUEUED"),
    *("RESIZING", "SIGNALING", "STAGE_OUT", "PREEMPTED"),
}


class LostJobError(RuntimeError):
    """A job ended without a result."""


class Resumable:
    """What runs in a job: a function of one text that can be started again at any time.

    Args:
        work: function at the top of a module.
    """

    def __init__(self, work: Callable[[str], str]) -> None:
        self.work = work

    def __call__(self, text: str) -> str:
        """Do the work."""
        return self.work(text)

    def checkpoint(self, text: str) -> object:
        """What submitit puts back into the queue when the job has to leave."""
        import submitit

        return submitit.helpers.DelayedSubmission(self, text)


class SlurmExecutor(Executor):
    """Jobs of a Slurm cluster.

    Args:
        folder: for scripts, logs and results of jobs; every node sees it under this name.
        parameters: options of sbatch, such as {"partition": "short", "time": "60", "mem": "4G"}.
        at_once: jobs that may run at a time.
        grace_s: seconds between the end of a job and the conclusion that it left no result.

    Raises:
        ConfigError: MS-566 submitit is missing or there is no Slurm here, MS-567 a parameter that
            cannot be used.
    """

    def __init__(
        self,
        folder: Path,
        *,
        parameters: Mapping[str, str] | None = None,
        at_once: int = 256,
        grace_s: float = GRACE_S,
    ) -> None:
        folder.mkdir(parents=True, exist_ok=True)
        folder.chmod(0o700)
        self._engine = _engine(folder, parameters=parameters or {}, at_once=at_once)
        self._grace_s = grace_s
        self._new: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self._jobs: dict[Future[Any], Any] = {}
        self._gone: dict[str, float] = {}
        self._guard = threading.Lock()
        self._ended = threading.Event()
        self._thread = threading.Thread(target=self._watch, daemon=True)
        self._thread.start()

    def submit(self, fn: Callable[..., Any], /, *args: Any, **kwargs: Any) -> Future[Any]:
        """Queue a task; those of the next moments go into one array."""
        if kwargs or self._ended.is_set():
            raise RuntimeError("the executor was shut down, or was given named arguments")
        future: Future[Any] = Future()
        with self._guard:
            self._new.append((future, fn, args))
        return future

    def shutdown(self, wait: bool = True, *, cancel_futures: bool = False) -> None:
        """End: after all jobs, or at once with all jobs cancelled."""
        if cancel_futures:
            with self._guard:
                for job in self._jobs.values():
                    with suppress(Exception):
                        job.cancel(check=False)
                for future in (*self._jobs, *(new[0] for new in self._new)):
                    future.cancel()
                    future.set_running_or_notify_cancel()
                self._jobs, self._new = {}, []
        elif wait:
            while self._jobs or self._new:
                time.sleep(_POLL_S / 4)
        self._ended.set()
        self._thread.join()

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            try:
                with self._guard:
                    self._hand_in()
                    self._collect()
            except Exception as error:
                self._fail_all(error)

    def _hand_in(self) -> None:
        new, self._new = self._new[:_MAX_ARRAY], self._new[_MAX_ARRAY:]
        if new:
            with self._engine.batch():
                jobs = [self._engine.submit(Resumable(fn), *args) for _, fn, args in new]
            self._jobs.update(zip((future for future, _, _ in new), jobs, strict=True))

    def _collect(self) -> None:
        """Hand on results, and find jobs that ended without one."""
        alive = _live_jobs()  # asked first: who is gone now has left its result by now
        for future, job in list(self._jobs.items()):
            if job.paths.result_pickle.exists():
                del self._jobs[future]
                _finish(future, job)
            elif alive is None or job.job_id in alive:
                self._gone.pop(job.job_id, None)
            elif self._is_given_up(job.job_id):
                del self._jobs[future]
                job.cancel(check=False)  # it may be held in the queue
                future.set_exception(LostJobError(f"job {job.job_id} ended without a result"))

    def _is_given_up(self, job: str) -> bool:
        now = time.monotonic()
        return now - self._gone.setdefault(job, now) > self._grace_s

    def _fail_all(self, error: Exception) -> None:
        """Slurm refuses to work for us: nothing of what waits will ever be done."""
        with self._guard:
            futures = [*self._jobs, *(new[0] for new in self._new)]
            self._jobs, self._new = {}, []
        for future in futures:
            future.set_exception(error)


def _finish(future: Future[Any], job: Any) -> None:
    try:
        future.set_result(job.result())
    except Exception as error:
        future.set_exception(error)


def _live_jobs() -> set[str] | None:
    """Jobs of this user that wait or work; None if the controller does not answer."""
    command = ["squeue", "--me", "--noheader", "--array", "--states=all", "--format=%i %T"]
    asked = subprocess.run(command, capture_output=True, text=True, check=False)
    if asked.returncode:
        return None
    rows = (line.split() for line in asked.stdout.splitlines())
    return {row[0] for row in rows if len(row) == 2 and row[1] in _LIVE}


def _engine(folder: Path, *, parameters: Mapping[str, str], at_once: int) -> Any:
    given = {**_DEFAULTS, **{key.replace("_", "-"): value for key, value in parameters.items()}}
    wrong = [key for key in given if key in _OURS or not _KEY.fullmatch(key)]
    minutes = _minutes(given.pop("time"))
    if wrong or minutes is None:
        raise ConfigError(
            code="MS-567",
            subject="--slurm",
            cause=f"'{wrong[0] if wrong else 'time'}' cannot be set like this",
            fix="give options of sbatch, such as partition=short time=02:00:00 mem=4G",
        )
    try:
        import submitit

        engine = submitit.SlurmExecutor(folder=folder)
    except (ImportError, RuntimeError):
        raise ConfigError(
            code="MS-566",
            subject="--executor slurm",
            cause="there is no Slurm on this machine, or submitit is not installed",
            fix="run it where sbatch works, after: pip install 'medsym[cluster]'",
        ) from None
    engine.update_parameters(
        time=minutes, job_name="medsym", array_parallelism=at_once, additional_parameters=given
    )
    return engine


def _minutes(text: str) -> int | None:
    """Minutes of a time as sbatch takes it: M, M:S, H:M:S, D-H, D-H:M or D-H:M:S.

    Example:
        >>> _minutes("90"), _minutes("02:00:00"), _minutes("1-12"), _minutes("soon")
        (90, 120, 2160, None)
    """
    match = _TIME.fullmatch(text)
    if match is None:
        return None
    parts = [int(part) for part in match["clock"].split(":")]
    if match["days"] is not None:
        hours, minutes, seconds = (*parts, 0, 0)[:3]
    else:
        hours, minutes, seconds = ((0, *parts, 0), (0, *parts), tuple(parts))[len(parts) - 1]
    total = int(match["days"] or 0) * 1440 + hours * 60 + minutes + -(-seconds // 60)
    return total or None
