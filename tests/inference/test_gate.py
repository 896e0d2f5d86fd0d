"""What is not fit to be judged gets a reason instead of a number."""

from pathlib import Path

import numpy as np
import pytest

from medsym.inference.case import CaseResult, Options, analyse_scan
from medsym.inference.gate import (
    MIN_CONTRAST,
    GateValues,
    length_over_width,
    reasons_not_assessable,
    relative_contrast,
)
from medsym.volumes.volume import Volume
from tests.builders_case import fake_model, flat_reference, head_phantom


def analyse(scan: Volume, folder: Path) -> CaseResult:
    return analyse_scan(scan, fake_model(folder), reference=flat_reference(), options=Options())


GOOD = {
    "brain_ml": 1300.0,
    "coverage": 1.0,
    "brain_dice": 0.9,
    "hemisphere_ratio": 1.02,
    "structures_found": 1.0,
    "plane_score": 0.8,
    "explained": 0.3,
    "contrast": 0.8,
    "length_over_width": 1.2,
}


@pytest.mark.parametrize(
    ("key", "value", "words"),
    [
        ("brain_ml", 400.0, "400 ml"),
        ("brain_ml", 3000.0, "3000 ml"),
        ("coverage", 0.4, "40%"),
        ("brain_dice", 0.1, "0.10"),
        ("hemisphere_ratio", float("inf"), "hemisphere"),
        ("structures_found", 0.2, "20%"),
        ("plane_score", 0.05, "mid-plane"),
        ("explained", 0.01, "1%"),
        ("contrast", 0.04, "0.04"),
        ("length_over_width", 0.8, "axes"),
    ],
)
def test_each_unfit_value_gives_its_reason(key: str, value: float, words: str) -> None:
    assert reasons_not_assessable(GateValues(**GOOD)) == ()
    (reason,) = reasons_not_assessable(GateValues(**{**GOOD, key: value}))
    assert words in reason


@pytest.mark.usefixtures("known_plane")
def test_noise_and_uniform_objects_are_not_assessable(tmp_path: Path) -> None:
    scan = head_phantom(lesion_mm=None)
    inside = scan.voxels > 0
    rng = np.random.default_rng(0)
    noise = rng.normal(100, 20, scan.shape)
    bottle = rng.normal(100, 1, scan.shape)
    for voxels, words in ((noise, "explain"), (bottle, "contrast")):
        unfit = Volume(voxels=(voxels * inside).astype(np.float32), affine=scan.affine)
        result = analyse(unfit, tmp_path)
        assert any(words in reason for reason in result.reasons), result.gate


def test_ct_is_not_taken_for_an_object_without_contrast() -> None:
    rng = np.random.default_rng(0)
    brain = np.zeros((20, 20, 20), dtype=bool)
    brain[4:16, 4:16, 4:16] = True
    tissue = rng.choice([8.0, 27.0, 36.0], size=brain.shape)
    assert relative_contrast(np.where(brain, tissue, -1000.0), brain=brain) > MIN_CONTRAST
    water = rng.normal(100.0, 1.0, brain.shape)
    assert relative_contrast(np.where(brain, water, 0.0), brain=brain) < MIN_CONTRAST


def test_exchanged_axes_are_not_assessable(tmp_path: Path) -> None:
    scan = head_phantom(lesion_mm=None)
    exchanged = Volume(voxels=scan.voxels.swapaxes(0, 1), affine=scan.affine)
    assert analyse(scan, tmp_path).gate.length_over_width > 1.1
    reasons = analyse(exchanged, tmp_path).reasons
    assert any("are the axes of the file right?" in reason for reason in reasons)


def test_shape_of_the_brain_is_measured_along_the_right_axes() -> None:
    brain = np.zeros((20, 20, 20), dtype=bool)
    brain[5:13, 2:18] = True
    assert length_over_width(brain) == 2.0
    assert length_over_width(brain.swapaxes(0, 1)) == 0.5
    assert length_over_width(np.zeros_like(brain)) == float("inf")
