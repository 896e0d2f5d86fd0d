"""A run: files that verify, failures that stay alone, reruns that resume, no path that escapes."""

import gzip
import json
import os
import shutil
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import OutputError
from medsym.screening.batch import ScreenOutcome
from medsym.screening.lock import LOCK_FILE, output_lock
from medsym.screening.progress import Progress
from medsym.screening.records import damaged_files, read_record
from medsym.screening.runner import ScreenOptions
from medsym.upwards import rounded_up
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")


@pytest.fixture
def folder(tmp_path: Path) -> Path:
    return tmp_path / "model"


def screened(tmp_path: Path, folder: Path, **more: object) -> tuple[Path, ScreenOutcome]:
    scan = store(tmp_path / "in" / "sub-01_T1w.nii.gz", codes="LAS")
    out = tmp_path / "out"
    return out, run([scan], out, folder, **more)


def test_files_of_a_case_are_complete_and_verify(tmp_path: Path, folder: Path) -> None:
    out, outcome = screened(tmp_path, folder)
    (record,) = outcome.records
    stem, maps = "sub-01/anat/sub-01_T1w", "sub-01/anat/sub-01_space-T1w"
    expected = {f"{maps}_desc-pathology_probseg", f"{maps}_desc-anatomy_dseg"}
    expected |= {f"{maps}_desc-findings_dseg"}
    kinds = ("asymmetry", "deviation", "bound", "pvalue")
    expected |= {f"{maps}_desc-{kind}_statmap" for kind in kinds}
    names = {p.relative_to(out).as_posix() for p in out.rglob("*") if p.is_file()}
    assert names == {
        *(f"{name}{ending}" for name in expected for ending in (".nii.gz", ".json")),
        *(f"{maps}_desc-anatomy_dseg.tsv", f"{stem}_case.json"),
        f"{maps}_desc-leading_thumbnail.jpg",
        *("screening.tsv", "screening.json", "failures.tsv", "dataset_description.json"),
        ".bidsignore",
        *("sub-01_T1w.html", "index.html", "logs/sources.json", "logs/journal.jsonl"),
    }
    assert damaged_files(record, out=out) == []
    assert record["findings"][0]["side"] == "right"
    assert json.loads((out / "logs/sources.json").read_text())["sub-01_T1w"].endswith("w.nii.gz")


def test_maps_lie_on_the_scans_own_voxels(tmp_path: Path, folder: Path) -> None:
    out, outcome = screened(tmp_path, folder)
    scan = nibabel.load(tmp_path / "in" / "sub-01_T1w.nii.gz")
    (record,) = outcome.records
    for kind in ("pathology", "asymmetry", "deviation", "bound", "anatomy"):
        image = nibabel.load(out / record["files"][kind]["path"])
        assert image.shape == scan.shape
        assert np.array_equal(image.affine, scan.affine)
        assert np.isfinite(image.get_fdata()).all()
    deviation = nibabel.load(out / record["files"]["deviation"]["path"])
    index = np.unravel_index(deviation.get_fdata().argmax(), deviation.shape)
    world = deviation.affine @ [*index, 1.0]
    assert np.linalg.norm(world[:3] - (40, 10, 10)) < 12
    asymmetry, limit = (
        nibabel.load(out / record["files"][kind]["path"]).get_fdata()
        for kind in ("asymmetry", "bound")
    )
    assert (np.abs(asymmetry) > limit).any()


def test_p_values_on_disk_are_those_of_the_record(tmp_path: Path, folder: Path) -> None:
    out, outcome = screened(tmp_path, folder)
    (record,) = outcome.records
    assert record["calibration"]["kind"] == "synthetic"
    assert record["calibration"]["name"].startswith("synthetic healthy reference")
    assert record["calibration"]["n"] == 40
    assert record["summary"]["p_value"] == record["findings"][0]["p_value"]
    assert record["summary"]["p_value"] == rounded_up(1 / 41, decimals=6)
    values = nibabel.load(out / record["files"]["pvalue"]["path"]).get_fdata()
    deviation = nibabel.load(out / record["files"]["deviation"]["path"]).get_fdata()
    assert values.max() == 1.0  # beyond the brain nothing is claimed
    assert (values[deviation == 0] == 1.0).all()
    assert values.min() == pytest.approx(1 / 41, abs=1e-6)
    assert np.abs(deviation[values < 0.05]).min() > 3.0
    header, row = (line.split("\t") for line in (out / "screening.tsv").read_text().splitlines())
    cells = dict(zip(header, row, strict=True))
    assert cells["p_value"] == cells["q_value"] == f"{rounded_up(1 / 41, decimals=6)}"
    assert cells["calibration"] == "synthetic healthy reference of fake"
    assert cells["group"] == "n/a"


def test_labels_on_disk_have_left_on_the_left(tmp_path: Path, folder: Path) -> None:
    out, outcome = screened(tmp_path, folder)
    entry = outcome.records[0]["files"]
    image = nibabel.load(out / entry["anatomy"]["path"])
    labels = np.asarray(image.dataobj)
    rows = (out / entry["anatomy_table"]["path"]).read_text().splitlines()[1:]
    sides = {int(row.split("\t")[0]): row.split("\t")[2] for row in rows}
    for value in np.unique(labels[labels > 0]):
        index = np.argwhere(labels == value).mean(0)
        x = (image.affine @ [*index, 1.0])[0]
        assert sides[int(value)] == ("right" if x > 0 else "left")


