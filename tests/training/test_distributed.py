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


def torchrun(config: Path, out: Path, *extra: str) -> str:
    """Train with two processes; what they said."""
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.training.small_run", str(config), str(out)]
    done = subprocess.run(
        [*command, *extra], cwd=ROOT, capture_output=True, text=True, check=False, timeout=600
    )
    assert done.returncode == 0, done.stderr[-2000:]
    return done.stdout


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
@pytest.mark.parametrize(
    "changes",
    [
        {"workers": 1},
        {
            "model": {"softness": "both"},
            "softness": {"dual": True, "dual_rate": 0.5, "penalty": "odd_weights"},
            "optimiser": {"steps": 4, "batch": 4},
        },
        {"model": {"softness": "free"}, "optimiser": {"steps": 4}},
    ],
    ids=["head and workers", "learned softness under dual control", "free, with unused weights"],
)
def test_two_processes_give_the_loss_and_the_weights_of_one(
    tmp_path: Path, changes: dict[str, Any]
) -> None:
    config = write_config(tmp_path, **changes)
    model = run(config, tmp_path / "one")
    assert model is not None
    torchrun(config, tmp_path / "two")
    for alone, together in zip(losses(tmp_path / "one"), losses(tmp_path / "two"), strict=True):
        assert together == pytest.approx(alone, rel=1e-4, abs=1e-6)
    one, two = final_tensors(tmp_path / "one"), final_tensors(tmp_path / "two")
    assert one.keys() == two.keys()
    weights = [name for name in one if not name.startswith("optimiser")]
    for name in weights:
        assert float((one[name] - two[name]).abs().max()) < TOLERANCE, name
    assert (tmp_path / "two" / "model" / "manifest.json").exists()


@pytest.mark.slow
def test_processes_stop_at_the_same_step_and_one_process_can_go_on(tmp_path: Path) -> None:
    hurried = write_config(tmp_path, max_minutes=1e-6)
    said = torchrun(hurried, tmp_path / "two")
    assert said.count("stopped after 1 of 6 steps") == 1
    assert not (tmp_path / "two" / "model").exists()
    config = write_config(tmp_path)
    assert run(config, tmp_path / "two", resume=True) is not None
    assert run(config, tmp_path / "one") is not None
    one, two = final_tensors(tmp_path / "one"), final_tensors(tmp_path / "two")
    for name in one:
        if name.startswith("network"):
            assert float((one[name] - two[name]).abs().max()) < TOLERANCE, name


@pytest.mark.slow
def test_a_batch_system_that_ends_the_whole_job_finds_a_checkpoint_of_the_step_under_way(
    tmp_path: Path,
) -> None:
    config = write_config(tmp_path, optimiser={"steps": 400}, checkpoint_every=200, workers=1)
    out = tmp_path / "out"
    command = [sys.executable, "-m", "torch.distributed.run", "--standalone"]
    command += ["--nproc-per-node", "2", "-m", "tests.training.small_run", str(config), str(out)]
    job = subprocess.Popen(
        [*command, "--pause", "0.05"],
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
