"""Entries of a run: a table states scans, names, masks and covariates; a bad row stops no other."""

import pickle
from pathlib import Path

import pytest

from medsym.errors import ConfigError, OutputError
from medsym.screening.entry import ScanEntry
from medsym.screening.manifest import entries_of


def table(folder: Path, text: str, *, name: str = "scans.csv") -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def touch(folder: Path, *names: str) -> None:
    for name in names:
        (folder / name).parent.mkdir(parents=True, exist_ok=True)
        (folder / name).touch()


def test_a_row_states_scan_name_masks_and_covariates(tmp_path: Path) -> None:
    touch(tmp_path, "a/x.nii.gz", "a/brain.nii.gz", "a/lesion.nii.gz")
    text = "scan,subject,session,brain_mask,lesion_mask,age,sex,site,weight\n"
    text += "x.nii.gz,sub-07,ses-2,brain.nii.gz,lesion.nii.gz,71.5,F,01,n/a\n"
    (entry,) = entries_of([table(tmp_path / "a", text)])
    assert entry.path == tmp_path / "a" / "x.nii.gz"
    assert (entry.name.case, entry.name.folder) == ("sub-07_ses-2", ("sub-07", "ses-2", "anat"))
    assert entry.brain_mask == tmp_path / "a" / "brain.nii.gz"
    assert entry.exclusion_mask == tmp_path / "a" / "lesion.nii.gz"
    assert entry.covariates == {"age": 71.5, "sex": "F", "site": "01"}
    assert entry.refusal is None
    assert pickle.loads(pickle.dumps(entry)) == entry


@pytest.mark.parametrize(
    ("name", "mark"), [("t.csv", ","), ("t.csv", ";"), ("t.tsv", "\t"), ("T.TSV", "\t")]
)
def test_the_cells_may_be_parted_as_any_spreadsheet_does(tmp_path: Path, name, mark) -> None:
    touch(tmp_path, "x.nii")
    text = "\ufeff" + mark.join(["case", "Scan"]) + "\r\n" + mark.join(["p1", "x.nii"]) + "\r\n"
    (entry,) = entries_of([table(tmp_path, text, name=name)])
    assert (entry.name.case, entry.path.name) == ("sub-p1", "x.nii")


