"""A run on the user's scans: it resumes exactly, and its model names nobody."""

from collections.abc import Callable
from pathlib import Path

import pytest
import torch
import yaml

from medsym.models.store import load_model
from medsym.training.checkpoint import FILE_NAME
from medsym.training.run import train
from tests.datasets.layout_folders import bids


def configuration(folder: Path) -> Path:
    content = {
        "name": "own",
        "device": "cpu",
        "workers": 0,
        "checkpoint_every": 2,
        "validation_cases": 1,
        "reference_cases": 4,
        "model": {"spacing_mm": 6.0, "pairs": [2, 4], "decoder_pairs": 2, "head_pairs": 2}
        | {"window": [0, 1]},
        "optimiser": {"steps": 4, "batch": 2, "warmup": 1},
        "data": {
            "layout": "bids",
            "folder": str(folder / "anna"),
            "cache": str(folder / "cache"),
            "test_subjects": ["sub-left"],
            "synthetic_share": 0.0,
        },
    }
    path = folder / "own.yaml"
    path.write_text(yaml.safe_dump(content))
    return path


def stop_at(step: int) -> Callable[[str], None]:
    def report(line: str) -> None:
        if line.startswith(f"step {step}/"):
            raise KeyboardInterrupt

    return report


@pytest.mark.slow
def test_run_on_own_scans_resumes_exactly_and_names_nobody(tmp_path: Path) -> None:
    bids(tmp_path / "anna")
    config = configuration(tmp_path)
    lines: list[str] = []
    model = train(config, out=tmp_path / "whole", report=lines.append)
    for step in (2, 4):  # the last checkpoint is enough: calibrating the model takes longest
        with pytest.raises(KeyboardInterrupt):
            train(config, out=tmp_path / "broken", resume=step > 2, report=stop_at(step))
    whole, broken = (
        torch.load(tmp_path / out / FILE_NAME, weights_only=True)["network"]
        for out in ("whole", "broken")
    )
    assert all(torch.equal(whole[name], broken[name]) for name in whole)
    assert model is not None
    manifest = str(load_model(model).manifest)
    assert "sub-left" not in manifest
    assert str(tmp_path) not in manifest
    assert any(line.startswith("train: 1 subjects") for line in lines)
    assert any("AUPRC" in line for line in lines)
