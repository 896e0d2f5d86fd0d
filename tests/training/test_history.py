"""The history of a run is strict JSON, survives a kill and tells of every step once."""

import json
from pathlib import Path

import pytest

from medsym.training.history import FILE_NAME, History, read_history
from tests.training.small_run import run, write_config


def test_rows_are_json_without_infinity(tmp_path: Path) -> None:
    history = History(tmp_path, done=0)
    history.add("checkpoint", 2, {"dice": float("nan"), "parts": {"a": float("inf"), "b": 1.5}})
    (line,) = (tmp_path / FILE_NAME).read_text().splitlines()
    row = json.loads(line, parse_constant=pytest.fail)  # it is called for NaN and Infinity
    assert row == {"kind": "checkpoint", "step": 2, "dice": None, "parts": {"a": None, "b": 1.5}}


def test_a_resumed_run_drops_what_came_after_its_checkpoint_and_a_new_one_everything(
    tmp_path: Path,
) -> None:
    history = History(tmp_path, done=0)
    for step in (1, 2, 3):
        history.add("progress", step, {"loss": float(step)})
    with history.path.open("a") as stream:
        stream.write('{"kind": "progress", "st')  # the process ended here
    resumed = History(tmp_path, done=2)
    assert [row["step"] for row in resumed.rows] == [1, 2]
    resumed.add("progress", 3, {"loss": 0.0})
    assert [row["step"] for row in read_history(resumed.path)] == [1, 2, 3]
    assert History(tmp_path, done=0).rows == []
    assert read_history(resumed.path) == []


@pytest.mark.slow
def test_a_stopped_and_resumed_run_has_the_history_of_one_that_was_not(tmp_path: Path) -> None:
    config = write_config(tmp_path, optimiser={"steps": 4})
    run(config, tmp_path / "whole")
    answers = iter(["", "", "enough"])
    run(config, tmp_path / "broken", stop=lambda: next(answers))
    run(config, tmp_path / "broken", resume=True)
    whole, broken = (
        [r for r in read_history(tmp_path / name / FILE_NAME) if r["kind"] == "checkpoint"]
        for name in ("whole", "broken")
    )
    assert [row["step"] for row in whole] == [2, 4]
    assert [row["step"] for row in broken] == [2, 3, 4]
    assert broken[0] == whole[0]
    assert broken[2]["unseen"] == whole[1]["unseen"]
    mean = (broken[1]["loss"] + broken[2]["loss"]) / 2  # of one step each
    assert mean == pytest.approx(whole[1]["loss"])
