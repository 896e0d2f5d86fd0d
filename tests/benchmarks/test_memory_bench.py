"""The benchmark of freed memory measures both ways in processes of their own, and says so."""

import os

import pytest

from medsym.allocator import VARIABLES, is_glibc
from medsym.benchmarks import memory
from medsym.benchmarks.memory import format_memory, run_memory_benchmark
from medsym.errors import ConfigError
from medsym.training.settings import TrainSettings

SETTINGS = TrainSettings.model_validate(
    {"name": "memory", "model": {"spacing_mm": 8.0}, "optimiser": {"batch": 2}}
)


@pytest.mark.slow
@pytest.mark.skipif(not is_glibc(), reason="the allocator of another C library")
def test_both_ways_are_measured_and_the_environment_is_as_before() -> None:
    before, lines = dict(os.environ), list[str]()
    numbers = run_memory_benchmark(SETTINGS, repeat=1, report=lines.append, seconds=0.1)
    assert dict(os.environ) == before
    assert [(row["what"], row["kept"]) for row in numbers["rows"]] == [
        *(("draw", False), ("draw", True), ("train", False), ("train", True)),
    ]
    assert len(lines) == 4
    for gain in numbers["gains"]:
        assert gain["ratio"] == gain["speed_kept"] / gain["speed_handed_back"]
    assert "subjects of 8 mm, batches of 2" in format_memory(numbers)


def test_processes_see_what_is_measured(monkeypatch: pytest.MonkeyPatch) -> None:
    name = "MALLOC_MMAP_MAX_"
    monkeypatch.setenv(name, "7")
    with memory._environment(kept=False):
        assert not VARIABLES.keys() & os.environ.keys()
    with memory._environment(kept=True):
        assert os.environ[name] == VARIABLES[name]
    assert os.environ[name] == "7"


def test_other_allocators_are_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(memory, "is_glibc", lambda: False)
    with pytest.raises(ConfigError, match=r"MS-813 bench memory: .*not glibc.*Fix: measure"):
        run_memory_benchmark(SETTINGS, repeat=1, report=print)
