"""Where the findings are: one label per finding, on its own side, as large as it says."""

import numpy as np
import pytest

from medsym.inference.case import CaseResult, analyse_scan
from medsym.inference.findings import finding_labels
from tests.builders_case import fake_model, flat_reference, head_phantom


@pytest.fixture(scope="module")
def results(tmp_path_factory: pytest.TempPathFactory) -> dict[str, CaseResult]:
    model = fake_model(tmp_path_factory.mktemp("model"), leak=0.0)
    scans = {
        "left": head_phantom(lesion_mm=(-40.0, 10.0, 10.0)),
        "right": head_phantom(lesion_mm=(40.0, 10.0, 10.0)),
    }
    with pytest.MonkeyPatch.context() as patch:
        from tests.screening.quick_run import patch_known_plane

        patch_known_plane(patch)
        return {
            side: analyse_scan(scan, model, reference=flat_reference())
            for side, scan in scans.items()
        }


def labels_of(result: CaseResult) -> np.ndarray:
    return finding_labels(
        result.findings,
        maps=result.maps,
        grid_to_world=result.prepared.grid_to_world,
        peak_sd=result.peak_sd,
    )


def test_every_finding_has_its_label_its_volume_and_its_side(results) -> None:
    for side, result in results.items():
        labels = labels_of(result)
        assert result.findings
        assert set(np.unique(labels)) == {0, *(f.rank for f in result.findings)}
        for finding in result.findings:
            x = np.argwhere(labels == finding.rank)[:, 0]
            assert len(x) * 0.027 == pytest.approx(finding.volume_ml)
            assert finding.side == side
            middle = (labels.shape[0] - 1) / 2
            assert (x.mean() > middle) == (side == "right")


def test_the_labels_of_the_mirrored_scan_are_the_mirrored_labels(results) -> None:
    left, right = (labels_of(results[side]) for side in ("left", "right"))
    assert np.array_equal(left[::-1], right)


def test_no_finding_leaves_no_label(results) -> None:
    result = results["left"]
    blank = finding_labels(
        (), maps=result.maps, grid_to_world=result.prepared.grid_to_world, peak_sd=result.peak_sd
    )
    assert not blank.any()
    assert blank.dtype == np.int16
