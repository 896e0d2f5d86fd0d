"""The command prints what it writes, refuses what cannot be scored, and says what it left out."""

import json
from pathlib import Path
from typing import Any

import pytest

from medsym.cli import build_parser, main
from medsym.commands import evaluating
from medsym.commands.console import EXIT_OK, EXIT_REFUSED, show
from medsym.evaluation import cases, methods, run
from tests.evaluation.builders import fake_candidate


def parsed(*words: str) -> Any:
    return build_parser().parse_args(["evaluate", *words])


def test_nothing_to_score_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate"]) == 2
    assert "MS-385" in capsys.readouterr().err


def test_options_arrive() -> None:
    found = parsed("--synthetic", "c.yaml", "--against", "a", "b", "--robustness", "0")
    assert found.against == [Path("a"), Path("b")]
    assert (found.number, found.robustness) == (20, 0)
    assert parsed("--cases", "t.csv").robustness is None
    with pytest.raises(SystemExit):
        parsed("--cases", "t.csv", "--number", "0")


def case(failures: list[dict[str, str]]) -> dict[str, Any]:
    row = {"peak": 0.5, "auprc": 0.4321, "times_prevalence": 43.2, "oracle_dice": 0.5}
    entry = {"case": "one", "healthy": False, "prevalence": 0.01, "lesions": 1}
    entry |= {"not_assessable": {"fake": ["no brain"]}, "methods": {"fake deviation": row}}
    return {"alpha": 0.05, "cases": [entry], "healthy": {}, "failures": failures}


@pytest.mark.parametrize("refused", [False, True])
def test_cases_are_printed_as_they_are_written(
    tmp_path: Path,
    monkeypatch: pytest.MonkeyPatch,
    capsys: pytest.CaptureFixture[str],
    refused: bool,
) -> None:
    numbers = case([{"case": "two", "error": "MS-102 two: cut"}] if refused else [])
    monkeypatch.setattr(methods, "load_candidates", lambda *_a, **_k: [fake_candidate()])
    monkeypatch.setattr(cases, "evaluate_cases", lambda *_a, **_k: numbers)
    path = tmp_path / "numbers.json"
    code = main(["evaluate", "--cases", "table.csv", "--json", str(path)])
    assert code == (EXIT_REFUSED if refused else EXIT_OK)
    assert json.loads(path.read_text())["cases"] == numbers
    printed = capsys.readouterr().out
    assert "fake deviation  0.432" in printed
    assert "not assessable by fake: no brain" in printed
    assert ("not evaluated: two: MS-102" in printed) == refused


def test_seed_of_the_evaluation_is_not_that_of_training(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    asked: list[run.Plan] = []

    def stop(plan: run.Plan, *_a: Any, **_k: Any) -> Any:
        asked.append(plan)
        raise KeyboardInterrupt

    monkeypatch.setattr(methods, "load_candidates", lambda *_a, **_k: [fake_candidate()])
    monkeypatch.setattr(run, "evaluate_synthetic", stop)
    config = tmp_path / "c.yaml"
    config.write_text("name: a\nseed: 5\nreference_cases: 60\n")
    assert main(["evaluate", "--synthetic", str(config), "--number", "12"]) == 130
    (plan,) = asked
    assert plan.seed == 5 + evaluating.EVALUATION_SEED_STEP
    assert (plan.number, plan.robustness, plan.reference_draws) == (12, 3, 60)


def test_numbers_that_json_does_not_know_are_null(tmp_path: Path) -> None:
    path = tmp_path / "numbers.json"
    numbers = {"rho": float("nan"), "rows": [{"bound": float("inf"), "defect": 0.5}]}
    show("a table", numbers=numbers, path=path)

    def refuse(word: str) -> float:
        raise AssertionError(word)

    read = json.loads(path.read_text(encoding="utf-8"), parse_constant=refuse)
    assert read == {"rho": None, "rows": [{"bound": None, "defect": 0.5}]}
