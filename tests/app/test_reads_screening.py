"""The viewer reads what screening writes: same files, same side, same place."""

from pathlib import Path

import numpy as np
import pytest

from app.cohort import read_worklist
from app.results import read_case
from app.viewer.payload import case_payload
from app.viewer.preparing import case_volumes
from tests.app.test_display_grid import decoded
from tests.screening.quick_run import patch_known_plane, run, store

LESION_MM = (40.0, 10.0, 10.0)


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    root = tmp_path_factory.mktemp("screened")
    with pytest.MonkeyPatch.context() as patch:
        patch_known_plane(patch)
        scans = [store(root / "in" / "sub-01_T1w.nii.gz", codes="LAS")]
        bad = root / "in" / "sub-02_T1w.nii.gz"
        bad.write_bytes(scans[0].read_bytes()[:2000])
        run([*scans, bad], root / "out", root / "model")
    return root / "out"


def test_worklist_has_the_case_and_the_refused_scan(folder: Path) -> None:
    rows = read_worklist(folder)
    assert [(row.case, row.status) for row in rows] == [("sub-01_T1w", "assessed"), ("", "refused")]
    assert rows[0].side == "right"
    assert rows[0].numbers["deviation_max"] > 0
    assert rows[1].file == "sub-02_T1w.nii.gz"


def test_payload_has_every_map_and_starts_at_the_lesion(folder: Path) -> None:
    case = read_case(folder, "sub-01_T1w")
    volumes = case_volumes(case)
    maps = {"deviation", "asymmetry", "bound", "pathology", "anatomy"}
    assert set(volumes) == {"scan", *maps}
    payload = case_payload(case, volumes={}, web="", finding=None)
    assert case.record["grid"] == {"shape": [64, 80, 64], "spacing_mm": 3.0}
    assert payload["findings"][0]["side"] == "right"
    assert np.linalg.norm(np.subtract(payload["crosshair_mm"], LESION_MM)) < 12
    assert payload["threshold"]["peak_sd"] > payload["threshold"]["extent_sd"] > 0
    assert any(name.startswith("right-") for name in payload["structures"].values())


def test_largest_deviation_is_shown_at_the_lesion(folder: Path) -> None:
    volume = case_volumes(read_case(folder, "sub-01_T1w"))["deviation"]
    place = np.unravel_index(np.nanargmax(decoded(volume)), volume.grid.shape)
    world = (volume.grid.affine @ [*place, 1.0])[:3]
    assert world[0] > 0
    assert np.linalg.norm(world - LESION_MM) < 12
