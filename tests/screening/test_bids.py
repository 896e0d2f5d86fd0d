"""A BIDS data set as entries: which files are scans, whose they are, and what is said of people."""

from pathlib import Path

import pytest

from medsym.datasets.bids_mask import MASK_SUFFIXES
from medsym.errors import ConfigError
from medsym.screening.bids import bids_entries
from medsym.screening.manifest import entries_of_any

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
    "sub-02/anat/sub-02_T1map.nii.gz",
    "sub-02/beh/notes.nii.gz",
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
        "sub-02/anat/sub-02_T1.nii.gz",
        "sub-02/sub-02_T1.nii.gz",
        "sub-02/ses-a/FLAIR.nii.gz",
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


@pytest.mark.parametrize("suffix", sorted(MASK_SUFFIXES))
def test_a_mask_beside_the_scan_is_passed_over_and_not_called_misnamed(
    root: Path, suffix: str
) -> None:
    names = [f"sub-02_acq-x_{suffix}", f"sub-02_T2w_desc-lesion_{suffix.upper()}", f"x_{suffix}"]
    touch(root, *(f"sub-02/anat/{name}.nii.gz" for name in names))
    assert files(root, participants=["02"]) == [SCANS[2]]


def test_a_suffix_that_bids_does_not_know_names_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "sub-02/anat/sub-02_T1.nii.gz")  # nothing else: the run has to name it still
    (entry,) = bids_entries(tmp_path)
    assert entry.refusal is not None
    assert "no suffix T1 of an anatomical scan (did you mean T1w?)" in entry.refusal.cause


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


def test_wrong_names_in_two_sessions_stop_no_scan(root: Path) -> None:
    touch(root, *(f"sub-03/ses-{visit}/anat/defaced.nii.gz" for visit in "12"))
    touch(root, "sub-10/anat/sub-10_T1w.nii", "sub-10/anat/sub-10_T1w.nii.gz")
    entries = entries_of_any(bids_entries(root))
    refused = [entry for entry in entries if entry.refusal is not None]
    assert [entry.path for entry in entries if entry.refusal is None] == [root / s for s in SCANS]
    assert len({entry.name.case for entry in entries}) == len(SCANS) + 4
    assert {entry.refusal.code for entry in refused} == {"MS-553"}
    assert "the same name" in refused[-1].refusal.cause
    assert "sub03ses1anatdefaced" in refused[0].name.case  # failures.tsv tells which file it is


def test_folders_that_cannot_be_reached_are_not_lost(root: Path, tmp_path_factory) -> None:
    elsewhere = tmp_path_factory.mktemp("elsewhere")
    touch(elsewhere, "anat/sub-04_T1w.nii")
    (root / "sub-04").symlink_to(elsewhere)
    (root / "sub-05").symlink_to(elsewhere / "none")
    (root / "sub-01" / "ses-c").symlink_to(elsewhere / "none")
    entries = bids_entries(root)
    assert root / "sub-04" / "anat" / "sub-04_T1w.nii" in [entry.path for entry in entries]
    missing = [entry.refusal.subject for entry in entries if entry.refusal is not None]
    assert missing == ["sub-01/ses-c", "sub-05"]


@pytest.mark.parametrize(
    "text",
    [
        "participant_id\tage\n",
        "participant_id\tsession_id\tage\nsub-01\t1\t7\nsub-01\t2\t8\n",
        "participant_id\tage\tage\nsub-01\t7\t70\n",
        "participant_id\tage\nsub-01\t7,5\n",
        "participant_id\tage\nsub-01\t7\tx\n",
    ],
)
def test_a_table_that_nobody_needs_costs_nothing(root: Path, text: str) -> None:
    (root / "participants.tsv").write_text(text, encoding="utf-8")
    with pytest.raises(ConfigError, match=r"MS-509.*participants\.tsv"):
        bids_entries(root)
    said: list[ConfigError] = []
    entries = bids_entries(root, bad_table=said.append)
    assert len(entries) == len(SCANS)
    assert all(entry.covariates == {} for entry in entries)
    assert [error.code for error in said] == ["MS-509"]


def test_blank_rows_quotes_and_empty_words_are_read_as_they_are_meant(root: Path) -> None:
    text = 'participant_id\tnote\t"age"\nsub-01\t"left" hand\tNA\n\t\t\n"sub-02"\t"x y"\t70\n'
    (root / "participants.tsv").write_text(text, encoding="utf-8")
    known = {entry.name.subject: entry.covariates for entry in bids_entries(root)}
    assert known == {"01": {"note": '"left" hand'}, "02": {"note": "x y", "age": 70.0}, "10": {}}
