"""Where the network runs: stated in the record, refused where there is no GPU, no other results."""

from pathlib import Path

import numpy as np
import pytest
import torch

import medsym
from medsym.commands.console import EXIT_USAGE
from medsym.inference.maps import check_bound
from medsym.screening.runner import ScreenOptions

SAMPLES = Path(__file__).parents[2] / "data_samples"
HAS_GPU = torch.cuda.is_available()


def test_results_say_that_they_were_made_on_a_gpu_and_those_of_the_cpu_are_as_before() -> None:
    assert "device" not in ScreenOptions().fingerprint()
    assert ScreenOptions(device="cuda").fingerprint()["device"] == "cuda"


@pytest.mark.skipif(HAS_GPU, reason="this machine has a GPU")
def test_a_missing_gpu_is_said_before_anything_is_written(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    from medsym.cli import main

    scan = SAMPLES / "sub-healthy_T1w.nii.gz"
    code = main(["screen", str(scan), "--device", "cuda", "--out", str(tmp_path / "out")])
    assert code == EXIT_USAGE
    assert "MS-316 cuda: torch finds no GPU" in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


@pytest.mark.slow
@pytest.mark.skipif(not HAS_GPU, reason="needs a GPU")
def test_a_gpu_finds_what_the_cpu_finds_and_keeps_the_bound() -> None:
    scan = medsym.read_scan(SAMPLES / "sub-leftstroke_FLAIR.nii.gz")
    here, there = (
        medsym.analyse_scan(scan, medsym.load_model(device=device)) for device in ("cpu", "cuda")
    )
    check_bound(there.maps, subject="sub-leftstroke_FLAIR")
    assert [(f.side, f.structure) for f in here.findings] == [
        (f.side, f.structure) for f in there.findings
    ]
    assert np.abs(here.maps.deviation - there.maps.deviation).max() < 1e-3  # SD
    assert (here.maps.brain == there.maps.brain).all()
