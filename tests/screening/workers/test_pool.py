"""The pool: order does not matter, a death costs one task, and no worker outlives its run."""

import os
import signal
import subprocess
import sys
import time
from concurrent.futures import wait
from pathlib import Path

import pytest

from medsym.errors import ModelError
from medsym.screening.entry import ScanEntry
from medsym.screening.naming import name_of
from medsym.screening.progress import ScanReport
from medsym.screening.workers.pool import WorkerDiedError, WorkerPool
from medsym.screening.workers.supervise import Fleet, reports_of
from medsym.screening.workers.tasks import task_text
from tests.screening.workers.light_work import chatter, light_task, variable


def numbered(folder: Path, *names: str) -> list[tuple[int, ScanEntry]]:
    paths = [folder / f"{name}.nii" for name in names]
    return [(n, ScanEntry(path=p, name=name_of(p))) for n, p in enumerate(paths, start=1)]


def supervised(
    folder: Path, *names: str, workers: int = 2, **more: int
) -> tuple[list[ScanReport], list[str]]:
    lost: list[str] = []
    with WorkerPool(workers) as pool:
        fleet = Fleet(executor=pool, work=light_task, at_once=2 * workers, **more)
        found = reports_of(
            numbered(folder, *names),
            plan="",
            fleet=fleet,
            lost=lambda scan, cause: lost.append(f"{scan[1].path.name}: {cause}"),
        )
        return sorted(found, key=lambda report: report.number), lost


def is_running(pid: int) -> bool:
    try:
        os.kill(pid, 0)
    except ProcessLookupError:
        return False
    state = Path(f"/proc/{pid}/stat")
    return not (state.is_file() and state.read_text().rpartition(")")[2].split()[0] == "Z")


def wait_until(condition: object, seconds: float = 20.0) -> None:
    end = time.monotonic() + seconds
    while not condition():
        assert time.monotonic() < end
        time.sleep(0.02)


def test_every_scan_is_reported_once_by_several_processes(tmp_path: Path) -> None:
    reports, lost = supervised(tmp_path, *(f"s{n}" for n in range(40)))
    assert [report.file for report in reports] == [f"s{n}.nii" for n in range(40)]
    assert lost == []
    assert os.getpid() not in {report.cost["pid"] for report in reports}


def test_a_worker_killed_once_loses_nothing(tmp_path: Path) -> None:
    reports, lost = supervised(tmp_path, "a", "killonce", "b", "c")
    assert {report.stage for report in reports} == {"done"}
    assert len(reports) == 4
    assert len(lost) == 1
    assert "killonce.nii" in lost[0]
    assert "SIGKILL" in lost[0]


@pytest.mark.parametrize("scans_per_task", [1, 3])
def test_a_scan_that_kills_twice_is_refused_by_name_and_the_others_go_on(
    tmp_path: Path, scans_per_task: int
) -> None:
    names = ("a", "b", "kill-er", "c", "d", "raise", "e")
    reports, lost = supervised(tmp_path, *names, scans_per_task=scans_per_task)
    assert [report.number for report in reports] == [1, 2, 3, 4, 5, 6, 7]
    wrong = {report.file: report.error for report in reports if report.error}
    assert set(wrong) == {"kill-er.nii", "raise.nii"}
    assert {error.code for error in wrong.values()} == {"MS-560"}
    assert "memory" in wrong["kill-er.nii"].cause
    assert "ValueError: no such luck" in wrong["raise.nii"].cause
    assert len(lost) == 2 + 2 * scans_per_task
    assert {report.stage for report in reports if not report.error} == {"done"}


def test_what_concerns_every_scan_ends_the_run(tmp_path: Path) -> None:
    with pytest.raises(Exception, match="MS-312") as caught:
        supervised(tmp_path, "model", "a")
    assert caught.value.code == ModelError(code="MS-312", subject="", cause="", fix="").code


