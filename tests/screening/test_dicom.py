"""DICOM series in: the patient's side survives, nothing personal does, and no series is lost."""

import gzip
import importlib.util
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pydicom
import pytest

from medsym.errors import ConfigError, ScanError
from medsym.screening.dicom.convert import converter_version, read_series, series_sha256
from medsym.screening.dicom.series import find_series
from medsym.screening.manifest import entries_of
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume
from tests.builders_case import head_phantom
from tests.builders_dicom import change, few_slices, write_series
from tests.screening.quick_run import run

#: Everything in the headers that could lead to a person; see ``builders_dicom``.
CANARIES = (b"CANARY", b"19500101", b"20200102", b"030405", b"Ward 5", b"Dr. Owl")
LEFT_MM = (-40.0, 10.0, 10.0)
ACQUISITIONS = {"axial": "LPS", "sagittal": "PIR", "coronal": "LIA", "from above": "LPI"}


def turned(volume: Volume, *, degrees: float) -> Volume:
    """The head and its lattice turned about two axes: an oblique acquisition."""
    a, b = np.radians(degrees), np.radians(-degrees / 2)
    about_z = np.array([[np.cos(a), -np.sin(a), 0], [np.sin(a), np.cos(a), 0], [0, 0, 1]])
    about_x = np.array([[1, 0, 0], [0, np.cos(b), -np.sin(b)], [0, np.sin(b), np.cos(b)]])
    turn = np.eye(4)
    turn[:3, :3] = about_z @ about_x
    return replace(volume, affine=turn @ volume.affine)


def brightest_mm(volume: Volume) -> np.ndarray:
    """World position of the middle of the marker."""
    index = np.argwhere(volume.voxels >= 0.95 * volume.voxels.max()).mean(axis=0)
    return volume.affine[:3, :3] @ index + volume.affine[:3, 3]


@pytest.mark.parametrize("degrees", [0.0, 17.0])
@pytest.mark.parametrize("codes", ACQUISITIONS.values(), ids=ACQUISITIONS)
def test_a_marker_stays_on_the_patients_left(tmp_path: Path, codes: str, degrees: float) -> None:
    volume = turned(head_phantom(lesion_mm=LEFT_MM, codes=codes), degrees=degrees)
    folder = write_series(tmp_path / "scan", volume)
    (series,) = find_series(folder)
    read = read_series(series, read=read_scan)
    expected = brightest_mm(volume)
    assert expected[0] < -20
    assert np.linalg.norm(brightest_mm(read) - expected) < 1.0
    assert sorted(read.shape) == sorted(volume.shape)
    ours, theirs = (np.sort(v.voxels.ravel())[-100:] for v in (volume, read))
    assert np.allclose(ours, theirs, atol=1)


def test_the_converter_is_named_and_the_hash_is_of_the_files(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "scan", head_phantom(codes="LPS"))
    (series,) = find_series(folder)
    read = read_series(series, read=read_scan)
    assert f"dcm2niix {converter_version()}" in read.notes[-1]
    assert converter_version().startswith("v1.")
    assert read.sha256 == series_sha256(series)
    moved = folder.rename(tmp_path / "other")
    next(moved.glob("*.dcm")).rename(moved / "renamed.dcm")
    (same,) = find_series(moved)
    assert series_sha256(same) == read.sha256
    series.files[0].unlink(missing_ok=True)
    assert series_sha256(series) is None


def test_several_series_become_several_cases_with_clear_names(tmp_path: Path) -> None:
    root = tmp_path / "visit"
    for name in ("a", "b"):
        write_series(root / name, few_slices(), name=name)
    change(root / "a", lambda image: setattr(image, "StudyInstanceUID", "1.2.3"))
    change(root / "b", lambda image: setattr(image, "StudyInstanceUID", "1.2.3"))
    change(root / "b", lambda image: setattr(image, "SeriesNumber", 7))
    entries = entries_of([root])
    names = [entry.name.case for entry in entries]
    assert names == ["sub-visit_acq-series3_MR", "sub-visit_acq-series7_MR"]
    assert all(len(entry.series.files) == 28 for entry in entries)
    change(root / "b", lambda image: setattr(image, "SeriesNumber", 3))
    assert len({entry.name.case for entry in entries_of([root])}) == 2


def _turn_every_other(image: pydicom.Dataset) -> None:
    if image.InstanceNumber % 2:
        image.ImageOrientationPatient = [0, 1, 0, 0, 0, -1]


def _other_person_above(image: pydicom.Dataset) -> None:
    if image.InstanceNumber > 14:
        image.PatientID = "CANARY-8"


