"""Measuring commands print a table and write the same numbers."""

import json
from pathlib import Path

import pytest

from medsym.commands.measuring import show
from medsym.commands.research import format_rows
from medsym.training import evaluate


def test_rows_become_an_aligned_table() -> None:
    lines = format_rows([{"case": "a", "score": 0.12345}, {"case": "long", "score": 12.0}])
    assert lines.splitlines() == ["case   score", "a     0.1235", "long      12"]


def test_evaluate_prints_what_it_writes(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    from medsym.cli import main

    rows = [{"case": "one", "deviation": 0.5}]
    monkeypatch.setattr(evaluate, "evaluate_cases", lambda *_a, **_k: rows)
    path = tmp_path / "numbers.json"
    assert main(["evaluate", "--cases", "table.csv", "--json", str(path)]) == 0
    assert json.loads(path.read_text()) == rows
    assert ["one", "0.5"] in [line.split() for line in capsys.readouterr().out.splitlines()]


def test_numbers_that_json_does_not_know_are_null(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    numbers = {"rho": float("nan"), "rows": [{"bound": float("inf"), "defect": 0.5}]}
    show("a table", numbers=numbers, path=path)

    def refuse(word: str) -> float:
        raise AssertionError(word)

    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert read == {"rho": None, "rows": [{"bound": None, "defect": 0.5}]}
