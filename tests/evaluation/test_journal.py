"""A killed evaluation goes on where it was, and never mixes with another one."""

from pathlib import Path

import pytest

from medsym.errors import ConfigError, OutputError
from medsym.evaluation.journal import Journal, Row

STATED = {"seed": 1, "models": {"a": ["hash"]}}


def fail() -> Row:
    raise AssertionError("made twice")


def test_finished_rows_are_not_made_again(tmp_path: Path) -> None:
    made = Journal(tmp_path, stated=STATED).row("lesions", 3, make=lambda: {"auprc": 0.5})
    again = Journal(tmp_path, stated=STATED)
    assert ("lesions", 3) in again
    assert again.row("lesions", 3, make=fail) == made == {"auprc": 0.5}
    assert ("healthy", 3) not in again


def test_row_that_a_kill_cut_off_is_made_anew(tmp_path: Path) -> None:
    journal = Journal(tmp_path, stated=STATED)
    for index in range(2):
        journal.row("lesions", index, make=lambda: {"auprc": 0.5})
    path = tmp_path / "subjects.jsonl"
    path.write_bytes(path.read_bytes()[:-7])
    again = Journal(tmp_path, stated=STATED)
    assert ("lesions", 0) in again
    assert ("lesions", 1) not in again
    again.row("lesions", 1, make=lambda: {"auprc": 0.7})
    assert Journal(tmp_path, stated=STATED).row("lesions", 1, make=fail) == {"auprc": 0.7}


def test_folder_of_another_evaluation_is_refused_by_what_differs(tmp_path: Path) -> None:
    Journal(tmp_path, stated=STATED)
    with pytest.raises(ConfigError, match=r"MS-381 .* differs in models, seed"):
        Journal(tmp_path, stated={"seed": 2, "models": {"a": ["other"]}})


def test_undefined_numbers_read_back_as_they_were_given_out(tmp_path: Path) -> None:
    made = Journal(tmp_path, stated=STATED).row("g", 0, make=lambda: {"icc": float("nan")})
    assert made == {"icc": None}
    assert Journal(tmp_path, stated=STATED).row("g", 0, make=fail) == made


def test_without_a_folder_rows_are_kept_in_memory() -> None:
    journal = Journal(None, stated=STATED)
    journal.row("g", 0, make=lambda: {"a": 1})
    assert journal.row("g", 0, make=fail) == {"a": 1}


def test_folder_that_cannot_be_made_is_an_error_in_one_line(tmp_path: Path) -> None:
    blocked = tmp_path / "file"
    blocked.write_text("x")
    with pytest.raises(OutputError, match="MS-140"):
        Journal(blocked / "out", stated=STATED)
