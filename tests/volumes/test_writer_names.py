"""No name, however hostile, leads out of the output folder."""

import os
import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsym.errors import OutputError
from medsym.volumes.writer import safe_out


def test_plain_names_are_joined(tmp_path: Path) -> None:
    expected = tmp_path.resolve() / "sub-01" / "anat" / "m.nii.gz"
    assert safe_out(tmp_path, "sub-01", "anat/m.nii.gz") == expected


@pytest.mark.parametrize(
    "name",
    ["..", "../x", "a/../../x", "/etc/passwd", "a//b", "", ".", "a/./b", "a\0b", "a\nb", "a\\b",
     "C:x", "nul", "NUL.txt", "com1.nii", "aux.json", "a.", "a ", "a?b", "n" * 256, "\u00e9" * 128],
)  # fmt: skip
def test_hostile_names_are_refused(tmp_path: Path, name: str) -> None:
    with pytest.raises(OutputError) as caught:
        safe_out(tmp_path, "sub-01", name)
    assert caught.value.code == "MS-142"


def test_links_that_lead_outside_are_refused(tmp_path: Path) -> None:
    root = tmp_path / "out"
    root.mkdir()
    (root / "link").symlink_to(tmp_path)
    (root / "file").symlink_to(tmp_path / "elsewhere.txt")
    (root / "inside").symlink_to(root)
    for parts in (("link", "x"), ("file",)):
        with pytest.raises(OutputError, match=r"MS-142.*leads out of the output folder"):
            safe_out(root, *parts)
    assert safe_out(root, "inside", "x") == root.resolve() / "x"


def test_a_sibling_with_the_same_beginning_is_outside(tmp_path: Path) -> None:
    (tmp_path / "out").mkdir()
    (tmp_path / "out-2").mkdir()
    (tmp_path / "out" / "link").symlink_to(tmp_path / "out-2")
    with pytest.raises(OutputError, match="MS-142"):
        safe_out(tmp_path / "out", "link", "x")


def test_names_come_back_in_nfc(tmp_path: Path) -> None:
    name = safe_out(tmp_path, unicodedata.normalize("NFD", "Jos\u00e9")).name
    assert name == unicodedata.normalize("NFC", "Jos\u00e9")


@given(st.lists(st.text(alphabet="ab./\\:\0 \u00e9", max_size=8), max_size=4))
def test_whatever_is_accepted_lies_inside(parts: list[str]) -> None:
    try:
        path = safe_out("out", *parts)
    except OutputError:
        return
    assert os.path.commonpath([path, Path("out").resolve()]) == str(Path("out").resolve())
    assert path != Path("out").resolve()
