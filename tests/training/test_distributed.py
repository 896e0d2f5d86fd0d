"""Several processes train the network that one would have trained."""

import os
import signal
import subprocess
import sys
from pathlib import Path
from typing import Any

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medsym.errors import ConfigError
from medsym.training.checkpoint import FILE_NAME as CHECKPOINT
from medsym.training.distributed import Ranks, launched_ranks
from medsym.training.history import FILE_NAME as HISTORY
from medsym.training.history import read_history
from tests.training.small_run import final_tensors, run, write_config

ROOT = Path(__file__).parents[2]
TOLERANCE = 2e-5  # gradients are summed in another order; weights are of size 0.1


CHANGES: dict[str, dict[str, Any]] = {
    "head and workers": {"workers": 1},
    "learned softness under dual control": {
        "model": {"softness": "both"},
        "softness": {"dual": True, "dual_rate": 0.5, "penalty": "odd_weights"},
        "optimiser": {"steps": 4, "batch": 4},
    },
    "free, with unused weights": {"model": {"softness": "free"}, "optimiser": {"steps": 4}},
}
HURRIED = "no time"


def command(*runs: Path) -> list[str]:
    """Train with two processes, one run after another; pairs of configuration and output."""
    launcher = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    launcher += ["--nproc-per-node", "2", "-m", "tests.training.small_run"]
    return [*launcher, *map(str, runs)]


@pytest.fixture(scope="module")
def two(tmp_path_factory: pytest.TempPathFactory) -> tuple[Path, str]:
    """A folder with every run by two processes, which are started once, and what they said."""
    folder, runs = tmp_path_factory.mktemp("two"), []
    for name, changes in {**CHANGES, HURRIED: {"max_minutes": 1e-6}}.items():
        (folder / name).mkdir()
        runs += [write_config(folder / name, **changes), folder / name / "out"]
    done = subprocess.run(
        command(*runs), cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return folder, done.stdout


def losses(out: Path) -> list[dict[str, Any]]:
    """Mean parts of the loss at every checkpoint."""
    rows = read_history(out / HISTORY)
    return [row["parts"] for row in rows if row["kind"] == "checkpoint"]


@given(
    world=st.integers(1, 6), own=st.integers(1, 4), first=st.integers(0, 5), more=st.integers(0, 4)
)
def test_processes_share_the_subjects_of_a_single_process_step_by_step(
    world: int, own: int, first: int, more: int
) -> None:
    batch, last = world * own, first + more
    alone = list(Ranks().indices(first=first, last=last, batch=batch))
    shares = [
        list(Ranks(rank=r, world=world).indices(first=first, last=last, batch=batch))
        for r in range(world)
    ]
    assert {len(share) for share in shares} == {own * more}
    for step in range(more):
        together = [i for share in shares for i in share[step * own : (step + 1) * own]]
        assert together == alone[step * batch : (step + 1) * batch]


def test_a_batch_that_cannot_be_shared_equally_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-370 optimiser.batch: 5 subjects .* 2 processes"):
        Ranks(world=2).share_of(5)


def test_without_torchrun_there_is_one_process_and_nothing_to_agree_on() -> None:
    with launched_ranks() as ranks:
        assert ranks == Ranks()
        assert torch.equal(ranks.largest(torch.tensor([3, 1])), torch.tensor([3, 1]))
        assert ranks.mean_of({"a": 2.0}) == {"a": 2.0}
        network = torch.nn.Linear(1, 1)
        assert ranks.wrap(network, some_unused=False) is network


@pytest.mark.slow
@pytest.mark.parametrize("name", CHANGES)
def test_two_processes_give_the_loss_and_the_weights_of_one(
    two: tuple[Path, str], name: str
) -> None:
    folder = two[0] / name
    assert run(folder / "config.yaml", folder / "one") is not None
    pairs = zip(losses(folder / "one"), losses(folder / "out"), strict=True)
    for alone, together in pairs:
        assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)
    by_one, by_two = final_tensors(folder / "one"), final_tensors(folder / "out")
    assert by_one.keys() == by_two.keys()
    weights = [key for key in by_one if not key.startswith("optimiser")]
    for key in weights:
        assert float((by_one[key] - by_two[key]).abs().max()) < TOLERANCE, key
    assert (folder / "out" / "model" / "manifest.json").exists()


@pytest.mark.slow
def test_processes_stop_at_the_same_step_and_one_process_can_go_on(two: tuple[Path, str]) -> None:
    folder, said = two[0] / HURRIED, two[1]
    assert said.count("stopped after 1 of 6 steps") == 1
    assert not (folder / "out" / "model").exists()
    config = write_config(folder)
    assert run(config, folder / "out", resume=True) is not None
    assert run(config, folder / "one") is not None
    by_one, by_two = final_tensors(folder / "one"), final_tensors(folder / "out")
    for key in by_one:
        if key.startswith("network"):
            assert float((by_one[key] - by_two[key]).abs().max()) < TOLERANCE, key


@pytest.mark.slow
def test_a_batch_system_that_ends_the_whole_job_finds_a_checkpoint_of_the_step_under_way(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, optimiser={"steps": 400}, checkpoint_every=200, workers=1)
    out = tmp_path / "out"
    job = subprocess.Popen(
        [*command(config, out), "--pause", "0.05"],
        cwd=ROOT,
        stdout=subprocess.PIPE,
        stderr=subprocess.DEVNULL,
        text=True,
        start_new_session=True,
    )
    assert job.stdout is not None
    said = []
    for line in job.stdout:
        said.append(line)
        if line.startswith("at ") and len(said) < 4:
            os.killpg(job.pid, signal.SIGTERM)
    job.wait(timeout=120)
    job.stdout.close()
    assert "(asked to end)" in said[-1]
    step = torch.load(out / CHECKPOINT, weights_only=True)["step"]
    assert 0 < step < 200
