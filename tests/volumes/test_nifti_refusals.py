"""What cannot be trusted is refused in one line that names file, cause, fix and code."""

import gzip
from collections.abc import Callable
from pathlib import Path
from typing import Any

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.nifti import read_scan
from tests.builders import make_image, nifti_bytes, ras_affine, write_nifti

Maker = Callable[[Path], Path]


def header(name: str = "t.nii", *, affine: Any = None, image: Any = None, **fields: Any) -> Maker:
    """Maker of a file in which raw header fields are overridden."""

    def make(folder: Path) -> Path:
        voxels = make_image() if image is None else image
        matrix = ras_affine() if affine is None else affine
        return write_nifti(folder / name, voxels, matrix, fields=fields)

    return make


def content(name: str, data: bytes) -> Maker:
    """Maker of a file with these bytes."""

    def make(folder: Path) -> Path:
        (folder / name).write_bytes(data)
        return folder / name

    return make


def cut(name: str, keep: Callable[[int], int]) -> Maker:
    """Maker of a file of which only the beginning is left."""

    def make(folder: Path) -> Path:
        path = write_nifti(folder / name, make_image(), ras_affine())
        data = path.read_bytes()
        path.write_bytes(data[: keep(len(data))])
        return path

    return make


def plain_bytes() -> bytes:
    head, data = nifti_bytes(make_image(), ras_affine())
    return head + data


def wrong_crc() -> bytes:
    data = bytearray(gzip.compress(plain_bytes()))
    data[-8] ^= 1
    return bytes(data)


def broken_sform(value: float) -> np.ndarray:
    rows = ras_affine()[:3].copy()
    rows[0] = value
    return rows


def sheared(angle: float) -> np.ndarray:
    affine = ras_affine()
    affine[0, 1] += angle * affine[1, 1]
    return affine


def with_holes(share: float) -> np.ndarray:
    image = make_image()
    image.flat[: int(share * image.size)] = np.nan
    return image


def colour() -> np.ndarray:
    return np.zeros((20, 24, 18), dtype=[("R", "u1"), ("G", "u1"), ("B", "u1")])


def spaced(millimetres: float) -> np.ndarray:
    return ras_affine(spacing=(millimetres,) * 3)