def test_a_bids_name_is_kept_and_several_scans_of_a_subject_are_told_apart(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1_acq-a_T1w.nii", "T1.nii", "T2.nii", "plain.nii")
    text = "participant_id\tscan\n1\tsub-1_acq-a_T1w.nii\n2\tT1.nii\n2\tT2.nii\nn/a\tplain.nii\n"
    entries = entries_of([table(tmp_path, text, name="t.tsv")])
    names = [entry.name.case for entry in entries]
    assert names == ["sub-1_acq-a_T1w", "sub-2_acq-T1", "sub-2_acq-T2", "sub-plain"]
    assert [entry.name.subject for entry in entries] == ["1", "2", "2", "plain"]


def refusals(entries: tuple[ScanEntry, ...]) -> list[str | None]:
    return [None if entry.refusal is None else entry.refusal.code for entry in entries]


def test_a_bad_row_is_named_and_the_others_stay(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii", "b.nii")
    text = (
        "case,scan,brain_mask\n1,a.nii,\n2,gone.nii,\n3,b.nii,none.nii\n1,b.nii,\n4,,\n5,b.nii,,x\n"
    )
    entries = entries_of([table(tmp_path, text)])
    assert refusals(entries) == [None, "MS-531", "MS-531", "MS-532", "MS-533", "MS-533"]
    assert "row 3 of scans.csv (gone.nii)" in str(entries[1].refusal)
    assert "brain mask" in str(entries[2].refusal)
    assert "sub-1, as row 2" in str(entries[3].refusal)
    assert len({entry.name.case for entry in entries}) == len(entries)


@pytest.mark.parametrize(
    ("text", "said"),
    [
        ("", "no row"),
        ("scan\n", "no row"),
        ("file,age\nx.nii,3\n", "no column 'scan'"),
        ("scan,brainmask\nx.nii,b.nii\n", "did you mean 'brain_mask'"),
        ("scan,subject,participant_id\nx.nii,1,1\n", "in two columns"),
        ("scan,age,age\nx.nii,1,1\n", "twice"),
        ('scan\n"x.nii\n', "cannot be read"),
    ],
)
def test_a_table_that_could_be_misread_is_refused(tmp_path: Path, text: str, said: str) -> None:
    with pytest.raises(ConfigError, match="MS-530") as refused:
        entries_of([table(tmp_path, text)])
    assert said in str(refused.value)
    assert "scans.csv" in refused.value.subject


def test_a_table_of_other_bytes_or_no_table_is_refused(tmp_path: Path) -> None:
    (tmp_path / "x.csv").write_bytes(b"scan\n\xff\xfe\n")
    for name in ("x.csv", "none.csv"):
        with pytest.raises(ConfigError, match="MS-530"):
            entries_of([tmp_path / name])


def test_files_folders_and_tables_go_together(tmp_path: Path) -> None:
    touch(tmp_path, "d/one.nii", "two.nii", "t/three.nii")
    listed = table(tmp_path / "t", "scan,case\nthree.nii,three\n")
    entries = entries_of([tmp_path / "d", tmp_path / "two.nii", listed, listed])
    assert [entry.name.case for entry in entries] == ["sub-one", "sub-two", "sub-three"]
    clash = table(tmp_path / "u", "scan,case\n../t/three.nii,one\n")
    with pytest.raises(OutputError, match="MS-150"):
        entries_of([tmp_path / "d", clash])


def test_a_case_name_cannot_leave_the_output_folder(tmp_path: Path) -> None:
    touch(tmp_path, "x.nii")
    text = "scan,case,subject,session\nx.nii,../../etc,../up,a/b\n"
    (entry,) = entries_of([table(tmp_path, text)])
    for part in (entry.name.case, *entry.name.folder):
        assert "/" not in part
        assert ".." not in part


def test_equal_names_in_a_table_cost_their_rows_only(tmp_path: Path) -> None:
    touch(tmp_path, "good.nii", "siteA/anat/T1.nii", "siteB/anat/T1.nii")
    text = "scan\ngood.nii\nsiteA/anat/T1.nii\nsiteB/anat/T1.nii\n"
    entries = entries_of([table(tmp_path, text)])
    assert refusals(entries) == [None, None, "MS-532"]
    assert len({entry.name.case for entry in entries}) == 3


def test_all_of_a_stated_name_counts(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii", "b.nii", "c.nii")
    text = "case,scan\nP01.1,a.nii\nP01.2,b.nii\nsite/P01.1,c.nii\nsub-9_ses-2_T1w,a.nii\n"
    entries = entries_of([table(tmp_path, text)])
    assert refusals(entries) == [None] * 4
    assert len({entry.name.case for entry in entries}) == 4
    assert entries[3].name.folder == ("sub-9", "ses-2", "anat")


def test_a_row_without_a_name_takes_none_from_a_row_of_the_same_scan(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii")
    entries = entries_of([table(tmp_path, "case,scan\nn/a,a.nii\np1,a.nii\n")])
    assert [entry.name.case for entry in entries] == ["sub-a", "sub-p1"]


@pytest.mark.parametrize(
    ("header", "cell"),
    [("mask", ""), ("Brain", "1"), ("lesion", "x"), ("roi", "x"), ("seg", "s.nii.gz")],
)
def test_a_mask_in_a_column_of_another_name_is_no_covariate(tmp_path: Path, header, cell) -> None:
    touch(tmp_path, "a.nii")
    with pytest.raises(ConfigError, match=f"MS-530.*'{header}'.*exclusion_mask"):
        entries_of([table(tmp_path, f"scan,{header},age\na.nii,{cell},3\n")])


@pytest.mark.parametrize("empty", ["NA", "NaN", "nan", "n/a", ""])
def test_cells_that_state_nothing_are_no_words(tmp_path: Path, empty: str) -> None:
    touch(tmp_path, "a.nii")
    (entry,) = entries_of([table(tmp_path, f"scan,age,sex\na.nii,{empty},F\n")])
    assert entry.covariates == {"sex": "F"}


def test_a_decimal_comma_is_a_number_or_an_error(tmp_path: Path) -> None:
    touch(tmp_path, "a.nii")
    (entry,) = entries_of([table(tmp_path, "scan;age\na.nii;71,5\n")])
    assert entry.covariates == {"age": 71.5}
    with pytest.raises(ConfigError, match=r"MS-530.*'71,5' in row 2.*decimal point"):
        entries_of([table(tmp_path, 'scan,age\na.nii,"71,5"\n')])
