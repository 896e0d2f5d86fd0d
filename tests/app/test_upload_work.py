"""What the analysis of an upload answers: cases, refusals in words, and where its scan lies."""

import json
import shutil
from pathlib import Path

import pytest

from app.results import read_case
from app.uploads import work
from app.uploads.work import read_answer, screen_upload
from app.viewer.preparing import case_volumes
from medsym.calibration.reference import REFERENCE_FILE, save_reference
from medsym.errors import MedsymError
from tests.builders_case import fake_model, flat_reference, head_phantom
from tests.builders_dicom import few_slices, write_series
from tests.screening.quick_run import patch_known_plane, store

pytestmark = pytest.mark.usefixtures("quick_model")
LEFT_MM = (-40.0, 10.0, 10.0)


@pytest.fixture
def quick_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    patch_known_plane(monkeypatch)
    folder = tmp_path / "model"
    folder.mkdir()
    model = fake_model(folder)
    save_reference(folder / REFERENCE_FILE, reference=flat_reference())
    monkeypatch.setattr("medsym.models.store.load_model", lambda _=None: model)


def analyse(file: Path) -> tuple[work.UploadedScan, ...]:
    out = file.parents[1] / "results"
    return read_answer(screen_upload(json.dumps({"file": str(file), "out": str(out)})))


def test_a_packed_series_is_analysed_and_drawn_with_the_lesion_on_its_side(tmp_path: Path) -> None:
    series = write_series(tmp_path / "visit" / "mr", head_phantom(lesion_mm=LEFT_MM, codes="LPS"))
    short = write_series(tmp_path / "visit" / "short", few_slices(), name="b")
    for path in sorted(short.glob("*.dcm"))[5:]:
        path.unlink()
    (tmp_path / "files").mkdir()
    archive = shutil.make_archive(str(tmp_path / "files" / "visit"), "zip", series.parent)
    refused, good = sorted(analyse(Path(archive)), key=lambda scan: scan.stage != "refused")
    assert (refused.code, refused.stage) == ("MS-544", "refused")
    assert "5 images" in refused.cause
    assert good.stage == "done"
    case = read_case(tmp_path / "results", good.case)
    assert case.record["findings"][0]["side"] == "left"
    assert case.record["summary"]["deviation_max_mm"][0] < 0
    assert case_volumes(case)["scan"].grid.shape, "the scan is drawn from the archive"


def test_a_scan_that_is_not_assessable_says_why_and_a_bad_one_is_refused(tmp_path: Path) -> None:
    (scan,) = analyse(store(tmp_path / "files" / "tiny.nii.gz", scale=0.7))
    assert (scan.stage, scan.code) == ("not assessable", "")
    assert scan.reasons
    bad = tmp_path / "files" / "bad.nii.gz"
    bad.write_bytes(b"no scan")
    (scan,) = analyse(bad)
    assert scan.stage == "refused"
    assert all((scan.code, scan.cause, scan.fix))


def test_too_many_voxels_and_too_many_scans_are_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    scan = store(tmp_path / "files" / "a.nii.gz")
    monkeypatch.setattr(work, "MAX_GIB", 1e-4)
    (refused,) = analyse(scan)
    assert refused.code == "MS-103"
    assert "--max-gib" not in refused.fix, "a reader in a browser has no options"
    for name in "bcd":
        shutil.copy(scan, scan.with_name(f"{name}.nii.gz"))
    archive = shutil.make_archive(str(tmp_path / "inbox" / "many"), "zip", scan.parent)
    monkeypatch.setattr(work, "MAX_SCANS", 3)
    with pytest.raises(MedsymError, match=r"MS-691.*4 scans.*sub-a, sub-b"):
        analyse(Path(archive))