MGH = b"\0\0\0\1\0\0\1\0"
HUGE = [3, 32767, 32767, 32767, 1, 1, 1, 1]
SILENT = {"sform_code": 0, "qform_code": 0}
ROWS = {
    "1 gz cut": (cut("t.nii.gz", lambda n: n // 2), "MS-101", r"truncated, \d+ of 34912 bytes"),
    "2 gz end missing": (cut("t.nii.gz", lambda n: n - 8), "MS-102", "checksum at its end is miss"),
    "2 wrong crc": (content("t.nii.gz", wrong_crc()), "MS-102", "fail their own check"),
    "2 garbage after": (
        content("t.nii.gz", gzip.compress(plain_bytes()) + b"xx"), "MS-102", "fail their own check",
    ),
    "3 nii cut": (cut("t.nii", lambda n: n // 2), "MS-101", "truncated, 17456 of 34912 bytes"),
    "3 header cut": (cut("t.nii", lambda _: 200), "MS-101", "200 of 348 header bytes"),
    "4 empty": (content("t.nii", b""), "MS-106", "is empty"),
    "4 empty gz": (content("t.nii.gz", b""), "MS-106", "is empty"),
    "4 nothing inside gz": (content("t.nii.gz", gzip.compress(b"")), "MS-106", "is empty"),
    "4 text": (content("t.nii", b"hello world\n" * 90), "MS-106", "text file"),
    "4 html": (content("t.nii", b"\n<!DOCTYPE html><html></html>"), "MS-106", "web page"),
    "4 html gz": (content("t.nii.gz", b"<HTML><body>404</body>"), "MS-106", "web page"),
    "4 plain called gz": (content("t.nii.gz", plain_bytes()), "MS-107", "not compressed.*Remove"),
    "4 gz called nii": (
        content("t.nii", gzip.compress(plain_bytes())), "MS-106", "Rename it to end in .gz",
    ),
    "4 dicom": (content("a.dcm", b"\0" * 128 + b"DICM"), "MS-106", "DICOM.*dcm2niix"),
    "4 nrrd": (content("a.nrrd", b"NRRD0004"), "MS-106", "NRRD"),
    "4 mgh": (content("a.mgh", MGH), "MS-106", "FreeSurfer.*mri_convert"),
    "4 mgz": (content("a.mgz", gzip.compress(MGH)), "MS-106", "FreeSurfer.*mri_convert"),
    "4 MGZ": (content("A.MGZ", gzip.compress(b"?")), "MS-106", "FreeSurfer.*mri_convert"),
    "4 mgz renamed": (content("t.nii.gz", gzip.compress(MGH)), "MS-106", "FreeSurfer.*mri_convert"),
    "4 mgh.gz": (content("a.mgh.gz", gzip.compress(MGH)), "MS-106", "FreeSurfer.*mri_convert"),
    "4 mgz called nii": (content("t.nii", gzip.compress(MGH)), "MS-106", "FreeSurfer.*mri_convert"),
    "4 page called mgz": (content("a.mgz", b"<html>404</html>"), "MS-106", "web page"),
    "4 lfs": (
        content("t.nii.gz", b"version https://git-lfs.github.com/spec/v1\n"), "MS-106", "LFS",
    ),
    "4 annex": (content("t.nii", b"/annex/objects/MD5E-s1--0.nii"), "MS-106", "datalad get"),
    "4 analyze": (header(magic=b"\0\0\0\0"), "MS-106", "Analyze 7.5.*patient's left"),
    "4 pair called nii": (header(magic=b"ni1"), "MS-106", "separate .img file"),
    "4 noise": (content("t.nii", bytes(range(128, 256)) * 9), "MS-106", "not a NIfTI file"),
    "5 dim 32767": (header(dim=HUGE), "MS-103", r"1.311e\+05 GiB of voxels \(limit 2 GiB\)"),
    "5 dim 32767 gz": (header("t.nii.gz", dim=HUGE), "MS-103", "--max-gib"),
    "5 dim 2000": (header(dim=[3, 2000, 2000, 2000, 1, 1, 1, 1]), "MS-103", "29.8 GiB"),
    "7 dim negative": (header(dim=[3, 20, -24, 18, 1, 1, 1, 1]), "MS-104", r"\[20, -24, 18\]"),
    "8 dim zero": (header(dim=[3, 20, 0, 18, 1, 1, 1, 1]), "MS-104", r"\[20, 0, 18\]"),
    "8 ndim zero": (header(dim=[0] * 8), "MS-104", r"voxel grid \[\]"),
    "9 ndim nine": (header(dim=[9, 20, 24, 18, 1, 1, 1, 1]), "MS-105", "declares 9 axes"),
    "9 unknown type": (header(datatype=9999), "MS-105", "voxel type 9999"),
    "9 float128": (header(datatype=1536), "MS-105", "float128"),
    "9 bits": (header(bitpix=16), "MS-105", "float32 voxels with 16 bits"),
    "10 offset far": (header(vox_offset=1e9), "MS-105", "byte 1000000000, far beyond"),
    "10 offset nan": (header(vox_offset=np.nan), "MS-105", "byte nan"),
    "10 offset in header": (header(vox_offset=100), "MS-105", "byte 100"),
    "11 intercept nan": (header(scl_slope=2.0, scl_inter=np.nan), "MS-105", "adds nan"),
    "12 sform nan": (header(srow_x=[np.nan] * 4), "MS-110", "sform is not usable.*NaN"),
    "13 sform singular": (header(srow_x=[0.0] * 4), "MS-110", "sform.*is singular"),
    "13 sform flat": (header(srow_x=[0.0, 5.0, 0.0, 0.0]), "MS-110", "sform.*is singular"),
    "13 qform quaternion": (
        header(sform_code=0, qform_code=1, quatern_b=2.0), "MS-110", "quaternion has length 2.0",
    ),
    "13 qform nan": (header(qform_code=1, quatern_c=np.nan), "MS-110", "qform is not usable"),
    "13 qform sizes": (
        header(qform_code=1, pixdim=[1, 5, -5, 5, 1, 1, 1, 1]), "MS-110", "voxel sizes are",
    ),
    "13 qform flag": (
        header(qform_code=1, pixdim=[3, 5, 5, 5, 1, 1, 1, 1]), "MS-110", "handedness flag",
    ),
    "14 no matrix": (header(**SILENT), "MS-111", "left and right.*--assume-orientation"),
    "16 shear": (header(affine=sheared(0.05)), "MS-113", r"0.0500 rad.*--allow-shear"),
    "17 holes": (header(image=with_holes(0.02)), "MS-120", r"1\.99 % of voxels are NaN"),
    "18 constant": (header(image=np.full((20, 24, 18), 3.0)), "MS-121", "has the value 3"),
    "18 zero": (header(image=np.zeros((20, 24, 18), "i2")), "MS-121", "has the value 0"),
    "19 two axes": (header(image=np.ones((32, 40), "f4")), "MS-122", "single slice"),
    "19 one slice": (header(image=np.ones((32, 40, 1), "f4")), "MS-122", "single slice"),
    "20 series": (header(image=np.ones((20, 24, 18, 5), "f4")), "MS-123", "5 volumes.*--volume k"),
    "20 five axes": (header(image=np.ones((20, 24, 18, 1, 3), "f4")), "MS-123", "5 axes"),
    "21 colour": (header(image=colour()), "MS-124", "RGB24, not grey"),
    "22 complex": (header(image=make_image().astype("c8")), "MS-124", "complex64.*magnitude"),
    "23 int64": (header(image=make_image().astype("i8") + 2**40), "MS-125", "would lose digits"),
    "24 small": (header(affine=spaced(1.0)), "MS-130", "20 x 24 x 18 mm.*voxel sizes in mm"),
    "24 metres": (header(affine=spaced(0.005), xyzt_units=1), "MS-130", "unit is metre"),
    "24 micrometres": (header(affine=spaced(5e3), xyzt_units=3), "MS-130", "unit is micrometre"),
    "24 large": (header(affine=spaced(20.0)), "MS-130", "400 x 480 x 360 mm"),
    "missing": (lambda folder: folder / "no.nii.gz", "MS-108", "No such file"),
    "missing, odd suffix": (lambda folder: folder / "no.xyz", "MS-108", "No such file"),
    "folder": (lambda folder: folder, "MS-108", "is a folder.*dcm2niix"),
    "device": (lambda _: Path("/dev/zero"), "MS-108", "pipe, socket or device"),
    "nul in name": (lambda folder: folder / "a\0b.nii", "MS-108", "cannot be opened"),
    "long name": (lambda folder: folder / ("n" * 300 + ".nii"), "MS-108", "cannot be opened"),
}  # fmt: skip


@pytest.mark.parametrize(("make", "code", "words"), ROWS.values(), ids=ROWS)
def test_bad_input_is_refused_with_file_cause_fix_and_code(
    tmp_path: Path, make: Maker, code: str, words: str
) -> None:
    path = make(tmp_path)
    with pytest.raises(ScanError, match=words) as caught:
        read_scan(path)
    message = str(caught.value)
    assert caught.value.code == code
    assert message.startswith(f"{code} {tmp_path if tmp_path in path.parents else ''}")
    assert path.name.replace("\0", "\\x00") in message
    assert " Fix: " in message
    assert message.endswith(".")
    assert message.isprintable()  # one line, nothing that moves a terminal's cursor
    assert caught.value.__cause__ is None
