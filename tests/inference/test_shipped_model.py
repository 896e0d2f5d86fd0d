"""The shipped weights, reference and code belong together: what they say of the bundled samples."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

import medsym
from medsym.inference.case import reference_of

SAMPLES = Path(__file__).parents[2] / "data_samples"
pytestmark = pytest.mark.slow


@pytest.mark.parametrize(
    ("name", "sides"),
    [
        ("sub-healthy_T1w", set()),
        ("sub-leftstroke_FLAIR", {"left"}),
        ("sub-righttumour_T2w", {"right"}),
        ("sub-subtle_T1w", set()),
    ],
)
def test_samples_are_assessable_and_findings_lie_on_their_side(name: str, sides: set[str]) -> None:
    case = medsym.analyse_scan(medsym.read_scan(SAMPLES / f"{name}.nii.gz"), medsym.load_model())
    assert case.is_assessable, case.reasons
    assert {finding.side for finding in case.findings} == sides


def test_a_mirrored_scan_gives_mirrored_maps_as_far_as_the_bound_says_and_the_other_side() -> None:
    model = medsym.load_model()
    scan = medsym.read_scan(SAMPLES / "sub-leftstroke_FLAIR.nii.gz")
    mirrored = replace(scan, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ scan.affine)
    here, there = (medsym.analyse_scan(s, model) for s in (scan, mirrored))
    asymmetry = here.maps.asymmetry.astype(np.float64)
    difference = np.abs(asymmetry - there.maps.asymmetry[::-1])
    softness = here.maps.bound + here.maps.bound[::-1]  # of a place and of its mirror place
    assert (difference <= softness + 1e-4 * (1.0 + np.abs(asymmetry))).all()
    assert np.quantile(difference[here.maps.domain], 0.99) < 0.3  # nats; the bound is small
    assert [f.side for f in here.findings] == ["left"]
    assert [f.side for f in there.findings] == ["right"]


def test_shipped_reference_gives_a_threshold_and_is_the_one_of_the_manifest() -> None:
    model = medsym.load_model()
    assert model.manifest["reference_sha256"]
    assert reference_of(model).threshold(0.05) is not None
