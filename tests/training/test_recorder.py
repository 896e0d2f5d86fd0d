"""What TensorBoard shows is what was measured, each step once."""

import sys
from pathlib import Path

import pytest
from tensorboard.backend.event_processing.event_accumulator import EventAccumulator

from medsym.errors import ConfigError
from medsym.training.history import FILE_NAME, read_history
from medsym.training.recorder import BOARD, CURVES, PICTURE
from tests.training.small_run import run, write_config


def board(out: Path) -> EventAccumulator:
    events = EventAccumulator(str(out / BOARD))
    events.Reload()
    return events


@pytest.mark.slow
def test_event_files_hold_the_numbers_of_the_history_and_pictures(tmp_path: Path) -> None:
    config = write_config(
        tmp_path, tensorboard=True, model={"softness": "both"}, optimiser={"steps": 4}
    )
    answers = iter(["", "", "enough"])
    run(config, tmp_path / "out", stop=lambda: next(answers))
    run(config, tmp_path / "out", resume=True)
    out = tmp_path / "out"
    rows = [r for r in read_history(out / FILE_NAME) if r["kind"] == "checkpoint"]
    events = board(out)
    steps = [row["step"] for row in rows]
    assert steps == [2, 3, 4]
    wanted = {
        "mean_loss/total": [row["loss"] for row in rows],
        "unseen/pathology": [row["unseen"]["pathology"] for row in rows],
        "unseen/tolerance": [row["unseen"]["tolerance"] for row in rows],
        "optimiser/learning_rate": [row["learning_rate"] for row in rows],
        "softness/levels.0.enter": [row["softness"]["levels.0.enter"] for row in rows],
    }
    for tag, values in wanted.items():
        found = events.Scalars(tag)
        assert [event.step for event in found] == steps, tag
        assert [event.value for event in found] == pytest.approx(values, rel=1e-5), tag
    assert [image.step for image in events.Images("unseen_subject")] == steps
    for name in (CURVES, PICTURE):
        assert (out / name).read_bytes().startswith(b"\x89PNG")


def test_without_tensorboard_nothing_of_it_is_written(tmp_path: Path) -> None:
    run(write_config(tmp_path, optimiser={"steps": 2}), tmp_path / "out")
    assert not (tmp_path / "out" / BOARD).exists()
    assert (tmp_path / "out" / FILE_NAME).exists()


def test_a_missing_package_is_said_before_anything_is_drawn(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setitem(sys.modules, "tensorboard", None)
    config = write_config(tmp_path, tensorboard=True)
    with pytest.raises(ConfigError, match=r"MS-371 tensorboard: .*set tensorboard: false"):
        run(config, tmp_path / "out")
    assert not (tmp_path / "out").exists()
