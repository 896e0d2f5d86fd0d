"""A BIDS data set as entries: which files are scans, whose they are, and what is said of people."""

from pathlib import Path

import pytest

from medsym.errors import ConfigError
from medsym.screening.bids import bids_entries

SCANS = (
    "sub-01/ses-a/anat/sub-01_ses-a_T1w.nii.gz",
    "sub-01/ses-b/anat/sub-01_ses-b_run-1_FLAIR.nii.gz",
    "sub-02/anat/sub-02_acq-x_T2w.nii",
    "sub-10/anat/sub-10_part-mag_T2starw.nii.gz",
)
NO_SCANS = (
    "sub-01/ses-a/func/sub-01_ses-a_task-rest_bold.nii.gz",
    "sub-01/ses-a/anat/sub-01_ses-a_desc-brain_mask.nii.gz",
    "sub-02/anat/.sub-02_T1w.nii.gz",
    "sub-02/dwi/sub-02_dwi.nii.gz",
    "sub-02/derivatives/sub-02_T1w.nii.gz",
    "sub-10/anat/sub-10_part-phase_T2starw.nii.gz",
    "derivatives/other/sub-01/anat/sub-01_T1w.nii.gz",
    "sourcedata/sub-01/anat/sub-01_T1w.nii.gz",
    ".git/sub-77/anat/sub-77_T1w.nii.gz",
    "sub-88.txt",
)


@pytest.fixture
def root(tmp_path: Path) -> Path:
    touch(tmp_path, *SCANS, *NO_SCANS)
    return tmp_path


def touch(root: Path, *names: str) -> None:
    for name in names:
        (root / name).parent.mkdir(parents=True, exist_ok=True)
        (root / name).touch()


def files(root: Path, **chosen: list[str]) -> list[str]:
    entries = bids_entries(root, **chosen)
    assert all(entry.refusal is None for entry in entries)
    return [entry.path.relative_to(root).as_posix() for entry in entries]


def test_only_raw_scans_of_the_head_are_taken_under_their_own_names(root: Path) -> None:
    assert files(root) == sorted(SCANS)
    names = [entry.name for entry in bids_entries(root)]
    assert [name.case for name in names] == [Path(s).name.split(".")[0] for s in sorted(SCANS)]
    assert names[0].folder == ("sub-01", "ses-a", "anat")


@pytest.mark.parametrize("prefix", ["", "sub-"])
def test_participants_are_chosen_with_or_without_prefix(root: Path, prefix: str) -> None:
    chosen = files(root, participants=[f"{prefix}10", f"{prefix}02"])
    assert chosen == [SCANS[3], SCANS[2]]


@pytest.mark.parametrize("label", ["b", "ses-b"])
def test_sessions_are_chosen_and_scans_without_one_are_not(root: Path, label: str) -> None:
    assert files(root, sessions=[label]) == [SCANS[1]]


@pytest.mark.parametrize(
    ("chosen", "code", "near"),
    [
        ({"participants": ["2"]}, "MS-551", "'02'"),
        ({"participants": ["01", "sub-100"]}, "MS-551", "'10'"),
        ({"sessions": ["B"]}, "MS-551", "'"),
        ({"participants": ["02"], "sessions": ["b"]}, "MS-551", "leave it out"),
    ],
)
def test_a_label_that_is_not_there_names_the_nearest(root: Path, chosen, code, near) -> None:
    with pytest.raises(ConfigError, match=code) as refused:
        bids_entries(root, **chosen)
    assert near in refused.value.fix


def test_a_chosen_participant_without_a_scan_is_an_error(root: Path) -> None:
    (root / "sub-03" / "func").mkdir(parents=True)
    assert len(bids_entries(root)) == len(SCANS)
    with pytest.raises(ConfigError, match="MS-552"):
        bids_entries(root, participants=["03"])


def test_a_folder_that_is_no_data_set_is_refused(tmp_path: Path) -> None:
    for folder in (tmp_path, tmp_path / "none"):
        with pytest.raises(ConfigError, match="MS-550"):
            bids_entries(folder)


@pytest.mark.parametrize(
    "name",
    [
        "sub-02/anat/sub-02_T1w_run-2.nii.gz",
        "sub-02/anat/sub-02_T1w_defaced.nii.gz",
        "sub-02/anat/sub-02_T1w_acq-x_T1w.nii.gz",
        "sub-02/anat/T1.nii.gz",
        "sub-02/anat/sub-01_T1w.nii.gz",
        "sub-02/anat/sub-02_ses-a_T1w.nii.gz",
        "sub-02/ses-a/anat/sub-02_T1w.nii.gz",
    ],
)
def test_a_wrong_name_is_refused_by_name_and_not_mangled(root: Path, name: str) -> None:
    touch(root, name)
    entries = bids_entries(root, participants=["02"])
    (refused,) = [entry for entry in entries if entry.refusal is not None]
    assert refused.refusal.code == "MS-553"
    assert refused.refusal.subject == name
    assert len(entries) == 2
    assert entries[0].path == root / SCANS[2]
    assert len({entry.name.case for entry in entries}) == 2


def test_covariates_come_from_the_tables_and_the_session_goes_first(root: Path) -> None:
    (root / "participants.tsv").write_text(
        "participant_id\tage\tsex\tsite\nsub-01\t70\tF\tA\n02\tn/a\tM\tB\n", encoding="utf-8"
    )
    (root / "sub-01" / "sub-01_sessions.tsv").write_text(
        "session_id\tage\nses-b\t72.5\n", encoding="utf-8"
    )
    found = {entry.path.name: entry.covariates for entry in bids_entries(root)}
    assert found["sub-01_ses-a_T1w.nii.gz"] == {"age": 70.0, "sex": "F", "site": "A"}
    assert found["sub-01_ses-b_run-1_FLAIR.nii.gz"] == {"age": 72.5, "sex": "F", "site": "A"}
    assert found["sub-02_acq-x_T2w.nii"] == {"sex": "M", "site": "B"}
    assert found["sub-10_part-mag_T2starw.nii.gz"] == {}


def test_a_participant_who_stands_twice_is_refused(root: Path) -> None:
    (root / "participants.tsv").write_text("participant_id\n01\nsub-01\n", encoding="utf-8")
    with pytest.raises(ConfigError, match=r"MS-509.*participants\.tsv"):
        bids_entries(root)
