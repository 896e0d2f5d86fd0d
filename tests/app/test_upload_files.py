"""Files of uploads: names that nobody can abuse, and results to take away."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from app.uploads.files import pack_results, refuse_content, shown_name, stored_name
from medsym.errors import ScanError


@pytest.mark.parametrize(
    ("name", "kept"),
    [
        ("sub-01_T1w.nii.gz", "sub-01_T1w.nii.gz"),
        ("../../etc/sub-01_T1w.NII.GZ", "sub-01_T1w.nii.gz"),
        ("C:\\scans\\head.nii", "head.nii"),
        ("<img src=x>.nii", ""),
        ("a\nb\0.zip", ""),
        ("/.nii", ""),
        ("\u202egnp.zip", ""),
    ],
)
def test_names_are_kept_as_letters_and_digits_only(name: str, kept: str) -> None:
    stored = stored_name(name)
    assert stored == kept or not kept
    assert stored.replace(".", "").replace("_", "").replace("-", "").isalnum()
    assert stored.isascii()
    assert not stored.startswith(".")
    assert "/" not in shown_name(name)
    assert len(shown_name("x" * 999 + ".nii")) == 80


@pytest.mark.parametrize(
    ("name", "content", "is_taken"),
    [
        ("a.nii", (348).to_bytes(4, "little"), True),
        ("a.nii", (540).to_bytes(4, "big"), True),
        ("a.NII.gz", b"\x1f\x8b\x08\x00", True),
        ("a.zip", b"PK\x03\x04", True),
        ("a.nii", b"shopping list", False),
        ("a.nii.gz", b"PK\x03\x04", False),
        ("a.ZIP", b"\x1f\x8b\x08\x00", False),
        ("a.nii", b"", False),
    ],
)
def test_what_cannot_be_a_scan_is_refused_by_its_first_bytes(name, content, is_taken) -> None:
    if is_taken:
        refuse_content(name, memoryview(content))
        return
    with pytest.raises(ScanError, match="MS-800 a"):
        refuse_content(name, memoryview(content))


def test_results_to_take_away_hold_the_maps_and_not_where_scans_lie(tmp_path: Path) -> None:
    for name in ("index.html", "sub-1/anat/sub-1_case.json", "logs/sources.json"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(name)
    (tmp_path / "link").symlink_to("/etc/passwd")
    written = BytesIO()
    pack_results(tmp_path, written)
    with zipfile.ZipFile(written) as packed:
        names = sorted(packed.namelist())
    root = "medsym_results"
    assert names == [f"{root}/index.html", f"{root}/sub-1/anat/sub-1_case.json"]
