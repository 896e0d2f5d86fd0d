"""A Slurm controller that refuses for a while or for ever; no Slurm is needed for these tests."""

import subprocess
import time
from collections.abc import Callable, Iterator
from contextlib import contextmanager
from pathlib import Path
from types import SimpleNamespace

import pytest

from medsym.errors import ConfigError
from medsym.screening.workers import slurm, slurm_queue
from medsym.screening.workers.slurm import SlurmExecutor
from tests.screening.workers.test_pool import wait_until


class Controller:
    """Takes tasks in turns that a test decides."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.jobs, self.attempts = folder, [], 0
        self.refuses: Callable[[int], bool] = lambda _: False
        self.takes_all_the_same = self.is_silent = False
        self.parameters = {"job_name": "medsym"}

    def update_parameters(self, *, job_name: str) -> None:
        self.parameters["job_name"] = job_name

    @contextmanager
    def batch(self) -> Iterator[None]:
        self.attempts += 1
        if self.refuses(self.attempts):
            if self.takes_all_the_same:
                yield
            raise RuntimeError("sbatch failed\nSocket timed out on send/recv operation")
        yield

    def submit(self, _work: object, text: str) -> SimpleNamespace:
        number = str(len(self.jobs))
        job = SimpleNamespace(job_id=number, text=text, cancelled=False, result=lambda: text)
        job.name = self.parameters["job_name"]
        job.paths = SimpleNamespace(result_pickle=self.folder / f"{number}.pkl")
        job.cancel = lambda check: setattr(job, "cancelled", not check)
        self.jobs.append(job)
        return job

    def live(self) -> dict[str, str] | None:
        if self.is_silent:
            return None
        return {job.job_id: job.name for job in self.jobs if not job.cancelled}

    def cancel_named(self, names: set[str]) -> None:
        for job in self.jobs:
            job.cancelled |= job.name in names

    def finish(self, job: SimpleNamespace) -> None:
        job.paths.result_pickle.touch()


@pytest.fixture
def controller(tmp_path: Path, monkeypatch) -> Controller:
    made = Controller(tmp_path)
    monkeypatch.setattr(slurm, "engine_of", lambda *_, **__: made)
    monkeypatch.setattr(slurm, "live_jobs", made.live)
    monkeypatch.setattr(slurm, "cancel_named", made.cancel_named)
    monkeypatch.setattr(slurm, "_POLL_S", 0.01)
    monkeypatch.setattr(slurm, "_FIRST_PAUSE_S", 0.01)
    monkeypatch.setattr(slurm, "_LAST_PAUSE_S", 0.02)
    return made


def test_a_refused_array_is_handed_in_again_and_costs_no_running_job(
    controller: Controller, tmp_path: Path
) -> None:
    controller.refuses = lambda attempt: attempt in {2, 3}
    executor = SlurmExecutor(tmp_path)
    first = executor.submit(str, "a")
    wait_until(lambda: len(controller.jobs) == 1)
    second = executor.submit(str, "b")
    wait_until(lambda: len(controller.jobs) == 2)
    assert controller.attempts == 4
    assert not first.done()
    assert not any(job.cancelled for job in controller.jobs)
    for job in controller.jobs:
        controller.finish(job)
    assert (first.result(timeout=20), second.result(timeout=20)) == ("a", "b")
    executor.shutdown()


def test_an_array_that_slurm_took_although_sbatch_failed_does_not_run_twice(
    controller: Controller, tmp_path: Path
) -> None:
    controller.refuses, controller.takes_all_the_same = lambda attempt: attempt == 1, True
    executor = SlurmExecutor(tmp_path)
    controller.is_silent = True
    future = executor.submit(str, "a")
    wait_until(lambda: len(controller.jobs) == 1)
    time.sleep(0.1)
    assert controller.attempts == 1  # nothing is handed in while nobody says what was taken
    controller.is_silent = False
    wait_until(lambda: len(controller.jobs) == 2)
    first, second = controller.jobs
    assert (first.cancelled, second.cancelled) == (True, False)
    assert first.name != second.name
    late = controller.submit(str, "a")  # the controller comes round to the first attempt again
    late.name = first.name
    wait_until(lambda: late.cancelled)
    controller.finish(second)
    assert future.result(timeout=20) == "a"
    executor.shutdown()
    assert not second.cancelled


def test_an_array_that_slurm_takes_at_the_last_moment_ends_with_the_run(
    controller: Controller, tmp_path: Path
) -> None:
    controller.refuses, controller.takes_all_the_same = lambda attempt: attempt == 1, True
    controller.is_silent = True
    executor = SlurmExecutor(tmp_path)
    executor.submit(str, "a")
    wait_until(lambda: len(controller.jobs) == 1)
    executor.shutdown(cancel_futures=True)
    assert controller.jobs[0].cancelled


def test_the_queue_is_asked_for_names_and_only_live_jobs_count(monkeypatch) -> None:
    said = "7_0 RUNNING my scans-1f\n7_1 COMPLETED my scans-1f\n8 PENDING x\nbroken\n"
    answer = SimpleNamespace(returncode=0, stdout=said)
    monkeypatch.setattr(subprocess, "run", lambda *_, **__: answer)
    assert slurm_queue.live_jobs() == {"7_0": "my scans-1f", "8": "x"}


def test_after_long_trying_only_what_was_refused_fails(
    controller: Controller, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(slurm, "PATIENCE_S", 0.1)
    controller.refuses = lambda attempt: attempt > 1
    executor = SlurmExecutor(tmp_path)
    first = executor.submit(str, "a")
    wait_until(lambda: len(controller.jobs) == 1)
    second = executor.submit(str, "b")
    with pytest.raises(RuntimeError, match="Socket timed out"):
        second.result(timeout=20)
    assert controller.attempts > 3
    controller.finish(controller.jobs[0])
    assert first.result(timeout=20) == "a"
    executor.shutdown()


def test_a_cluster_that_takes_no_job_at_all_ends_the_run_with_its_words(
    controller: Controller, tmp_path: Path, monkeypatch
) -> None:
    monkeypatch.setattr(slurm, "_FIRST_PATIENCE_S", 0.05)
    controller.refuses = lambda _: True
    executor = SlurmExecutor(tmp_path)
    with pytest.raises(ConfigError, match=r"MS-575.*Socket timed out"):
        executor.submit(str, "a").result(timeout=20)
    executor.shutdown()


def test_a_stopped_run_cancels_running_jobs_and_what_waits(
    controller: Controller, tmp_path: Path
) -> None:
    controller.refuses = lambda attempt: attempt > 1
    executor = SlurmExecutor(tmp_path)
    running = executor.submit(str, "a")
    wait_until(lambda: len(controller.jobs) == 1)
    waiting = executor.submit(str, "b")
    executor.shutdown(cancel_futures=True)
    assert controller.jobs[0].cancelled
    assert waiting.cancelled()
    with pytest.raises(slurm.LostJobError):
        running.result(timeout=20)


def test_a_task_taken_back_before_it_is_handed_in_disturbs_no_other(
    controller: Controller, tmp_path: Path, monkeypatch
) -> None:
    controller.refuses = lambda attempt: attempt == 1
    monkeypatch.setattr(slurm, "_FIRST_PAUSE_S", 0.1)
    executor = SlurmExecutor(tmp_path)
    back, stays = executor.submit(str, "a"), executor.submit(str, "b")
    assert back.cancel()
    wait_until(lambda: len(controller.jobs) == 2)
    for job in controller.jobs:
        controller.finish(job)
    assert stays.result(timeout=20) == "b"
    executor.shutdown()


@pytest.mark.parametrize("problem", [subprocess.TimeoutExpired("squeue", 60), OSError("none")])
def test_a_controller_that_does_not_answer_says_nothing_about_jobs(
    monkeypatch, problem: Exception
) -> None:
    def run(*_: object, timeout: float, **__: object) -> None:
        assert timeout > 0
        raise problem

    monkeypatch.setattr(subprocess, "run", run)
    assert slurm_queue.live_jobs() is None
