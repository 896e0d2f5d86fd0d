"""The Slurm script resumes when it can and asks to run again only when that gets further."""

import os
import shlex
import subprocess
from pathlib import Path

import pytest

from medsym.cli import build_parser
from medsym.training.checkpoint import FILE_NAME, PREVIOUS_NAME

SCRIPT = Path(__file__).parents[2] / "configs" / "slurm_train.sh"
SRUN = """#!/bin/sh
echo "$@" > "$RECORD/srun"
[ -z "$PROGRESS" ] || { mkdir -p "$OUT"; sleep 0.05; touch "$OUT/checkpoint.pt"; }
[ -z "$FINISH" ] || { mkdir -p "$OUT/model"; touch "$OUT/model/reference.safetensors"; }
exit "${CODE:-0}"
"""
SCONTROL = """#!/bin/sh
case "$1" in show) echo node7; echo node8 ;; *) echo "$@" > "$RECORD/$1" ;; esac
"""


def submit(folder: Path, **environment: str) -> tuple[list[str], bool]:
    """Run the script with stand-ins for Slurm; the medsym command, and whether it requeued."""
    tools = folder / "tools"
    tools.mkdir(exist_ok=True)
    for name, text in (("srun", SRUN), ("scontrol", SCONTROL)):
        (tools / name).write_text(text)
        (tools / name).chmod(0o755)
        (folder / name).unlink(missing_ok=True)
    (folder / "requeue").unlink(missing_ok=True)
    out = folder / "out dir"
    subprocess.run(
        ["bash", str(SCRIPT), "my config.yaml", str(out)],
        check=True,
        capture_output=True,
        env={
            **os.environ,
            "PATH": f"{tools}:{os.environ['PATH']}",
            "RECORD": str(folder),
            "OUT": str(out),
            "SLURM_JOB_NODELIST": "node[7-8]",
            "SLURM_JOB_NUM_NODES": "2",
            "SLURM_JOB_ID": "11",
            "SLURM_GPUS_ON_NODE": "4",
            **environment,
        },
    )
    command = (folder / "srun").read_text().split("-m medsym ")
    assert "--rdzv-endpoint=node7:29500" in command[0]
    assert "--nnodes=2 --nproc-per-node=4" in command[0]
    return command[1].split(), (folder / "requeue").exists()


@pytest.mark.parametrize(
    ("environment", "requeued"),
    [
        ({"PROGRESS": "1", "FINISH": "1"}, False),
        ({"PROGRESS": "1", "CODE": "1"}, True),
        ({"PROGRESS": "1"}, True),
        ({"CODE": "1"}, False),
    ],
    ids=["finished", "stopped by a signal", "stopped", "cannot start"],
)
def test_the_job_runs_again_only_if_it_got_further_and_is_not_finished(
    tmp_path: Path, environment: dict[str, str], requeued: bool
) -> None:
    command, again = submit(tmp_path, **environment)
    assert "--resume" not in command
    assert again == requeued


@pytest.mark.parametrize("name", [FILE_NAME, PREVIOUS_NAME])
def test_a_job_that_finds_a_checkpoint_resumes(tmp_path: Path, name: str) -> None:
    (tmp_path / "out dir").mkdir()
    (tmp_path / "out dir" / name).touch()
    command, _ = submit(tmp_path)
    assert command[-1] == "--resume"


def test_the_command_in_the_script_is_one_that_medsym_knows() -> None:
    lines = SCRIPT.read_text().replace("\\\n", " ").splitlines()
    (line,) = [line for line in lines if "-m medsym" in line]
    words = shlex.split(line.partition("-m medsym")[2].partition("||")[0])
    given = build_parser().parse_args([w for w in words if w != "${resume[@]}"] + ["--resume"])
    assert given.resume
