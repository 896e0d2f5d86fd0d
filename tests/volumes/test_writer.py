"""Results are whole, in the scan's place, free of personal data, and inside the output folder."""

import errno
import gzip
import hashlib
import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import nibabel
import numpy as np
import pytest

from medsym.errors import OutputError
from medsym.volumes.nifti import read_label_map, read_scan
from medsym.volumes.volume import Volume
from medsym.volumes.writer import write_json, write_map, write_text
from tests.builders import make_image, make_volume, ras_affine, write_nifti

CANARY = b"PHI John Doe 1970-01-01"


def test_what_is_written_reads_back_in_the_same_place(
    tmp_path: Path, oriented_volume: Volume
) -> None:
    digest = write_map(tmp_path / "m.nii.gz", oriented_volume.voxels, like=oriented_volume)
    again = read_scan(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(again.voxels, oriented_volume.voxels)
    np.testing.assert_array_equal(again.affine, oriented_volume.affine.astype(np.float32))
    assert again.axcodes == oriented_volume.axcodes
    assert again.sha256 == digest
    assert (again.sform_code, again.qform_code) == (1, 1)


@pytest.mark.parametrize("codes", [(2, 0), (0, 2), (1, 4), (3, 3)])
def test_affine_and_codes_of_a_scan_survive_bit_for_bit(
    tmp_path: Path, oriented_volume: Volume, codes: tuple[int, int]
) -> None:
    sform_code, qform_code = codes
    voxels, affine = oriented_volume.voxels, oriented_volume.affine
    path = write_nifti(
        tmp_path / "s.nii", voxels, affine, sform_code=sform_code, qform_code=qform_code
    )
    scan = read_scan(path)
    write_map(tmp_path / "m.nii.gz", voxels, like=scan)
    again = read_scan(tmp_path / "m.nii.gz")
    np.testing.assert_array_equal(again.affine, scan.affine.astype(np.float32))
    assert (again.sform_code, again.qform_code) == (max(1, sform_code), max(1, qform_code))


@pytest.mark.parametrize("codes", [(7, 0), (0, 7), (2, 300), (7, -1)])
def test_codes_that_nifti_does_not_define_are_noted_and_written_as_1(
    tmp_path: Path, oriented_volume: Volume, codes: tuple[int, int]
) -> None:
    voxels, affine = oriented_volume.voxels, oriented_volume.affine
    path = write_nifti(tmp_path / "s.nii", voxels, affine, qform_code=1)
    data = bytearray(path.read_bytes())
    data[252:256] = np.array([codes[1], codes[0]], "<i2").tobytes()
    path.write_bytes(data)
    scan = read_scan(path)
    unknown = max(codes)
    assert any(f"form_code {unknown} is not defined by NIfTI" in note for note in scan.notes)
    write_map(tmp_path / "m.nii.gz", voxels, like=scan)
    again = read_scan(tmp_path / "m.nii.gz")
    kept = [code if code in {2, 3, 4} else 1 for code in codes]
    assert [again.sform_code, again.qform_code] == kept
    np.testing.assert_allclose(again.affine, scan.affine, atol=1e-5)


@pytest.mark.parametrize(
    ("dtype", "stored"),
    [("bool", "u1"), ("u1", "u1"), ("i2", "i2"), ("i8", "i2"), ("f4", "f4"), ("f8", "f4")],
)
def test_values_keep_their_kind(tmp_path: Path, dtype: str, stored: str) -> None:
    volume = make_volume()
    voxels = (volume.voxels > 90).astype(dtype)
    write_map(tmp_path / "m.nii.gz", voxels, like=volume)
    image = nibabel.load(tmp_path / "m.nii.gz")
    assert image.get_data_dtype() == np.dtype(stored)
    np.testing.assert_array_equal(np.asarray(image.dataobj), voxels)


def test_labels_beyond_16_bits_stay_exact(tmp_path: Path) -> None:
    volume = make_volume()
    labels = volume.voxels.astype(np.int64) * 1000
    write_map(tmp_path / "m.nii.gz", labels, like=volume)
    np.testing.assert_array_equal(read_label_map(tmp_path / "m.nii.gz").voxels, labels)


def test_equal_maps_are_equal_files(tmp_path: Path) -> None:
    volume = make_volume()
    digests = {write_map(tmp_path / f"{n}.nii.gz", volume.voxels, like=volume) for n in "ab"}
    assert len(digests) == 1
    assert (tmp_path / "a.nii.gz").read_bytes() == (tmp_path / "b.nii.gz").read_bytes()


def test_nothing_personal_of_the_scan_is_copied(tmp_path: Path) -> None:
    source = nibabel.Nifti1Image(make_image(), ras_affine())
    source.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", CANARY))
    for field in ("descrip", "aux_file", "db_name", "intent_name"):
        size = source.header[field].dtype.itemsize
        source.header[field] = CANARY[:size]
    nibabel.save(source, tmp_path / "John.nii")
    assert CANARY in (tmp_path / "John.nii").read_bytes()
    scan = read_scan(tmp_path / "John.nii")
    write_map(tmp_path / "m.nii.gz", scan.voxels, like=scan, description="medsym deviation")
    written = gzip.decompress((tmp_path / "m.nii.gz").read_bytes())
    assert b"medsym deviation" in written
    assert b"John" not in written + (tmp_path / "m.nii.gz").read_bytes()
    assert b"PHI" not in written


def test_an_assumed_orientation_is_stamped_on_the_map(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "s.nii", make_image(), ras_affine(), sform_code=0)
    scan = read_scan(path, assume_orientation="LPS")
    write_map(tmp_path / "m.nii.gz", scan.voxels, like=scan, description="deviation")
    image = nibabel.load(tmp_path / "m.nii.gz")
    assert image.header["descrip"].item() == b"ORIENTATION ASSUMED deviation"
    assert nibabel.aff2axcodes(image.affine) == ("L", "P", "S")


def test_sheared_scans_get_no_qform_that_contradicts(tmp_path: Path) -> None:
    affine = ras_affine()
    affine[0, 1] += 0.2 * affine[1, 1]
    volume = Volume(voxels=make_image(), affine=affine, sform_code=2, qform_code=1)
    write_map(tmp_path / "m.nii.gz", volume.voxels, like=volume)
    again = read_scan(tmp_path / "m.nii.gz", allow_shear=True)
    np.testing.assert_allclose(again.affine, affine, atol=1e-5)
    assert (again.sform_code, again.qform_code) == (2, 0)


def bad_maps() -> dict[str, dict[str, Any]]:
    image = make_image()
    return {
        "shape": {"voxels": image[1:]},
        "nan": {"voxels": np.where(image > 900, np.nan, image)},
        "overflow": {"voxels": image.astype(np.float64) * 1e300},
        "integers": {"voxels": image.astype(np.int64) * 2**40},
        "complex": {"voxels": image.astype(np.complex64)},
        "description": {"voxels": image, "description": "d" * 80},
        "umlaut": {"voxels": image, "description": "M\u00fcller"},
    }


@pytest.mark.parametrize("options", bad_maps().values(), ids=bad_maps())
def test_maps_that_do_not_fit_are_refused_and_leave_nothing(
    tmp_path: Path, options: dict[str, Any]
) -> None:
    with pytest.raises(OutputError, match=r"MS-143.*m\.nii\.gz"):
        write_map(tmp_path / "m.nii.gz", like=make_volume(), **options)
    assert not list(tmp_path.iterdir())


def test_maps_are_named_nii_gz(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match="MS-143"):
        write_map(tmp_path / "m.nii", make_image(), like=make_volume())


def test_a_full_disk_leaves_the_old_file_and_no_stub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "t.txt", "old")

    def full(_: int) -> None:
        raise OSError(errno.ENOSPC, os.strerror(errno.ENOSPC))

    monkeypatch.setattr(os, "fsync", full)
    with pytest.raises(OutputError, match=r"MS-141.*No space left on device"):
        write_text(tmp_path / "t.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]
    assert (tmp_path / "t.txt").read_text() == "old"


def test_an_interrupt_leaves_the_old_file_and_no_stub(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    write_text(tmp_path / "t.txt", "old")

    def interrupt(_: int) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(os, "fsync", interrupt)
    with pytest.raises(KeyboardInterrupt):
        write_text(tmp_path / "t.txt", "new")
    assert [path.name for path in tmp_path.iterdir()] == ["t.txt"]


def test_a_disk_that_changes_bytes_is_noticed(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    volume, other = make_volume(), make_volume(seed=1)
    write_map(tmp_path / "other.nii.gz", other.voxels, like=other)
    swapped = (tmp_path / "other.nii.gz").read_bytes()
    monkeypatch.setattr(Path, "read_bytes", lambda _: swapped)
    with pytest.raises(OutputError, match="MS-144"):
        write_map(tmp_path / "m.nii.gz", volume.voxels, like=volume)
    assert [path.name for path in tmp_path.iterdir()] == ["other.nii.gz"]


def test_a_missing_folder_is_named(tmp_path: Path) -> None:
    with pytest.raises(OutputError, match=r"MS-140.*no.t\.json.*does not exist"):
        write_json(tmp_path / "no" / "t.json", {})


def test_json_is_sorted_utf8_and_finite(tmp_path: Path) -> None:
    digest = write_json(tmp_path / "t.json", {"b": 1.5, "a": "\u00e9"})
    data = (tmp_path / "t.json").read_bytes()
    assert digest == hashlib.sha256(data).hexdigest()
    assert json.loads(data) == {"a": "\u00e9", "b": 1.5}
    assert data.index(b'"a"') < data.index(b'"b"')
    for value in (float("nan"), object()):
        with pytest.raises(OutputError, match="MS-143"):
            write_json(tmp_path / "t.json", {"a": value})
    assert (tmp_path / "t.json").read_bytes() == data


def test_names_are_written_in_nfc(tmp_path: Path) -> None:
    write_text(tmp_path / unicodedata.normalize("NFD", "Jos\u00e9.txt"), "x")
    assert [path.name for path in tmp_path.iterdir()] == [
        unicodedata.normalize("NFC", "Jos\u00e9.txt")
    ]


def test_a_link_is_replaced_and_never_written_through(tmp_path: Path) -> None:
    (tmp_path / "target.txt").write_text("precious")
    (tmp_path / "link.txt").symlink_to(tmp_path / "target.txt")
    write_text(tmp_path / "link.txt", "new")
    assert (tmp_path / "target.txt").read_text() == "precious"
