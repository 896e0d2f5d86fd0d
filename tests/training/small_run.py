"""A whole run in seconds: real settings and loop, subjects drawn by a formula.

``python -m tests.training.small_run CONFIG OUT [CONFIG OUT ...] [--pause SECONDS]`` trains one run
after another in a process of its own, for tests that start several processes with torchrun.
"""

import argparse
import os
import time
from collections.abc import Iterator
from contextlib import contextmanager
from multiprocessing.connection import Connection
from pathlib import Path
from typing import Any
from unittest import mock

import torch
import yaml
from torch.utils.data import Dataset

from medsym.commands.stopping import requests_to_stop
from medsym.synthesis.case import SyntheticCase
from medsym.training.checkpoint import FILE_NAME
from medsym.training.run import train

SHAPE = (32, 32, 32)
CONFIG: dict[str, Any] = {
    "name": "small",
    "seed": 5,
    "device": "cpu",
    "threads": 1,
    "workers": 0,
    "checkpoint_every": 2,
    "validation_cases": 1,
    "reference_cases": 4,
    "tensorboard": False,
    "model": {
        "spacing_mm": 8.0,
        "pairs": [2, 3],
        "window": [0, 1],
        "decoder_pairs": 2,
        "head_pairs": 2,
    },
    "optimiser": {"steps": 6, "batch": 2, "warmup": 1, "average": 0.5},
}


def formula_case(seed: int, index: int) -> SyntheticCase:
    """A head of changing size with a lump on the patient's left, which is at small x."""
    generator = torch.Generator().manual_seed(1000 * seed + index)
    axes = torch.meshgrid(*[torch.linspace(-1.0, 1.0, n) for n in SHAPE], indexing="ij")
    radius = 0.5 + 0.4 * float(torch.rand((), generator=generator))
    brain = sum(axis.square() for axis in axes) < radius**2
    centre = torch.tensor([-0.25, 0.1, 0.0])
    lesion = sum((a - c).square() for a, c in zip(axes, centre, strict=True)) < 0.15**2
    image = torch.where(brain, 1.0 + 0.2 * torch.randn(SHAPE, generator=generator), 0.0)
    return SyntheticCase(
        image=image + lesion.float(),
        structures=torch.where(brain, torch.where(axes[0] < 0, 1, 2), 0),
        lesion=lesion & brain,
        brain=brain,
        coverage=torch.ones_like(brain),
        stripped=True,
        kind="T1",
        records=(),
        anatomy="formula",
    )


class FormulaSubjects(Dataset[SyntheticCase]):
    """``subjects[i]`` depends on seed and index alone."""

    def __init__(self, seed: int, *, pause: float = 0.0) -> None:
        self.seed = seed
        self.pause = pause

    def __getitem__(self, index: int) -> SyntheticCase:
        time.sleep(self.pause)
        return formula_case(self.seed, index)


@contextmanager
def formula_subjects(*, pause: float = 0.0) -> Iterator[None]:
    """While open, runs draw their subjects by the formula."""

    def make(_settings: object, *, split: str, **_more: object) -> FormulaSubjects:
        return FormulaSubjects(1 if split == "train" else 2, pause=pause)

    def healthy(settings: Any, **_more: object) -> tuple[FormulaSubjects, int]:
        return FormulaSubjects(3), settings.reference_cases

    with (
        mock.patch("medsym.training.loop.make_dataset", make),
        mock.patch("medsym.training.validation.make_dataset", make),
        mock.patch("medsym.training.loop.reference_subjects", healthy),
    ):
        yield


def run_telling(told: Connection, config: Path, out: Path, pause: float, resume: bool) -> None:
    """Train in this process, as head of a group of its own, and send every line of the report."""
    os.setsid()
    with formula_subjects(pause=pause):
        train(config, out=out, resume=resume, report=told.send)


def write_config(folder: Path, **changes: Any) -> Path:
    """The small configuration with some sections replaced or amended."""
    merged = {
        **CONFIG,
        **{
            key: {**CONFIG.get(key, {}), **value} if isinstance(value, dict) else value
            for key, value in changes.items()
        },
    }
    path = folder / "config.yaml"
    path.write_text(yaml.safe_dump(merged))
    return path


def run(config: Path, out: Path, **how: Any) -> Path | None:
    """Train on subjects drawn by the formula."""
    with formula_subjects():
        return train(config, out=out, **how)


def final_tensors(out: Path) -> dict[str, torch.Tensor]:
    """Everything a run ends with: weights, averages, moments, multipliers."""
    content = torch.load(out / FILE_NAME, weights_only=True)
    moments = {
        f"optimiser {number} {name}": value
        for number, entry in content["optimiser"]["state"].items()
        for name, value in entry.items()
    }
    return {
        **{f"network {k}": v for k, v in content["network"].items()},
        **{f"average {k}": v for k, v in content["average"].items()},
        **{f"softness {k}": v for k, v in content["softness"].items()},
        **moments,
    }


def main() -> None:
    """Train in this process, as the command line does."""
    parser = argparse.ArgumentParser()
    parser.add_argument("runs", type=Path, nargs="+")
    parser.add_argument("--pause", type=float, default=0.0)
    given = parser.parse_args()
    for number, (config, out) in enumerate(zip(given.runs[::2], given.runs[1::2], strict=True)):
        if number:  # processes that meet again need another place to do so
            os.environ["TORCHELASTIC_USE_AGENT_STORE"] = "False"
            os.environ["MASTER_PORT"] = str(int(os.environ["MASTER_PORT"]) + 1)
        with formula_subjects(pause=given.pause), requests_to_stop() as stop:
            train(config, out=out, report=lambda line: print(line, flush=True), stop=stop)


if __name__ == "__main__":
    main()
