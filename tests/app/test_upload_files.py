"""Files of uploads: names that nobody can abuse, and results to take away."""

import zipfile
from io import BytesIO
from pathlib import Path

import pytest

from app.uploads.files import pack_results, shown_name, stored_name


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
