"""Scans in archives: the patient's side survives, and nothing stays unpacked."""

import os
import shutil
import signal
import subprocess
import sys
import time
import zipfile
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.screening.manifest import entries_of
from medsym.screening.packed import read_from_archive
from medsym.screening.scratch import PREFIX, scratch_folder
from medsym.screening.sources import read_source, source_hashes
from medsym.screening.workers.tasks import read_task, task_text
from medsym.volumes.nifti import read_scan
from tests.builders_case import head_phantom
from tests.builders_dicom import change, few_slices, write_series
from tests.screening.quick_run import run, store
from tests.screening.test_dicom import LEFT_MM, brightest_mm


@pytest.fixture(autouse=True)
def scratch(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Where folders for passing files are made in these tests."""
    place = tmp_path / "scratch"
    place.mkdir()
    monkeypatch.setattr("tempfile.tempdir", str(place))
    return place


def pack(folder: Path, name: str) -> Path:
    return Path(shutil.make_archive(str(folder.parent / name), "zip", folder))


def test_a_packed_series_is_the_series_of_its_folder(tmp_path: Path, scratch: Path) -> None:
    volume = head_phantom(lesion_mm=LEFT_MM, codes="LIA")
    folder = write_series(tmp_path / "visit" / "mr", volume).parent
    (folder / "DICOMDIR").write_bytes(b"\0" * 128 + b"DICM and more")
    (folder / "__MACOSX").mkdir()
    (folder / "__MACOSX" / "._000.dcm").write_bytes(b"x")
    (entry,) = entries_of([pack(folder, "visit")])
    (plain,) = entries_of([folder])
    assert entry.name == replace(plain.name, given="visit.zip")
    assert (entry.file, plain.file) == ("visit.zip", "visit"), "what the user gave"
    assert source_hashes(entry) == source_hashes(plain)
    scan = read_source(entry, read=read_scan).scan
    assert np.linalg.norm(brightest_mm(scan) - brightest_mm(volume)) < 1.0
    assert brightest_mm(scan)[0] < -20
    assert not list(scratch.iterdir())


def test_packed_files_are_scans_pairs_and_equal_names_among_them(tmp_path: Path) -> None:
    for name in ("a", "b"):
        store(tmp_path / name / "T1.nii.gz", lesion_mm=LEFT_MM)
    store(tmp_path / "a" / "inner" / "pair.hdr")
    archives = [pack(tmp_path / name, name) for name in ("a", "b")]
    entries = entries_of(archives)
    assert len({entry.name.case for entry in entries}) == 3
    assert sorted(len(entry.packed.members) for entry in entries) == [1, 1, 2]
    for entry in entries:
        plain = tmp_path / entry.packed.archive.stem / entry.packed.members[0]
        scan = read_source(entry, read=read_scan).scan
        assert np.array_equal(scan.voxels, read_scan(plain).voxels)
        assert np.array_equal(scan.affine, read_scan(plain).affine)
        assert (scan.sha256, scan.path.name) == (read_scan(plain).sha256, plain.name)


def test_what_is_wrong_with_a_packed_scan_names_it_and_no_scratch_folder(tmp_path: Path) -> None:
    folder = tmp_path / "visit"
    folder.mkdir()
    (folder / "bad.nii").write_bytes(b"no scan at all")
    (entry,) = entries_of([pack(folder, "visit")])
    with pytest.raises(ScanError, match=r"visit\.zip.bad\.nii") as refused:
        read_source(entry, read=read_scan)
    assert PREFIX not in str(refused.value)


def test_series_that_are_no_scan_and_archives_without_any_are_refused_beside_good_ones(
    tmp_path: Path,
) -> None:
    good = write_series(tmp_path / "visit" / "good", few_slices(), name="g").parent
    write_series(tmp_path / "visit" / "short", few_slices(), name="s")
    for path in sorted((good / "short").glob("*.dcm"))[5:]:
        path.unlink()
    change(good / "short", lambda image: setattr(image, "SeriesNumber", 9))
    (tmp_path / "none").mkdir()
    (tmp_path / "none" / "notes.txt").write_text("x")
    inputs = [pack(good, "visit"), pack(tmp_path / "none", "none"), tmp_path / "gone.zip"]
    inputs += [tmp_path / "...zip", tmp_path / "deep.zip"]
    inputs[0].with_name("...zip").write_bytes(inputs[1].read_bytes())
    with zipfile.ZipFile(tmp_path / "deep.zip", "w") as deep:
        deep.writestr("d/" * 1200 + "f.nii", b"x")
    found = [entry.refusal.code if entry.refusal else "" for entry in entries_of(inputs)]
    assert sorted(found) == ["", "MS-544", "MS-680", "MS-682", "MS-685", "MS-685"]


def test_a_row_of_a_table_may_name_an_archive_of_one_scan(tmp_path: Path) -> None:
    pack(write_series(tmp_path / "one", few_slices()), "one")
    for name in ("a", "b"):
        write_series(tmp_path / "two" / name, few_slices(), name=name)
    pack(tmp_path / "two", "two")
    pack(store(tmp_path / "file" / "T1.nii").parent, "file")
    table = tmp_path / "t.csv"
    table.write_text("scan,case\none.zip,p1\ntwo.zip,p2\nfile.zip,p3\n", encoding="utf-8")
    one, two, file = entries_of([table])
    assert (one.name.case, one.refusal, len(one.packed.members)) == ("sub-p1", None, 28)
    assert two.refusal.code == "MS-534"
    assert "2 files or series" in two.refusal.cause
    assert two.refusal.cause.count("acq-series3") == 2, "the series are named"
    assert (file.name.case, file.refusal) == ("sub-p3", None)
    assert read_source(file, read=read_scan).scan.path.name == "T1.nii"


@pytest.mark.usefixtures("known_plane")
def test_a_screened_archive_resumes_and_its_scan_is_found_again_by_its_hash(
    tmp_path: Path, scratch: Path
) -> None:
    archive = pack(
        write_series(tmp_path / "visit", head_phantom(lesion_mm=LEFT_MM, codes="LPS")), "visit"
    )
    out, model = tmp_path / "out", tmp_path / "model"
    (record,) = run([archive], out, model).records
    assert [finding["side"] for finding in record["findings"]] == ["left"]
    assert run([archive], out, model).resumed == 1
    sha256 = record["scan"]["sha256"]
    entries = entries_of([archive])
    scan = read_from_archive(entries, sha256=sha256, read=read_scan)
    assert scan.sha256 == sha256
    assert brightest_mm(scan)[0] < -20
    assert read_from_archive(entries, sha256="0" * 64, read=read_scan) is None
    assert not list(scratch.iterdir())


def test_a_task_of_a_worker_carries_where_a_scan_is_packed(tmp_path: Path) -> None:
    write_series(tmp_path / "visit" / "mr", few_slices())
    store(tmp_path / "visit" / "T1.nii")
    entries = entries_of([pack(tmp_path / "visit", "visit")])
    _, scans = read_task(task_text("plan", list(enumerate(entries))))
    for entry, (_, same) in zip(entries, scans, strict=True):
        assert same.packed == entry.packed
        assert source_hashes(same) == source_hashes(entry)


def test_what_a_killed_process_unpacked_is_removed_by_the_next(scratch: Path) -> None:
    hold = (
        "import time; from medsym.screening.scratch import scratch_folder\n"
        "with scratch_folder() as f: (f / 'scan').write_text('x'); print(f, flush=True);"
        " time.sleep(60)"
    )
    process = subprocess.Popen(
        [sys.executable, "-c", hold],
        stdout=subprocess.PIPE,
        text=True,
        env={**os.environ, "TMPDIR": str(scratch)},
    )
    assert process.stdout is not None
    left = Path(process.stdout.readline().strip())
    assert left.stat().st_mode & 0o777 == 0o700
    with scratch_folder():
        assert (left / "scan").is_file(), "a live process keeps its folder"
    process.send_signal(signal.SIGKILL)
    process.wait()
    process.stdout.close()
    time.sleep(0.05)
    with scratch_folder() as mine:
        assert list(scratch.iterdir()) == [mine]
    assert not list(scratch.iterdir())
