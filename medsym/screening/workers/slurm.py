"""Screening on a Slurm cluster, through submitit, as an executor of concurrent.futures.

Tasks that are handed in together become one job array. A job that is preempted, or runs out of its
time, is put back into the queue and goes on where it was, because finished cases are kept. What
submitit pickles is our own text in a folder that only its owner can enter. A controller that does
not answer costs patience and no job: what it does not take is handed in again for some minutes. It
may have taken it all the same and answered too late: every attempt has a name of its own, nothing
is handed in again before the queue was looked at, and jobs of an attempt that failed are cancelled
whenever they are seen.
"""

import logging
import secrets
import threading
import time
from collections.abc import Callable, Mapping
from concurrent.futures import Executor, Future
from contextlib import suppress
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError
from medsym.screening.workers.slurm_options import engine_of
from medsym.screening.workers.slurm_queue import cancel_named, live_jobs

log = logging.getLogger(__name__)

_POLL_S = 2.0
#: Seconds between attempts to hand tasks in: the first, doubled up to the last.
_FIRST_PAUSE_S, _LAST_PAUSE_S = 4.0, 60.0
#: For so long a controller that has worked may refuse; a restart or a failover takes minutes.
PATIENCE_S = 600.0
#: Without any job taken so far, something is wrong with what we ask rather than with the moment.
_FIRST_PATIENCE_S = 20.0
#: A finished job is gone from the queue before its result is seen on a slow network file system.
GRACE_S = 60.0
_MAX_ARRAY = 1000  # Slurm's own default is 1001


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
        self._engine = engine_of(folder, parameters=parameters or {}, at_once=at_once)
        self._grace_s = grace_s
        self._new: list[tuple[Future[Any], Callable[..., Any], tuple[Any, ...]]] = []
        self._jobs: dict[Future[Any], Any] = {}
        self._gone: dict[str, float] = {}
        self._stem = self._engine.parameters["job_name"]
        self._disowned: set[str] = set()
        self._has_worked = False
        self._failing_since: float | None = None
        self._pause_s, self._next_try = _FIRST_PAUSE_S, 0.0
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
                for future, job in self._jobs.items():
                    with suppress(Exception):
                        job.cancel(check=False)
                    future.set_exception(LostJobError("the run was stopped"))
                for future, _, _ in self._new:
                    future.cancel()
                    future.set_running_or_notify_cancel()
                self._jobs, self._new = {}, []
        elif wait:
            while self._jobs or self._new:
                time.sleep(_POLL_S / 4)
        self._ended.set()
        self._thread.join()
        cancel_named(self._disowned)

    def _watch(self) -> None:
        while not self._ended.wait(_POLL_S):
            with self._guard:
                self._hand_in()
                try:
                    self._collect()
                except Exception as error:  # jobs go on whatever a look at them meets
                    log.warning("jobs could not be looked at: %s", error)

    def _hand_in(self) -> None:
        """Hand in one array of what waits; if that fails, it waits for the next attempt."""
        new = self._new[:_MAX_ARRAY]
        if not new or time.monotonic() < self._next_try:
            return
        if self._disowned and self._look() is None:
            self._put_off(len(new), RuntimeError("squeue does not say what it has taken"))
            return
        name = f"{self._stem}-{secrets.token_hex(4)}"
        try:
            self._disowned.add(name)
            self._engine.update_parameters(job_name=name)
            with self._engine.batch():
                jobs = [self._engine.submit(Resumable(fn), *args) for _, fn, args in new]
        except Exception as error:
            self._put_off(len(new), error)
            return
        self._disowned.discard(name)
        self._new = self._new[len(new) :]
        self._has_worked, self._failing_since, self._pause_s = True, None, _FIRST_PAUSE_S
        for (future, _, _), job in zip(new, jobs, strict=True):
            if future.set_running_or_notify_cancel():
                self._jobs[future] = job
            else:
                job.cancel(check=False)

    def _put_off(self, number: int, error: Exception) -> None:
        """Try again later; after long trying, these tasks and no others fail."""
        log.error("Slurm did not take %d tasks: %s", number, error)
        now = time.monotonic()
        self._failing_since = self._failing_since or now
        if now - self._failing_since < (PATIENCE_S if self._has_worked else _FIRST_PATIENCE_S):
            self._next_try = now + self._pause_s
            self._pause_s = min(2 * self._pause_s, _LAST_PAUSE_S)
            return
        failed, self._new = self._new[:number], self._new[number:]
        for future, _, _ in failed:
            if future.set_running_or_notify_cancel():
                future.set_exception(error if self._has_worked else _not_taken(error))

    def _collect(self) -> None:
        """Hand on results, and find jobs that ended without one."""
        alive = self._look()  # asked first: who is gone now has left its result by now
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

    def _look(self) -> dict[str, str] | None:
        """Jobs that wait or work; those of an attempt that seemed to fail are cancelled."""
        alive = live_jobs()
        cancel_named(self._disowned & set((alive or {}).values()))
        return alive

    def _is_given_up(self, job: str) -> bool:
        now = time.monotonic()
        return now - self._gone.setdefault(job, now) > self._grace_s


def _not_taken(error: Exception) -> ConfigError:
    """Slurm has taken no job at all: nothing of the run will ever be done."""
    return ConfigError(
        code="MS-575",
        subject="--executor slurm",
        cause=f"Slurm takes no job ({(str(error).strip().splitlines() or ['?'])[-1]})",
        fix="check --slurm (partition, account, time, mem), or --workers if there is a job limit",
    )


def _finish(future: Future[Any], job: Any) -> None:
    try:
        future.set_result(job.result())
    except Exception as error:
        future.set_exception(error)
