"""The search over softness: reproducible, resumable, and every choice means what it says."""

from functools import cache
from pathlib import Path
from typing import Any

import optuna
import pytest
from pydantic import ValidationError

from medsym.benchmarks.search import SearchSettings, format_search, run_search
from medsym.benchmarks.search_space import (
    ChosenSoftness,
    SoftnessChoice,
    SoftnessSpace,
    allowed,
    suggest,
)
from medsym.config import read_config
from medsym.errors import ConfigError
from medsym.symmetry.softness import softness_values
from tests.architecture.source_files import ROOT
from tests.benchmarks.method_problem import BUDGET, EXACT, defect, trained

SETTINGS = SearchSettings(
    name="tiny", validation_subjects=4, budget=BUDGET.model_copy(update={"steps": 1})
)


@cache
def searched() -> dict[str, Any]:
    return run_search(SETTINGS, trials=3)


def choice(**changes: object) -> SoftnessChoice:
    whole = {"place": "everywhere", "course": "learned", "start": 0.3, **changes}
    return SoftnessChoice.model_validate(whole)


def test_same_seed_same_search_and_another_seed_another() -> None:
    first, again = searched()["trials"], run_search(SETTINGS, trials=3)["trials"]

    def numbers(rows: list[dict[str, object]]) -> list[object]:
        return [(row["choice"], row["auprc"]) for row in rows]

    assert numbers(first) == numbers(again)
    other = run_search(SETTINGS.model_copy(update={"seed": 9}), trials=1)["trials"]
    assert numbers(first[:1]) != numbers(other)


def test_interrupted_search_ends_as_if_nothing_had_happened(tmp_path: Path) -> None:
    whole = searched()

    def interrupting(_line: str) -> None:
        raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_search(SETTINGS, trials=3, report=interrupting, out=tmp_path)
    lines: list[str] = []
    resumed = run_search(SETTINGS, trials=3, report=lines.append, out=tmp_path)
    assert len(lines) == 2
    assert [t["choice"] for t in resumed["trials"]] == [t["choice"] for t in whole["trials"]]
    assert not list(tmp_path.rglob("*.pkl"))


def test_best_is_the_best_and_the_table_starts_with_it() -> None:
    result = searched()
    assert result["best"]["auprc"] == max(row["auprc"] for row in result["trials"])
    lines = format_search(result).splitlines()
    assert len(lines) == 2 + 3
    assert lines[2].startswith(f"| {result['best']['auprc']:.4f} | {result['best']['trial']} |")


def test_journal_of_other_settings_is_refused(tmp_path: Path) -> None:
    run_search(SETTINGS, trials=1, out=tmp_path)
    with pytest.raises(ConfigError, match="other settings") as refused:
        run_search(SETTINGS.model_copy(update={"seed": 4}), trials=1, out=tmp_path)
    assert refused.value.code == "MS-342"


def test_search_without_a_trial_is_refused() -> None:
    with pytest.raises(ConfigError, match="0 trials") as refused:
        run_search(SETTINGS, trials=0)
    assert refused.value.code == "MS-341"


@pytest.mark.parametrize("place", ["encoder", "decoder", "head"])
def test_softness_lives_where_it_is_allowed_alone(place: str) -> None:
    method = ChosenSoftness(BUDGET, choice=choice(place=place))
    values = softness_values(method.network)
    soft = {name for name, value in values.items() if float(value.mean()) > 0.0}
    assert soft == {name for name in values if allowed(name, place)}
    assert 0 < len(soft) < len(values)


def test_three_places_are_the_whole_network() -> None:
    names = softness_values(ChosenSoftness(BUDGET, choice=choice()).network)
    for name in names:
        assert sum(allowed(name, place) for place in ("encoder", "decoder", "head")) == 1


@pytest.mark.parametrize("course", ["soft_to_strict", "triangle"])
def test_schedule_that_ends_strict_is_exact_at_the_end(course: str) -> None:
    method = ChosenSoftness(BUDGET, choice=choice(course=course, start=1.0))
    trained(method, steps=2)
    method.before_step(0.4)
    assert defect(method.predict) > EXACT
    method.finish()
    assert defect(method.predict) <= EXACT


def test_schedule_that_ends_soft_leaves_the_rest_strict() -> None:
    method = ChosenSoftness(BUDGET, choice=choice(course="strict_to_soft", place="head", start=0.5))
    method.before_step(0.0)
    assert defect(method.predict) <= EXACT
    method.finish()
    values = softness_values(method.network)
    assert {round(float(v.mean()), 3) for v in values.values()} == {0.0, 0.5}


def test_courses_without_learning_are_not_asked_for_its_settings() -> None:
    fixed = optuna.trial.FixedTrial({"place": "head", "course": "constant", "start": 0.5})
    found = suggest(fixed, SoftnessSpace())
    assert (found.place, found.course, found.start) == ("head", "constant", 0.5)


def test_shipped_configuration_is_a_search() -> None:
    settings = read_config(ROOT / "configs" / "search_softness.yaml", SearchSettings)
    assert settings.budget.steps > 100
    with pytest.raises(ValidationError):
        SoftnessSpace(place=())
