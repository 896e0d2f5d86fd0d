"""Throughput is what a stopwatch beside the loop would say, and waiting is told from working."""

import json
from pathlib import Path
from typing import Any
from unittest import mock

import pytest

from medsym.benchmarks.throughput import (
    format_throughput,
    measure_both,
    measure_drawing,
    measure_training,
    run_throughput,
)
from medsym.strict_json import to_json
from medsym.training.settings import TrainSettings
from tests.training.small_run import CONFIG, FormulaSubjects

SETTINGS = TrainSettings.model_validate({**CONFIG, "optimiser": {"batch": 2}})
SLOW = 0.2  # seconds that a subject takes


def drawn_in(seconds: float) -> Any:
    """Subjects that take so long to draw."""

    def make(_settings: object, **_more: object) -> FormulaSubjects:
        return FormulaSubjects(1, pause=seconds)

    return mock.patch("medsym.benchmarks.throughput.make_dataset", make)


def test_drawing_alone_is_as_fast_as_the_subjects_are_slow() -> None:
    with drawn_in(SLOW):
        speed = measure_drawing(SETTINGS, workers=0, seconds=1.0)
    assert 0.3 / SLOW < speed.subjects_per_second <= 1.0 / SLOW
    assert speed.steps_per_second is None


def test_training_alone_does_not_draw() -> None:
    with drawn_in(5 * SLOW):  # a batch would take ten times as long
        speed = measure_training(SETTINGS, seconds=0.5)
    assert speed.steps_per_second is not None
    assert speed.steps_per_second > 1.0 / (10 * SLOW)
    assert speed.subjects_per_second == pytest.approx(2 * speed.steps_per_second)
    assert speed.waiting is None


@pytest.mark.slow
def test_both_together_wait_for_slow_subjects_and_hardly_for_fast_ones() -> None:
    with drawn_in(5 * SLOW):
        slow = measure_both(SETTINGS, workers=0, seconds=0.5)
    with drawn_in(0.0):
        fast = measure_both(SETTINGS, workers=0, seconds=0.5)
    assert slow.waiting is not None
    assert fast.waiting is not None
    assert slow.waiting > 0.6
    assert fast.waiting < slow.waiting
    assert slow.subjects_per_second < fast.subjects_per_second


@pytest.mark.slow
def test_the_table_and_the_json_say_what_was_measured_and_on_what(tmp_path: Path) -> None:
    lines: list[str] = []
    with drawn_in(0.0):
        numbers = run_throughput(SETTINGS, workers=[0, 1], report=lines.append, seconds=0.2)
    assert [entry["what"] for entry in numbers["speeds"]] == [
        *("draw", "draw", "train", "draw and train", "draw and train"),
    ]
    assert len(lines) == 5
    table = format_throughput(numbers)
    assert "8 mm, batches of 2, trained on cpu" in table
    assert table.count("draw and train") == 2
    path = tmp_path / "speed.json"
    path.write_text(to_json(numbers))
    assert json.loads(path.read_text())["peak_gpu_memory_gib"] is None
