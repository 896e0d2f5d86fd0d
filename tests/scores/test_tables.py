"""The user's table: which line is whose, and what is refused with a remedy."""

from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ConfigError
from medsym.scores.fit import FEWEST_PERSONS, fit_score
from medsym.scores.labels import Labels, match, read_labels
from medsym.scores.nuisance import complaints, encode, read_columns
from medsym.scores.question import Question
from medsym.scores.store import as_dict
from tests.scores.cohorts import epilepsy_cohort, made_up_record


def labels_of(rows: list[dict[str, str]]) -> Labels:
    return Labels.of(rows, path=Path("labels.tsv"))


def written(folder: Path, text: str, name: str = "labels.tsv") -> Path:
    path = folder / name
    path.write_text(text, encoding="utf-8")
    return path


def test_tabs_and_commas_say_the_same(tmp_path: Path) -> None:
    rows = [["case", "diagnosis"], ["sub-1_T1w", " epilepsy "]]
    tabs = written(tmp_path, "\n".join("\t".join(row) for row in rows))
    commas = written(tmp_path, "\n".join(",".join(row) for row in rows), "labels.csv")
    assert read_labels(tabs).lines == read_labels(commas).lines
    assert read_labels(tabs).lines == {
        ("sub-1_T1w",): {"case": "sub-1_T1w", "diagnosis": "epilepsy"}
    }


@pytest.mark.parametrize("text", ["", "name\tdiagnosis\na\tb\n", "case\n"])
def test_a_table_without_cases_is_refused(text: str, tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MS-610 .*labels\.tsv"):
        read_labels(written(tmp_path, text))
    with pytest.raises(ConfigError, match=r"MS-610 .*cannot be read"):
        read_labels(tmp_path / "absent.tsv")


@pytest.mark.parametrize(
    ("row", "person"),
    [
        ({"case": "sub-01_ses-a_T1w"}, "01"),
        ({"case": "sub-01_ses-a_T1w", "person": "Smith"}, "Smith"),
        ({"file": "sub-01_ses-a_T1w.nii.gz"}, "01"),
        ({"participant_id": "sub-01"}, "01"),
        ({"participant_id": "sub-01", "session_id": "ses-a"}, "01"),
    ],
)
def test_a_line_finds_its_case(row: dict[str, str], person: str) -> None:
    record = made_up_record("01", rng=np.random.default_rng(0), session="a")
    (entry,) = match([record], labels_of([row])).entries
    assert entry.record is record
    assert entry.person == person


@pytest.mark.parametrize("empty", ["", "n/a", "NA"])
def test_a_cell_that_says_nothing_names_nobody(empty: str) -> None:
    record = made_up_record("01", rng=np.random.default_rng(0))
    row = {"case": record["case"], "person": empty, "participant_id": "sub-02"}
    (entry,) = match([record], labels_of([row])).entries
    assert entry.person == "02"
    (entry,) = match([record], labels_of([{**row, "participant_id": empty}])).entries
    assert entry.person == "01"


def test_a_scan_of_which_nobody_knows_whose_it_is_is_refused() -> None:
    record = {**made_up_record("P01visit1", rng=np.random.default_rng(0)), "case": "sub-P01visit1"}
    row = {"case": record["case"], "person": "n/a"}
    with pytest.raises(ConfigError, match="MS-623 sub-P01visit1"):
        match([record], labels_of([row]))
    (entry,) = match([record], labels_of([{**row, "person": "P01"}])).entries
    assert entry.person == "P01"


def test_what_is_without_partner_is_counted() -> None:
    record = made_up_record("01", rng=np.random.default_rng(0))
    found = match([record], labels_of([{"case": "sub-02_T1w"}]))
    assert (found.entries, found.unlisted, found.unused) == ((), ("sub-01_T1w",), ("sub-02_T1w",))


def test_a_session_that_the_line_does_not_mean_is_left_out() -> None:
    record = made_up_record("01", rng=np.random.default_rng(0), session="a")
    row = {"participant_id": "sub-01", "session_id": "ses-b"}
    assert match([record], labels_of([row])).entries == ()


def test_two_lines_for_one_case_are_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-612"):
        labels_of([{"case": "a"}, {"case": "a"}])


def test_words_become_one_column_each_and_numbers_stay() -> None:
    rows = [{"age": "70.5", "scanner": "B"}, {"age": "60", "scanner": "A"}]
    columns = read_columns(["age", "scanner"], rows)
    assert encode(columns, rows).tolist() == [[70.5, 0.0, 1.0], [60.0, 1.0, 0.0]]
    assert complaints(columns, {"age": "65", "scanner": "C"}) == ["scanner C was not in the fit"]
    assert complaints(columns, {"age": "old", "scanner": "A"}) == ["age old is not a number"]


def test_a_few_whole_numbers_have_to_be_told_what_they_are() -> None:
    rows = [{"site": str(number % 3)} for number in range(9)]
    with pytest.raises(ConfigError, match=r"MS-613 .*site:category or site:number"):
        read_columns(["site"], rows)
    assert read_columns(["site:category"], rows)[0].levels == ("0", "1", "2")
    assert read_columns(["site:number"], rows)[0].levels == ()


def test_a_missing_value_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-613 .*1 cases have no value"):
        read_columns(["age"], [{"age": "4"}, {}])


def refusal(question: Question, persons: int = 60, **cells: str) -> str:
    records, rows = epilepsy_cohort(persons, seed=0)
    with pytest.raises(ConfigError) as caught:
        fit_score(records, labels_of([{**row, **cells} for row in rows]), question=question)
    return str(caught.value)


def test_too_few_persons_are_refused_with_their_number() -> None:
    few = refusal(Question(positive="epilepsy"), persons=2 * FEWEST_PERSONS - 2)
    assert "MS-617" in few
    assert "19 persons are epilepsy; 20 are needed" in few
    assert "MS-617" in refusal(Question(column="onset", is_side=True), persons=60)
    assert "0 persons are stroke" in refusal(Question(positive="stroke"))
    assert "30 healthy persons; 39 are needed" in refusal(Question(healthy=("control",)))


def test_many_scans_of_few_persons_are_few_persons() -> None:
    records, rows = epilepsy_cohort(80, seed=0)
    some = [{**row, "person": f"p{number % 20}"} for number, row in enumerate(rows)]
    with pytest.raises(ConfigError, match="10 persons are epilepsy"):
        fit_score(records, labels_of(some), question=Question(positive="epilepsy"))


def test_a_person_with_two_answers_is_refused() -> None:
    assert "MS-616" in refusal(Question(positive="epilepsy"), person="one")


def test_a_missing_column_is_named() -> None:
    assert "has no column dose" in refusal(Question(positive="epilepsy", nuisance=("dose",)))


def test_the_order_of_lines_changes_nothing() -> None:
    records, rows = epilepsy_cohort(60, seed=0)
    question = Question(positive="epilepsy", nuisance=("age", "scanner"))
    first = fit_score(records, labels_of(rows), question=question)
    second = fit_score(records[::-1], labels_of(rows[::-1]), question=question)
    assert as_dict(first.score) == as_dict(second.score)
    assert first.unseen == second.unseen