@pytest.mark.parametrize(
    ("edit", "said"),
    [
        (lambda i: setattr(i, "ImageType", ["ORIGINAL", "PRIMARY", "LOCALIZER"]), "localizer"),
        (lambda i: setattr(i, "ImageType", ["DERIVED", "SECONDARY"]), "derived"),
        (lambda i: setattr(i, "SamplesPerPixel", 3), "colour"),
        (lambda i: setattr(i, "SOPClassUID", "1.2.840.10008.5.1.4.1.1.7"), "no MR or CT"),
        (_turn_every_other, "2 directions"),
        (lambda i: setattr(i, "ImageType", ["ORIGINAL", "PRIMARY", "P", "ND"]), "phases"),
        (lambda i: delattr(i, "SeriesInstanceUID"), "which series"),
        (lambda i: delattr(i, "ImagePositionPatient"), "where its images lie"),
        (_other_person_above, "several persons"),
    ],
)
def test_what_is_no_scan_is_refused_with_a_reason(tmp_path: Path, edit, said: str) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    change(folder, edit)
    (entry,) = entries_of([folder])
    assert entry.refusal.code == "MS-544"
    assert said in entry.refusal.cause


def test_few_images_and_files_that_are_none_are_refused(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    for path in sorted(folder.glob("*.dcm"))[7:]:
        path.unlink()
    (folder / "broken.dcm").write_bytes(b"not dicom")
    (folder / "DICOMDIR").write_bytes(b"x")
    (folder / "notes.txt").write_text("x")
    found = {entry.name.case: entry.refusal for entry in entries_of([folder])}
    assert "7 images" in found["sub-visit_acq-series3_MR"].cause
    assert found["sub-visit_acq-unreadable_DICOM"].code == "MS-547"
    assert len(found) == 2


def test_a_series_without_a_place_in_space_is_refused_by_name(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    change(folder, lambda image: setattr(image, "PixelData", b"\0\0"))
    (series,) = find_series(folder)
    with pytest.raises(ScanError) as refused:
        read_series(series, read=read_scan)
    assert refused.value.subject == "sub-visit_acq-series3_MR"


@pytest.mark.parametrize("missing", ["pydicom", "dcm2niix"])
def test_missing_packages_are_an_error_with_the_command(tmp_path, monkeypatch, missing) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    (series,) = find_series(folder)
    monkeypatch.setitem(sys.modules, missing, None)
    monkeypatch.setattr(importlib.util, "find_spec", lambda name: None if name == missing else 1)
    with pytest.raises(ConfigError, match=r"MS-545.*pip install 'medsym\[dicom\]'"):
        find_series(folder) if missing == "pydicom" else read_series(series, read=read_scan)


@pytest.mark.usefixtures("known_plane")
def test_a_screened_series_resumes_and_holds_nothing_personal(tmp_path: Path) -> None:
    head = head_phantom(lesion_mm=LEFT_MM, codes="LPS")
    folder = write_series(tmp_path / "CANARY-7 patient", head)
    change(folder, _more_about_the_person)
    (folder / "Mrs CANARY.dcm").write_bytes(b"not dicom")
    out, model = tmp_path / "out", tmp_path / "model"
    first = run([folder], out, model)
    (record,) = first.records
    assert [finding["side"] for finding in record["findings"]] == ["left"]
    assert record["options"]["dcm2niix"] == converter_version()
    assert record["scan"]["file"] == record["case"], "the folder is called like the patient"
    assert [row["code"] for row in first.failures] == ["MS-547"]
    assert run([folder], out, model).resumed == 1
    files = [path for path in out.rglob("*") if path.is_file()]
    assert len(files) > 15
    for path in files:
        content = path.read_bytes()
        content = gzip.decompress(content) if path.suffix == ".gz" else content
        for canary in CANARIES:
            assert canary.lower() not in content.lower(), (path, canary)
            assert canary.decode().lower() not in path.as_posix().removeprefix(str(out)).lower()


def _more_about_the_person(image: pydicom.Dataset) -> None:
    image.InstitutionName, image.ReferringPhysicianName = "Ward 5", "Dr. Owl"
    image.PatientComments = image.SeriesDescription = image.ProtocolName = "CANARY comment"
    image.AcquisitionDate, image.AcquisitionTime = "20200102", "030405"


def test_a_row_of_a_table_may_name_the_folder_of_one_series(tmp_path: Path) -> None:
    write_series(tmp_path / "one", few_slices())
    for name in ("a", "b"):
        write_series(tmp_path / "two" / name, few_slices(), name=name)
    (tmp_path / "none").mkdir()
    table = tmp_path / "t.csv"
    table.write_text("scan,case,age\none,p1,70\ntwo,p2,71\nnone,p3,72\n", encoding="utf-8")
    one, two, none = entries_of([table])
    assert (one.name.case, one.series.name.case, one.refusal) == ("sub-p1", "sub-p1", None)
    assert (one.file, len(one.series.files)) == ("one", 28)
    assert [two.refusal.code, none.refusal.code] == ["MS-534", "MS-534"]
    assert "2 files or series" in two.refusal.cause