def test_only_one_task_in_flight_dies_with_a_worker(tmp_path: Path) -> None:
    with WorkerPool(2) as pool:
        slow, killer, quick = (
            pool.submit(light_task, task_text("", numbered(tmp_path, name)))
            for name in ("slow", "kill-", "quick")
        )
        with pytest.raises(WorkerDiedError):
            killer.result(20)
        assert "quick.nii" in quick.result(20)
        assert not slow.done()
        begun = time.monotonic()
        pool.shutdown(cancel_futures=True)
        assert time.monotonic() - begun < 10


def test_a_library_that_prints_does_not_garble_the_answers() -> None:
    with WorkerPool(1) as pool:
        assert [pool.submit(chatter, text).result(20) for text in ("a", "b")] == ["A", "B"]
        with pytest.raises(TypeError):
            pool.submit(chatter, {"not": "text"})
    with pytest.raises(RuntimeError):
        pool.submit(chatter, "a")


def test_news_of_running_tasks_arrives(tmp_path: Path) -> None:
    news: list[dict[str, object]] = []
    with WorkerPool(1, listener=news.append) as pool:
        pool.submit(light_task, task_text("", numbered(tmp_path, "a"))).result(20)
    assert [(item["name"], item["stage"]) for item in news] == [("sub-a", "compare")]


def test_shutdown_at_once_leaves_no_process(tmp_path: Path) -> None:
    pool = WorkerPool(2)
    futures = [
        pool.submit(light_task, task_text("", numbered(tmp_path, f"slow{n}"))) for n in range(5)
    ]
    wait_until(lambda: len(list(tmp_path.glob("slow*.mark"))) == 2)
    pids = pool.process_ids
    assert len(pids) == 2
    pool.shutdown(cancel_futures=True)
    assert not any(map(is_running, pids))
    assert wait(futures, timeout=5).not_done == set()


@pytest.mark.skipif(os.name != "posix", reason="asks for processes as POSIX does")
def test_workers_end_with_a_run_that_was_killed(tmp_path: Path) -> None:
    code = (
        "import sys; from pathlib import Path\n"
        "from tests.screening.workers.test_pool import *\n"
        "pool = WorkerPool(1)\n"
        "pool.submit(light_task, task_text('', numbered(Path(sys.argv[1]), 'slow-with')))\n"
        "wait_until(lambda: (Path(sys.argv[1]) / 'slow-with.mark').exists())\n"
        "print(*pool.process_ids, flush=True); time.sleep(60)"
    )
    command = [sys.executable, "-c", code, str(tmp_path)]
    with subprocess.Popen(command, stdout=subprocess.PIPE, text=True) as run:
        pid = int(run.stdout.readline())
        program = int((tmp_path / "slow-with.program").read_text())
        assert is_running(pid)
        assert is_running(program)
        run.send_signal(signal.SIGKILL)
        run.wait(10)
        wait_until(lambda: not is_running(pid) and not is_running(program))


@pytest.mark.skipif(os.name != "posix", reason="asks for processes as POSIX does")
@pytest.mark.parametrize("name", ["kill-with", "slow-with"])
def test_programs_end_with_the_worker_that_started_them(tmp_path: Path, name: str) -> None:
    pool = WorkerPool(1)
    future = pool.submit(light_task, task_text("", numbered(tmp_path, name)))
    begun = (tmp_path / name).with_suffix(".program")
    wait_until(lambda: begun.exists() and begun.read_text())
    if name.startswith("slow"):
        wait_until((tmp_path / f"{name}.mark").exists)
        pool.shutdown(cancel_futures=True)
    with pytest.raises(WorkerDiedError):
        future.result(20)
    wait_until(lambda: not is_running(int(begun.read_text())), 5)
    pool.shutdown()


def test_workers_have_the_variables_that_are_named() -> None:
    with WorkerPool(1, variables={"TMPDIR": "/nowhere"}) as pool:
        assert pool.submit(variable, "TMPDIR").result(20) == "/nowhere"
