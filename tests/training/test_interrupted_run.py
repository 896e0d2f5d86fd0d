"""A run that is killed, stopped or out of time goes on as if nothing had happened."""

import multiprocessing
import os
import signal
import threading
import time
from collections.abc import Iterator
from contextlib import suppress
from multiprocessing.connection import Connection
from multiprocessing.context import ForkServerProcess
from pathlib import Path

import pytest
import torch

from medsym.cli import main
from medsym.commands.console import EXIT_UNFINISHED
from medsym.commands.stopping import requests_to_stop
from medsym.errors import ModelError
from medsym.training.checkpoint import FILE_NAME
from tests.training.small_run import (
    final_tensors,
    formula_subjects,
    run,
    run_telling,
    write_config,
)

Started = tuple[ForkServerProcess, Connection]


def assert_same_end(first: Path, second: Path) -> None:
    one, other = final_tensors(first), final_tensors(second)
    assert one.keys() == other.keys()
    assert [name for name in one if not torch.equal(one[name], other[name])] == []


def start(config: Path, out: Path, *, pause: float = 0.0, resume: bool = False) -> Started:
    """Train in a process that is forked from one which has imported everything."""
    context = multiprocessing.get_context("forkserver")
    context.set_forkserver_preload(["tests.training.small_run"])
    told, tell = context.Pipe(duplex=False)
    process = context.Process(target=run_telling, args=(tell, config, out, pause, resume))
    process.start()
    tell.close()
    return process, told


def lines_of(told: Connection) -> Iterator[str]:
    """What a run tells, until its end."""
    with told, suppress(EOFError):
        while True:
            yield told.recv()


def kill_at(started: Started, begin: str, *, later: float) -> None:
    """End the process without any warning, some time after a line that begins like this."""
    process, told = started
    assert any(line.startswith(begin) for line in lines_of(told)), "the run ended before"
    time.sleep(later)
    os.killpg(process.pid, signal.SIGKILL)  # with its drawing processes, which would stay
    process.join()
    assert process.exitcode == -signal.SIGKILL


@pytest.mark.slow
def test_a_run_killed_twice_ends_with_the_weights_of_one_that_was_not(tmp_path: Path) -> None:
    config = write_config(tmp_path, optimiser={"steps": 8}, workers=1)
    assert run(config, tmp_path / "whole") is not None
    out = tmp_path / "killed"
    kill_at(start(config, out, pause=0.1), "step 2/", later=0.3)
    kill_at(start(config, out, pause=0.1, resume=True), "step 6/", later=0.0)
    last, told = start(config, out, resume=True)
    lines = "\n".join(lines_of(told))
    last.join()
    assert last.exitcode == 0
    assert "8 steps, 6 done" in lines or "8 steps, 4 done" in lines
    assert (out / "model" / "manifest.json").exists()
    assert_same_end(tmp_path / "whole", out)


@pytest.mark.slow
def test_a_run_out_of_time_stops_with_a_checkpoint_and_goes_on_exactly(tmp_path: Path) -> None:
    lines: list[str] = []
    config = write_config(tmp_path, max_minutes=1e-6)
    out = tmp_path / "stopped"
    assert run(config, out, report=lines.append) is None
    assert not (out / "model").exists()
    stopped = torch.load(out / FILE_NAME, weights_only=True)["step"]
    assert stopped == 1
    assert any(
        line.startswith("stopped after 1 of 6 steps (max_minutes: 1e-06") and "--resume" in line
        for line in lines
    )
    config = write_config(tmp_path)
    assert run(config, out, resume=True) == out / "model"
    run(config, tmp_path / "whole")
    assert_same_end(tmp_path / "whole", out)


def test_a_new_run_does_not_overwrite_the_checkpoint_of_another(tmp_path: Path) -> None:
    (tmp_path / FILE_NAME).write_bytes(b"days of work")
    with pytest.raises(ModelError, match=r"MS-324 .*--resume to go on with it, or start in an"):
        run(write_config(tmp_path), tmp_path)
    assert (tmp_path / FILE_NAME).read_bytes() == b"days of work"


def test_a_request_ends_the_run_after_the_step_that_is_under_way(tmp_path: Path) -> None:
    answers = iter(["", "", "asked to end", "asked to end"])
    lines: list[str] = []
    config = write_config(tmp_path)
    assert run(config, tmp_path, stop=lambda: next(answers), report=lines.append) is None
    assert torch.load(tmp_path / FILE_NAME, weights_only=True)["step"] == 3
    assert lines[-1].startswith("stopped after 3 of 6 steps (asked to end)")


@pytest.mark.slow
def test_the_exit_code_tells_a_stopped_run_from_a_finished_one_but_not_to_torchrun(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    hurried = write_config(tmp_path, max_minutes=1e-6)
    command = ["train", str(hurried), "--out", str(tmp_path / "out")]
    with formula_subjects():
        assert main(command) == EXIT_UNFINISHED == 75
        monkeypatch.setenv("TORCHELASTIC_RUN_ID", "1")
        assert main([*command, "--resume"]) == 0
        monkeypatch.delenv("TORCHELASTIC_RUN_ID")
        write_config(tmp_path)
        assert main([*command, "--resume"]) == 0
    assert (tmp_path / "out" / "model" / "manifest.json").exists()


def test_the_first_signal_is_noted_and_a_second_interrupt_is_not_held_back() -> None:
    with requests_to_stop() as stop:
        assert stop() == ""
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop() == "asked to end"
        os.kill(os.getpid(), signal.SIGTERM)
        assert stop() == "asked to end"
        with pytest.raises(KeyboardInterrupt):
            signal.raise_signal(signal.SIGINT)


def test_handlers_are_put_back_and_other_threads_have_none() -> None:
    before = signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)
    with requests_to_stop():
        assert signal.getsignal(signal.SIGTERM) != before[0]
    assert (signal.getsignal(signal.SIGTERM), signal.getsignal(signal.SIGINT)) == before
    found: list[str] = []

    def elsewhere() -> None:
        with requests_to_stop() as stop:
            found.append(stop())

    thread = threading.Thread(target=elsewhere)
    thread.start()
    thread.join()
    assert found == [""]
