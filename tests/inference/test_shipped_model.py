"""The shipped weights, reference and code belong together: what they say of the bundled samples."""

from pathlib import Path

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


def test_shipped_reference_gives_a_threshold_and_is_the_one_of_the_manifest() -> None:
    model = medsym.load_model()
    assert model.manifest["reference_sha256"]
    assert reference_of(model).threshold(0.05) is not None
