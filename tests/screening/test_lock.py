"""The lock: one run at a time, dead runs do not block, nobody removes another run's lock."""

import json
import os
import socket
import threading
import time
from pathlib import Path

import pytest

from medsym.errors import OutputError
from medsym.screening import lock
from medsym.screening.lock import LOCK_FILE, STALE_SECONDS, output_lock
from tests.screening.workers.test_pool import wait_until

DEAD = 2**22 + 1  # above every process number of Linux


@pytest.fixture(params=["flock", "no flock"], autouse=True)
def kind(request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch) -> str:
    if request.param == "no flock":
        monkeypatch.setattr(lock, "_flock", lambda _descriptor: None, raising=False)
    return request.param


def leave(out: Path, *, pid: int = DEAD, host: str | None = None, age: float = 0.0) -> Path:
    path = out / LOCK_FILE
    path.write_text(json.dumps({"pid": pid, "host": host or socket.gethostname()}))
    os.utime(path, (time.time() - age,) * 2)
    return path


@pytest.mark.parametrize("pid", [DEAD, os.getpid()], ids=["dead", "our own number"])
def test_a_lock_left_on_this_machine_is_taken_over(tmp_path: Path, pid: int) -> None:
    path = leave(tmp_path, pid=pid)
    with output_lock(tmp_path):
        assert path.is_file()
    assert list(tmp_path.iterdir()) == []


def test_a_lock_of_another_machine_holds_until_it_is_old(tmp_path: Path) -> None:
    path = leave(tmp_path, host="elsewhere")
    with pytest.raises(OutputError, match="MS-151"), output_lock(tmp_path):
        pass
    assert json.loads(path.read_text())["host"] == "elsewhere"
    leave(tmp_path, host="elsewhere", age=2 * STALE_SECONDS)
    with output_lock(tmp_path):
        pass
    assert not path.exists()


def test_a_lock_is_held_against_its_own_process(tmp_path: Path) -> None:
    with output_lock(tmp_path):
        with pytest.raises(OutputError, match="MS-151"), output_lock(tmp_path):
            pass
        assert (tmp_path / LOCK_FILE).is_file()


def test_only_the_own_lock_is_removed(tmp_path: Path) -> None:
    path = tmp_path / LOCK_FILE
    with output_lock(tmp_path):
        path.unlink()
        leave(tmp_path, host="elsewhere")
    assert json.loads(path.read_text())["host"] == "elsewhere"


def test_a_held_lock_stays_fresh_and_touching_makes_no_file(tmp_path: Path, monkeypatch) -> None:
    monkeypatch.setattr(lock, "_BEAT_SECONDS", 0.01)
    path = tmp_path / LOCK_FILE
    with output_lock(tmp_path):
        os.utime(path, (0, 0))
        wait_until(lambda: path.stat().st_mtime > time.time() - 60, seconds=10)
        path.unlink()
        time.sleep(0.05)
        assert not path.exists()
    assert list(tmp_path.iterdir()) == []


def test_the_boot_number_tells_containers_of_this_machine_from_other_machines(
    tmp_path: Path, kind: str, monkeypatch
) -> None:
    path = tmp_path / LOCK_FILE
    with output_lock(tmp_path):
        left = path.read_text()
    path.write_text(left)  # its process was killed
    monkeypatch.setattr(socket, "gethostname", lambda: "the-next-container")
    monkeypatch.setattr(lock, "_PROCESS", "another")
    if kind == "flock":
        with output_lock(tmp_path):
            pass
    path.write_text(json.dumps({**json.loads(left), "boot": "another"}))
    with pytest.raises(OutputError, match="MS-151"), output_lock(tmp_path):
        pass
    path.write_text(json.dumps({**json.loads(left), "boot": None}))
    monkeypatch.setattr(lock, "_boot", lambda: None)  # a system without such numbers
    with pytest.raises(OutputError, match="MS-151"), output_lock(tmp_path):
        pass


def test_a_lock_of_another_machine_is_left_over_after_minutes_not_hours(tmp_path: Path) -> None:
    leave(tmp_path, host="elsewhere", age=400)
    with output_lock(tmp_path):
        pass


def test_age_is_told_by_the_clock_that_stamps_the_files(tmp_path: Path, monkeypatch) -> None:
    path = leave(tmp_path, host="elsewhere", age=1.0)
    monkeypatch.setattr(time, "time", lambda: 9e9)  # the clock of this machine is wrong
    assert 0 < lock.age_s(path) < 60


def test_of_many_that_find_a_stale_lock_one_gets_in(tmp_path: Path) -> None:
    number = 8
    for turn in range(20):
        out = tmp_path / str(turn)
        out.mkdir()
        leave(out)
        start, end, inside = threading.Barrier(number), threading.Barrier(number), []

        def attempt(out=out, start=start, end=end, inside=inside) -> None:
            start.wait(timeout=20)
            try:
                with output_lock(out):
                    inside.append(1)
                    end.wait(timeout=20)
            except OutputError:
                end.wait(timeout=20)

        threads = [threading.Thread(target=attempt) for _ in range(number)]
        for thread in threads:
            thread.start()
        for thread in threads:
            thread.join()
        assert len(inside) == 1
        assert list(out.iterdir()) == []
