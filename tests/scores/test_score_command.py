"""medsym score from the command line: what it reads, writes, prints and refuses."""

import json
from pathlib import Path

import pytest

from medsym.cli import main
from tests.scores.cohorts import epilepsy_cohort, write_results, write_rows

PERSONS = 90


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """A folder with results and a table of healthy people and patients."""
    folder = tmp_path_factory.mktemp("cohort")
    records, rows = epilepsy_cohort(PERSONS, seed=5)
    write_results(folder / "results", records)
    write_rows(folder / "labels.tsv", rows)
    return folder


def fit(cohort: Path, out: Path, *more: str) -> int:
    labels = str(cohort / "labels.tsv")
    return main(
        ["score", "fit", str(cohort / "results"), "--labels", labels, "--out", str(out), *more]
    )


def files_of(folder: Path) -> dict[str, bytes]:
    return {
        path.relative_to(folder).as_posix(): path.read_bytes()
        for path in sorted(folder.rglob("*"))
        if path.is_file()
    }


def test_fit_then_apply_writes_two_tables_beside_the_results_and_nothing_else(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    before = files_of(cohort / "results")
    asked = ["--positive", "epilepsy", "--nuisance", "age", "scanner"]
    assert fit(cohort, tmp_path / "score", *asked, "--json", str(tmp_path / "fit.json")) == 0
    printed = capsys.readouterr().out
    assert "90 persons, 90 scans, 50% epilepsy" in printed
    assert "area under the curve" in printed
    assert files_of(cohort / "results") == before
    numbers = json.loads((tmp_path / "fit.json").read_text())["numbers"]
    assert numbers["auroc"]["low"] > 0.6
    apply = ["score", "apply", str(tmp_path / "score"), str(cohort / "results")]
    assert main([*apply, "--labels", str(cohort / "labels.tsv")]) == 0
    after = files_of(cohort / "results")
    assert set(after) - set(before) == {"scores.tsv", "scores.json"}
    assert {name: after[name] for name in before} == before
    lines = after["scores.tsv"].decode().splitlines()
    assert len(lines) == PERSONS + 1
    assert "which does not mean normal" in after["scores.tsv"].decode()
    case = json.loads(after["scores.json"])["cases"][1]
    assert case["logit"] == pytest.approx(sum(case["contributions"].values()), abs=1e-12)


def test_equal_runs_write_equal_files(cohort: Path, tmp_path: Path) -> None:
    for name in ("one", "two"):
        assert fit(cohort, tmp_path / name, "--positive", "epilepsy") == 0
    assert files_of(tmp_path / "one") == files_of(tmp_path / "two")


def test_side_needs_two_sides_of_enough_persons(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", "--column", "onset", "--side") == 0
    assert "left or right: 45 persons" in capsys.readouterr().out


def test_healthy_people_alone_give_both_p_values(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", "--healthy", "control") == 0
    assert "bilateral: 23 healthy persons say what is usual, 22 others" in capsys.readouterr().out
    assert main(["score", "apply", str(tmp_path / "score"), str(cohort / "results")]) == 0
    row = (cohort / "results" / "scores.tsv").read_text().splitlines()[1].split("\t")
    assert row[2] == "n/a"


@pytest.mark.parametrize(
    ("more", "code"),
    [([], "MS-621"), (["--positive", "epilepsy", "--nuisance", "weight"], "MS-611")],
)
def test_a_question_that_cannot_be_asked_is_refused(
    more: list[str], code: str, cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", *more) == 2
    assert code in capsys.readouterr().err
    assert not (tmp_path / "score").exists()


def test_results_of_another_model_are_refused(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", "--positive", "epilepsy") == 0
    records, _ = epilepsy_cohort(2, seed=1)
    for record in records:
        record["model"]["sha256"] = "c" * 64
    other = write_results(tmp_path / "other", records)
    assert main(["score", "apply", str(tmp_path / "score"), str(other)]) == 2
    assert "MS-615" in capsys.readouterr().err
    assert not (other / "scores.tsv").exists()
    records[0]["model"]["sha256"] = "d" * 64
    mixed = write_results(tmp_path / "mixed", records)
    assert main(["score", "apply", str(tmp_path / "score"), str(mixed)]) == 2
    assert main(["score", "apply", str(tmp_path / "score"), str(tmp_path)]) == 2


def test_a_score_that_needs_age_asks_for_the_table(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", "--positive", "epilepsy", "--nuisance", "age") == 0
    assert main(["score", "apply", str(tmp_path / "score"), str(cohort / "results")]) == 2
    assert "MS-622" in capsys.readouterr().err


def test_one_damaged_record_costs_its_own_row_only(
    cohort: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    assert fit(cohort, tmp_path / "score", "--healthy", "control") == 0
    records, _ = epilepsy_cohort(3, seed=2)
    folder = write_results(tmp_path / "new", records)
    next(folder.rglob("sub-001_T1w_case.json")).write_text("{")
    assert main(["score", "apply", str(tmp_path / "score"), str(folder)]) == 1
    assert "MS-153 sub-001_T1w_case.json" in capsys.readouterr().err
    rows = (folder / "scores.tsv").read_text().splitlines()
    assert [row.split("\t")[1] for row in rows] == ["assessable", "true", "false", "true"]
    assert "Not assessable: MS-153" in rows[2]
