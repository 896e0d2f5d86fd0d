"""A checkpoint survives whatever happens while it is written, and says so when it does not fit."""

import os
from pathlib import Path
from typing import Any

import pytest
import torch

from medsym.errors import ModelError
from medsym.training.checkpoint import (
    FILE_NAME,
    PREVIOUS_NAME,
    load_checkpoint,
    save_checkpoint,
)
from medsym.training.settings import TrainSettings
from medsym.training.state import TrainingState, build_state
from tests.training.small_run import CONFIG


def fresh() -> TrainingState:
    return build_state(TrainSettings.model_validate(CONFIG), torch.device("cpu"))


def fill(state: TrainingState, value: float) -> None:
    """Make the weights recognisable."""
    with torch.no_grad():
        for parameter in state.network.parameters():
            parameter.fill_(value)


def value_of(state: TrainingState) -> float:
    return float(next(state.network.parameters()).detach().flatten()[0])


class Killed(BaseException):
    """Stands for the end of the process: nothing after it runs."""


@pytest.mark.parametrize("survived", range(5))
def test_a_save_that_is_cut_off_anywhere_leaves_this_checkpoint_or_the_one_before(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, survived: int
) -> None:
    state = fresh()
    for step in (1, 2):
        fill(state, float(step))
        save_checkpoint(tmp_path, state, step=step)
    fill(state, 3.0)
    calls = 0

    def counted(function: Any) -> Any:
        def call(*arguments: Any, **named: Any) -> Any:
            nonlocal calls
            calls += 1
            if calls > survived:
                raise Killed
            return function(*arguments, **named)

        return call

    for owner, name in ((Path, "replace"), (os, "fsync"), (torch, "save")):
        monkeypatch.setattr(owner, name, counted(getattr(owner, name)))
    finished = survived >= 4  # save, fsync, replace the previous, replace the newest
    if finished:
        save_checkpoint(tmp_path, state, step=3)
    else:
        with pytest.raises(Killed):
            save_checkpoint(tmp_path, state, step=3)
    monkeypatch.undo()
    found = fresh()
    done = load_checkpoint(tmp_path, found)
    assert done == (3 if finished else 2)
    assert value_of(found) == float(done)
    save_checkpoint(tmp_path, found, step=4)
    assert {p.name for p in tmp_path.iterdir()} == {FILE_NAME, PREVIOUS_NAME}


def test_a_cut_checkpoint_is_passed_over_for_the_one_before_and_named(tmp_path: Path) -> None:
    state, lines = fresh(), []
    for step in (1, 2):
        fill(state, float(step))
        save_checkpoint(tmp_path, state, step=step)
    newest = tmp_path / FILE_NAME
    newest.write_bytes(newest.read_bytes()[:-1000])
    found = fresh()
    assert load_checkpoint(tmp_path, found, say=lines.append) == 1
    assert value_of(found) == 1.0
    assert len(lines) == 1
    assert str(newest) in lines[0]


def test_two_unreadable_checkpoints_are_refused(tmp_path: Path) -> None:
    for name in (FILE_NAME, PREVIOUS_NAME):
        (tmp_path / name).write_bytes(b"nothing")
    with pytest.raises(ModelError, match=r"MS-323 .*neither"):
        load_checkpoint(tmp_path, fresh())


def test_a_checkpoint_of_another_network_is_refused_and_not_passed_over(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, fresh(), step=1)
    save_checkpoint(tmp_path, fresh(), step=2)
    wider = {**CONFIG, "model": {**CONFIG["model"], "pairs": [2, 4]}}
    other = build_state(TrainSettings.model_validate(wider), torch.device("cpu"))
    with pytest.raises(ModelError, match="MS-321"):
        load_checkpoint(tmp_path, other)


def test_random_numbers_go_on_where_the_checkpoint_left_them(tmp_path: Path) -> None:
    torch.rand(3)
    save_checkpoint(tmp_path, fresh(), step=1)
    state = fresh()
    expected = None
    for _ in range(2):
        load_checkpoint(tmp_path, state)
        drawn = torch.rand(4)
        assert expected is None or torch.equal(drawn, expected)
        expected = drawn


def test_nothing_in_a_checkpoint_can_run_code(tmp_path: Path) -> None:
    import pickle

    class Attack:
        def __reduce__(self) -> tuple[Any, ...]:
            return (os.mkdir, (str(tmp_path / "attacked"),))

    (tmp_path / FILE_NAME).write_bytes(pickle.dumps(Attack()))
    with pytest.raises(ModelError, match="MS-323"):
        load_checkpoint(tmp_path, fresh())
    assert not (tmp_path / "attacked").exists()
