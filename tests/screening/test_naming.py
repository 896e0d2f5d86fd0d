"""Names of cases: BIDS kept, others cleaned, clashes told apart or refused."""

import unicodedata
from pathlib import Path

import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsym.errors import OutputError
from medsym.screening.inputs import expand_scans
from medsym.screening.naming import clean_label, name_cases, name_of


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


@pytest.mark.parametrize(
    ("one", "other"),
    [
        ("scan (1)", "scan1"),
        ("p1_11", "p11_1"),
        ("M" + chr(252) + "ller", "Muller"),
        (chr(0x4E00) + "1", chr(0x4E8C) + "1"),
        ("sub-01", "sub01"),
        ("x" * 100 + "a", "x" * 100 + "b"),
    ],
)
def test_names_that_cleaning_would_merge_stay_different(one: str, other: str) -> None:
    names = name_cases([Path(f"/d/{one}.nii.gz"), Path(f"/d/{other}.nii.gz")])
    first, second = (name.case for name in names.values())
    assert first != second
    assert [name_of(path).case for path in names] == [first, second]  # also if screened alone


@given(one=st.text(max_size=8), other=st.text(max_size=8))
def test_different_texts_have_different_labels(one: str, other: str) -> None:
    same = unicodedata.normalize("NFC", one) == unicodedata.normalize("NFC", other)
    assert (clean_label(one) == clean_label(other)) == same


def test_folder_and_file_name_are_told_apart() -> None:
    paths = [Path("/d/p1/T1.nii"), Path("/d/p1T/1.nii"), Path("/e/p2/T1.nii"), Path("/e/p2/1.nii")]
    assert len({name.case for name in name_cases(paths).values()}) == 4


def test_clean_names_are_kept() -> None:
    for name in ("sub-01_ses-2_acq-x_T1w", "sub-A7_FLAIR"):
        assert name_of(Path(f"{name}.nii.gz")).case == name
    assert name_of(Path("patient7.nii")).case == "sub-patient7"


def test_equal_names_take_their_parent_folder() -> None:
    names = name_cases([Path("/d/p1/T1.nii.gz"), Path("/d/p2/T1.nii.gz"), Path("/d/p1/T2.nii")])
    assert [n.case[:8] for n in names.values()] == ["sub-p1T1", "sub-p2T1", "sub-T2"]


def test_names_that_still_clash_are_refused() -> None:
    others = [Path("/a/x/sub-b_T1w.nii"), Path("/a/x/sub-b_T1w.nii.gz")]
    with pytest.raises(OutputError, match=r"MS-150 .*4 scans") as refusal:
        name_cases([Path("/a/anat/T1.nii"), *others, Path("/b/anat/T1.nii")])
    assert "/a/anat/T1.nii, /b/anat/T1.nii" in refusal.value.cause, "those of one name, no others"
    with pytest.raises(OutputError, match="MS-150"):
        name_cases([Path("/a/x/sub-a_T1w.nii"), Path("/a/x/sub-a_T1w.nii.gz")])


def test_names_that_differ_in_letter_case_only_stay_different() -> None:
    paths = [Path("/a/x/sub-A_T1w.nii"), Path("/b/X/SUB-a_T1w.nii"), Path("/c/x/sub-a_T1w.nii")]
    assert len({name.case.casefold() for name in name_cases(paths).values()}) == 3


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
