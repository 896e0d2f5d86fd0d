"""Names of cases: BIDS kept, others cleaned, clashes told apart or refused."""

from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsym.errors import OutputError
from medsym.screening.naming import expand_scans, name_cases, name_of


def test_bids_entities_are_read() -> None:
    name = name_of(Path("a/sub-01_ses-2_acq-x_T1w.nii.gz"))
    assert (name.case, name.subject, name.session) == ("sub-01_ses-2_acq-x_T1w", "01", "2")
    assert name.folder == ("sub-01", "ses-2", "anat")
    assert name_of(Path("sub-7_FLAIR.nii")).folder == ("sub-7", "anat")


@given(stem=st.text(min_size=1, max_size=80).filter(lambda s: "/" not in s and "\0" not in s))
def test_any_name_becomes_a_safe_identifier(stem: str) -> None:
    name = name_of(Path(stem + ".nii.gz"))
    assert name.case.startswith("sub-")
    assert all(c.isascii() and (c.isalnum() or c in "-_") for c in name.case)
    assert 4 < len(name.case) <= 120


def test_names_without_ascii_letters_stay_different() -> None:
    first, second = (name_of(Path(f"{chr(c)}.nii")) for c in (0x4E00, 0x4E8C))
    assert first.case != second.case


def test_equal_names_take_their_parent_folder() -> None:
    names = name_cases([Path("/d/p1/T1.nii.gz"), Path("/d/p2/T1.nii.gz"), Path("/d/p1/T2.nii")])
    assert [n.case for n in names.values()] == ["sub-p1T1", "sub-p2T1", "sub-T2"]


def test_names_that_still_clash_are_refused() -> None:
    with pytest.raises(OutputError, match="MS-150"):
        name_cases([Path("/a/anat/T1.nii"), Path("/b/anat/T1.nii")])
    with pytest.raises(OutputError, match="MS-150"):
        name_cases(
            [Path("/a/x/sub-A_T1w.nii"), Path("/b/X/SUB-a_T1w.nii"), Path("/c/x/sub-a_T1w.nii")]
        )


def test_the_same_file_twice_is_one_case() -> None:
    assert len(name_cases([Path("a/T1.nii"), Path("a/T1.nii")])) == 1


def test_a_folder_stands_for_its_scans_and_not_for_results(tmp_path: Path) -> None:
    for name in ("b/sub-2_T1w.nii", "a/sub-1_T1w.nii.gz", "a/sub-1_T1w_desc-bound_statmap.nii.gz"):
        path = tmp_path / name
        path.parent.mkdir(exist_ok=True)
        path.touch()
    (tmp_path / "a" / "notes.txt").touch()
    single = tmp_path / "b" / "sub-2_T1w.nii"
    found = expand_scans([tmp_path, single])
    assert [p.name for p in found] == ["sub-1_T1w.nii.gz", "sub-2_T1w.nii"]