def test_one_bad_scan_does_not_stop_the_others(tmp_path: Path, folder: Path) -> None:
    good = store(tmp_path / "sub-01_T1w.nii.gz")
    bad = tmp_path / "sub-02_T1w.nii.gz"
    bad.write_bytes(good.read_bytes()[:2000])
    last = store(tmp_path / "sub-03_T1w.nii.gz", lesion_mm=(-40.0, 10.0, 10.0))
    stages: list[Progress] = []
    outcome = run([good, bad, last], tmp_path / "out", folder, progress=stages.append)
    assert [r["case"] for r in outcome.records] == ["sub-01_T1w", "sub-03_T1w"]
    assert [r["findings"][0]["side"] for r in outcome.records] == ["right", "left"]
    (failure,) = outcome.failures
    assert failure["file"] == "sub-02_T1w.nii.gz"
    assert failure["code"].startswith("MS-10")
    table = (tmp_path / "out" / "failures.tsv").read_text()
    assert table.count("\n") == 2
    assert [p.stage for p in stages if p.number == 2] == ["read", "refused"]
    assert stages[-1].stage == "done"
    assert {p.total for p in stages} == {3}


def test_an_unforeseen_error_stays_with_its_scan(tmp_path, folder, monkeypatch) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz")
    monkeypatch.setattr("medsym.screening.runner.read_scan", lambda *_, **__: 1 / 0)
    outcome = run([scan], tmp_path / "out", folder)
    assert outcome.failures[0]["code"] == "MS-190"
    trace = tmp_path / "out" / "logs" / "sub-01_T1w_error.txt"
    assert "ZeroDivisionError" in trace.read_text()


def test_rerun_resumes_and_damage_is_repaired(tmp_path: Path, folder: Path) -> None:
    out, first = screened(tmp_path, folder)
    record_path = out / "sub-01/anat/sub-01_T1w_case.json"
    before = record_path.stat().st_mtime_ns
    assert screened(tmp_path, folder)[1].resumed == 1
    assert record_path.stat().st_mtime_ns == before
    broken = out / first.records[0]["files"]["deviation"]["path"]
    broken.write_bytes(broken.read_bytes()[:-5])
    assert damaged_files(read_record(record_path), out=out) == [
        "sub-01/anat/sub-01_space-T1w_desc-deviation_statmap.nii.gz"
    ]
    assert screened(tmp_path, folder)[1].resumed == 0
    assert damaged_files(read_record(record_path), out=out) == []
    assert broken.read_bytes()[-5:] != b""


def test_results_of_another_scan_are_not_replaced_silently(tmp_path: Path, folder: Path) -> None:
    out, _ = screened(tmp_path, folder)
    store(tmp_path / "in" / "sub-01_T1w.nii.gz", lesion_mm=(-40.0, 10.0, 10.0))
    scan = tmp_path / "in" / "sub-01_T1w.nii.gz"
    outcome = run([scan], out, folder)
    assert outcome.failures[0]["code"] == "MS-152"
    assert outcome.records[0]["findings"][0]["side"] == "right"
    outcome = run([scan], out, folder, options=ScreenOptions(replace="outdated"))
    assert outcome.failures == ()
    assert outcome.records[0]["findings"][0]["side"] == "left"
    assert (out / "failures.tsv").read_text().count("\n") == 1


def test_not_assessable_gives_reasons_and_no_map(tmp_path: Path, folder: Path) -> None:
    scan = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    out = tmp_path / "out"
    (record,) = run([scan], out, folder).records
    assert record["assessable"] is False
    assert record["reasons"]
    assert list(record["files"]) == ["report"]
    assert record["summary"]["deviation_max"] is None
    assert list(out.rglob("*.nii.gz")) == []
    page = (out / "sub-01_T1w.html").read_text()
    assert "Not assessable" in page
    assert "data:image" not in page
    assert run([scan], out, folder).resumed == 1


def test_second_run_on_the_folder_is_refused(tmp_path: Path, folder: Path) -> None:
    out = tmp_path / "out"
    out.mkdir()
    scan = store(tmp_path / "sub-01_T1w.nii.gz")
    with output_lock(out), pytest.raises(OutputError, match="MS-151"):
        run([scan], out, folder)
    (out / LOCK_FILE).write_text(json.dumps({"pid": 2**22 + 1, "host": os.uname().nodename}))
    assert run([scan], out, folder).failures == ()  # the lock of a dead process is taken over
    assert not (out / LOCK_FILE).exists()


def test_unwritable_output_is_refused_before_the_first_scan(tmp_path: Path, folder: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("not a folder")
    with pytest.raises(OutputError, match="MS-140"):
        run([store(tmp_path / "sub-01_T1w.nii.gz")], blocked / "out", folder)


def test_nothing_personal_of_header_or_path_is_written(tmp_path: Path, folder: Path) -> None:
    scan = store(tmp_path / "CANARYDIR" / "sub-01_T1w.nii.gz")
    image = nibabel.load(scan)
    image.header["descrip"] = b"CANARY John Doe"
    image.header["aux_file"] = b"CANARYaux"
    image.header["intent_name"] = b"CANARYintent"
    image.header.extensions.append(nibabel.nifti1.Nifti1Extension(6, b"CANARYext"))
    nibabel.save(image, tmp_path / "again.nii.gz")
    shutil.move(tmp_path / "again.nii.gz", scan)
    out = tmp_path / "out"
    assert run([scan], out, folder).failures == ()
    for path in out.rglob("*"):
        if path.is_file() and path.name != "sources.json":
            data = path.read_bytes()
            data = gzip.decompress(data) if path.suffix == ".gz" else data
            assert b"CANARY" not in data, path
