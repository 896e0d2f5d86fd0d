"""A checkpoint survives whatever happens while it is written, and says so when it does not fit."""

import copy
import json
import os
import re
from pathlib import Path
from typing import Any

import pytest
import torch

from medsym.errors import ModelError
from medsym.training.checkpoint import (
    FILE_NAME,
    MAY_CHANGE,
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


def changed(name: str, value: Any) -> TrainSettings:
    """The small configuration with one setting, named with dots, replaced."""
    content = copy.deepcopy(CONFIG)
    inner = content
    *parents, last = name.split(".")
    for parent in parents:
        inner = inner.setdefault(parent, {})
    inner[last] = value
    return TrainSettings.model_validate(content)


@pytest.mark.parametrize(
    ("name", "value"),
    [
        ("seed", 6),
        ("optimiser.batch", 3),
        ("optimiser.learning_rate", 1e-3),
        ("model.position", True),
        ("loss.dice", 0.5),
        ("softness.penalty_weight", 0.02),
        ("synthesis.lesions.smallest_ml", 0.1),
        ("synthesis.deformation.tilt_deg", [-2.0, 2.0]),
        ("data", {"layout": "bids", "folder": "x", "cache": "y"}),
        ("mixed_precision", True),
    ],
)
def test_a_run_does_not_go_on_with_another_setting_and_names_it(
    tmp_path: Path, name: str, value: Any
) -> None:
    save_checkpoint(tmp_path, fresh(), step=1, settings=TrainSettings.model_validate(CONFIG))
    with pytest.raises(ModelError, match=rf"MS-321 .*began with {re.escape(name)}"):
        load_checkpoint(tmp_path, fresh(), settings=changed(name, value))


OTHERWISE = {
    "optimiser.steps": 9,
    "optimiser.cooldown": 0.1,
    "workers": 3,
    "threads": 2,
    "device": "auto",
    "synthesis_device": "cpu",
    "checkpoint_every": 3,
    "report_every": 1.0,
    "max_minutes": 5.0,
    "tensorboard": True,
    "validation_cases": 2,
    "reference_cases": 8,
    "name": "another",
    "data_licences": ["none"],
    "synthesis.source.cache": "elsewhere",
}


def test_a_run_may_go_on_longer_or_elsewhere(tmp_path: Path) -> None:
    assert set(OTHERWISE) == MAY_CHANGE
    begun = TrainSettings.model_validate(CONFIG)
    save_checkpoint(tmp_path, fresh(), step=1, settings=begun)
    state = fresh()
    for name, value in OTHERWISE.items():
        settings = changed(name, value)
        assert settings != begun
        assert load_checkpoint(tmp_path, state, settings=settings) == 1


def test_a_setting_newer_than_the_checkpoint_had_its_default(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, fresh(), step=1, settings=TrainSettings.model_validate(CONFIG))
    content = torch.load(tmp_path / FILE_NAME, weights_only=True)
    settings = json.loads(content["settings"])
    del settings["loss.dice"]
    torch.save({**content, "settings": json.dumps(settings)}, tmp_path / FILE_NAME)
    assert load_checkpoint(tmp_path, fresh(), settings=changed("seed", CONFIG["seed"])) == 1
    with pytest.raises(ModelError, match=r"MS-321 .*began with loss\.dice 1\.0, .*says 0\.5"):
        load_checkpoint(tmp_path, fresh(), settings=changed("loss.dice", 0.5))


def test_a_checkpoint_that_holds_no_settings_is_still_read(tmp_path: Path) -> None:
    save_checkpoint(tmp_path, fresh(), step=1)
    content = torch.load(tmp_path / FILE_NAME, weights_only=True)
    del content["settings"]
    torch.save(content, tmp_path / FILE_NAME)
    assert load_checkpoint(tmp_path, fresh(), settings=changed("seed", 6)) == 1


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
