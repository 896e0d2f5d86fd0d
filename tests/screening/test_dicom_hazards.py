"""DICOM that is damaged, incomplete, or named after the patient; processes that are killed."""

import fcntl
from pathlib import Path

import pydicom
import pytest

from medsym.errors import ConfigError, ScanError
from medsym.screening.dicom.convert import converter_version, read_series
from medsym.screening.dicom.series import find_series
from medsym.screening.manifest import entries_of
from medsym.volumes.nifti import read_scan
from tests.builders_dicom import change, few_slices, write_series


def test_a_missing_slice_is_not_closed_up(tmp_path: Path) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    next(folder.glob("*_013.dcm")).unlink()
    (entry,) = entries_of([folder])
    assert entry.refusal.code == "MS-544"
    assert "6.00 to 12.00 mm apart" in entry.refusal.cause
    for number in range(14, 28):
        next(folder.glob(f"*_{number:03d}.dcm")).unlink()
    (entry,) = entries_of([folder])  # what is left has no gap
    assert entry.refusal is None


def test_a_damaged_header_costs_its_file_and_shows_nothing(tmp_path: Path, recwarn) -> None:
    folder = write_series(tmp_path / "visit", few_slices())
    path = next(folder.glob("*_000.dcm"))
    content = path.read_bytes()
    place = content.index(b"\x20\x00\x37\x00DS") + 8
    path.write_bytes(content[:place] + b"abc" + content[place + 3 :])
    good, bad = sorted(entries_of([folder]), key=lambda entry: entry.refusal is not None)
    assert len(good.series.files) == 27
    assert bad.refusal.code == "MS-547"
    assert not recwarn.list


@pytest.mark.parametrize(
    ("folder", "tag", "value"),
    [
        ("Wu_Li", "PatientName", "Wu^Li"),
        ("1950-01-01", "PatientBirthDate", "19500101"),
        ("2020A17", "AccessionNumber", "2020A17"),
        ("M\u00fcller", "PatientName", "M\u00fcller"),
    ],
)
def test_no_folder_called_like_its_patient_lends_its_name(tmp_path, folder, tag, value) -> None:
    write_series(tmp_path / folder / "a", few_slices(), name="a")
    write_series(tmp_path / folder / "b", few_slices(), name="b")  # a patient who is not known

    def edit(image: pydicom.Dataset) -> None:
        image.SpecificCharacterSet = "ISO_IR 192"
        setattr(image, tag, value)

    change(tmp_path / folder / "a", edit)
    for series in find_series(tmp_path / folder):
        assert series.name.subject.startswith("dicom")


def test_a_row_without_a_name_takes_none_from_a_folder_called_like_its_patient(tmp_path) -> None:
    write_series(tmp_path / "CANARY 7" / "mr", few_slices())
    write_series(tmp_path / "other" / "mr", few_slices(), name="b")
    (tmp_path / "Mrs CANARY").mkdir()
    table = tmp_path / "t.csv"
    table.write_text("scan\nCANARY 7/mr\nother/mr\nMrs CANARY\n", encoding="utf-8")
    entries = entries_of([table])
    assert [entry.refusal is None for entry in entries] == [True, True, False]
    assert len({entry.name.case for entry in entries}) == 3
    for entry in entries:
        assert "canary" not in f"{entry.name} {entry.path.name}".lower()


def test_images_of_a_killed_process_are_removed_and_those_of_a_live_one_are_not(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tempfile.tempdir", str(tmp_path))
    killed, live = tmp_path / "medsym-scratch-1", tmp_path / "medsym-scratch-2"
    for folder in (killed, live):
        folder.mkdir()
        (folder / "held").touch()
    (series,) = find_series(write_series(tmp_path / "scan", few_slices()))
    with (live / "held").open() as stream:
        fcntl.flock(stream, fcntl.LOCK_EX)
        read_series(series, read=read_scan)
    assert [path.name for path in tmp_path.glob("medsym-*")] == [live.name]


def test_a_converter_that_does_not_run_is_an_error_with_the_command(tmp_path, monkeypatch) -> None:
    (series,) = find_series(write_series(tmp_path / "scan", few_slices()))
    for content in (None, "#!/bin/none\n", "#!/bin/sh\nexit 1\n"):
        program = tmp_path / "program"
        if content is not None:
            program.write_text(content)
            program.chmod(0o755)
        monkeypatch.setattr("dcm2niix.bin", str(program))
        with pytest.raises(ConfigError, match="MS-545"):
            converter_version()
    program.unlink()
    with pytest.raises(ConfigError, match="MS-545"):
        read_series(series, read=read_scan)


def test_a_part_of_a_complex_image_that_only_the_converter_knows_is_refused(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    (series,) = find_series(write_series(tmp_path / "scan", few_slices()))
    program = tmp_path / "program"
    program.write_text('#!/bin/sh\nwhile [ "$1" != -o ]; do shift; done; : > "$2/scan_ph.nii"\n')
    program.chmod(0o755)
    monkeypatch.setattr("dcm2niix.bin", str(program))
    with pytest.raises(ScanError, match=r"MS-546.*scan_ph"):
        read_series(series, read=read_scan)
