"""What stays when scans are refused or a run is interrupted: one row per case, whole tables."""

import csv
from pathlib import Path

import pytest

from medsym.errors import OutputError
from medsym.screening.bids import bids_entries
from medsym.screening.conclusion import conclude, write_cohort
from medsym.screening.dicom.series import DicomSeries
from medsym.screening.entry import ScanEntry
from medsym.screening.folder import open_folder
from medsym.screening.lock import LOCK_FILE
from medsym.screening.naming import CaseName
from medsym.screening.progress import Progress, ScanReport
from medsym.screening.shards import Shard, Tally
from tests.screening.quick_run import run, store

pytestmark = pytest.mark.usefixtures("known_plane")


def broken(path: Path) -> Path:
    path.parent.mkdir(parents=True, exist_ok=True)
    path.write_text("<html>")
    return path


def rows(out: Path) -> list[dict[str, str]]:
    with (out / "failures.tsv").open(newline="") as stream:
        return list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))


def test_two_refused_scans_of_one_file_name_keep_both_rows(tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    scans = [broken(tmp_path / folder / "T1.nii.gz") for folder in ("p1", "p2")]
    run(scans, out, model)
    assert [row["file"] for row in rows(out)] == ["T1.nii.gz", "T1.nii.gz"]
    assert len({row["case"] for row in rows(out)}) == 2
    run(scans, out, model)
    assert len(rows(out)) == 2
    second = rows(out)[1]
    store(scans[0], scale=0.7)
    run(scans, out, model)
    assert rows(out) == [second]


def test_success_of_another_file_of_that_name_clears_its_own_row_only(tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    run([broken(tmp_path / folder / "x.nii") for folder in ("a", "b")], out, model)
    before = rows(out)
    alone = broken(tmp_path / "c" / "x.nii")
    run([alone], out, model)
    assert rows(out)[:2] == before
    assert len(rows(out)) == 3
    run([store(alone, scale=0.7)], out, model)
    assert rows(out) == before


def test_a_name_like_a_formula_gains_no_rows(tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    scan = broken(tmp_path / "=x.nii.gz")
    for _ in range(3):
        run([scan], out, model)
    assert [row["file"] for row in rows(out)] == ["'=x.nii.gz"]
    run([broken(tmp_path / "sub-02_T1w.nii.gz")], out, model)
    assert {row["file"] for row in rows(out)} == {"'=x.nii.gz", "sub-02_T1w.nii.gz"}
    assert (out / "index.html").read_text().count("=x.nii.gz") == 1


@pytest.mark.parametrize("stop", [KeyboardInterrupt, SystemExit, BrokenPipeError])
def test_an_interrupted_run_leaves_whole_tables_and_no_lock(
    tmp_path: Path, stop: type[BaseException]
) -> None:
    good = store(tmp_path / "sub-01_T1w.nii.gz", scale=0.7)
    scans = [good, *(broken(tmp_path / f"sub-0{n}_T1w.nii.gz") for n in (2, 3))]
    out, model = tmp_path / "out", tmp_path / "model"
    run([scans[2]], out, model)

    def interrupt(progress: Progress) -> None:
        if progress.number == 3 and progress.stage in ("read", "refused"):
            raise stop

    with pytest.raises(stop):
        run(scans, out, model, progress=interrupt)
    assert "sub-01_T1w\t" in (out / "screening.tsv").read_text()
    assert {row["case"] for row in rows(out)} == {"sub-02_T1w", "sub-03_T1w"}
    assert "sub-01_T1w.html" in (out / "index.html").read_text()
    assert not (out / LOCK_FILE).exists()


def test_a_corrected_row_of_a_table_leaves_the_failures_of_others(tmp_path: Path) -> None:
    out, model = tmp_path / "out", tmp_path / "model"
    broken(tmp_path / "a.nii")
    mine, other = tmp_path / "mine.csv", tmp_path / "other.csv"
    mine.write_text("scan,case\na.nii,P1\na.nii,P1\ngone.nii,\n,P7\n")
    other.write_text("scan,case\nfar.nii,P9\n")
    run([mine], out, model)
    run([other], out, model)
    assert [row["code"] for row in rows(out)].count("MS-532") == 1
    assert len(rows(out)) == 5
    mine.write_text("scan,case\na.nii,P1\na.nii,P2\n")
    run([mine], out, model)
    assert [row["case"] for row in rows(out)] == ["sub-P1", "sub-P2", "sub-P9"]
    assert "mine" not in (out / "logs" / "refusals.json").read_text()


def test_shards_forget_corrected_rows_as_one_run_does(tmp_path: Path) -> None:
    out, model, table = tmp_path / "out", tmp_path / "model", tmp_path / "t.csv"
    for text, cases in (("P1,P1,P2,P3", 4), ("P1,P4,P2,P3", 4), ("P1", 1)):
        listed = [f"x{name}.nii,{name}" for name in text.split(",")]
        table.write_text("\n".join(["scan,case", *listed]) + "\n")
        for index in (1, 2, 1, 2):  # a shard that is done again forgets nothing
            run([table], out, model, shard=Shard(index=index, count=2))
        assert len(rows(out)) == cases


def test_a_participant_that_is_screened_alone_clears_its_own_mistakes_only(tmp_path: Path) -> None:
    out, model, root = tmp_path / "out", tmp_path / "model", tmp_path / "data"
    for label in ("01", "02"):
        broken(root / f"sub-{label}" / "anat" / "defaced.nii")
    run(bids_entries(root), out, model)
    assert len(rows(out)) == 2
    (root / "sub-01" / "anat" / "defaced.nii").rename(root / "sub-01" / "anat" / "sub-01_T1w.nii")
    run(bids_entries(root, participants=["01"]), out, model, is_part=True)
    write_cohort(out, Tally())
    assert [row["file"] for row in rows(out)] == ["sub-01_T1w.nii", "defaced.nii"]


def test_a_series_that_succeeds_is_no_longer_refused(tmp_path: Path) -> None:
    out = open_folder(tmp_path / "out")
    name = CaseName(case="sub-a_acq-series3_MR", subject="a", session=None)
    series = DicomSeries(name=name, files=(tmp_path / "1.dcm",))
    entry = ScanEntry(path=tmp_path, name=name, series=series)
    error = OutputError(code="MS-190", subject="x", cause="no converter", fix="install it")
    common = {"number": 1, "case": name.case, "file": "x", "total_s": 1.0, "seconds": {}}
    for refusal, expected in ((error, [name.case]), (None, [])):
        report = ScanReport(stage="done", error=refusal, cost={}, **common)
        conclude(out, [entry], reports=[report], refusals={}, shard=None, is_whole=True)
        assert [row["case"] for row in rows(out)] == expected
