"""The comparison end to end on a tiny budget: promised columns, resuming, and refusals."""

import json
from functools import cache
from pathlib import Path
from typing import Any

import pytest

from medsym.benchmarks.methods import benchmark
from medsym.benchmarks.methods.benchmark import run_method_benchmark
from medsym.benchmarks.methods.registry import METHODS, chosen
from medsym.benchmarks.methods.settings import MethodBenchmarkSettings
from medsym.benchmarks.methods.table import VERSION_TITLES, format_methods
from medsym.errors import ConfigError
from tests.benchmarks.method_problem import BUDGET

KEPT = Path(benchmark.__file__).parent
SETTINGS = MethodBenchmarkSettings(
    budget=BUDGET, seeds=2, methods=("plain", "soft_head", "augerino"), resamples=20, cost_rounds=1
)
PROMISED = {
    *("auprc", "auprc_interval", "auprc_gain", "auprc_gain_interval", "prevalence", "dice"),
    *("dice_interval", "defect", "defect_brain", "alarms_torque", "alarms_torque_interval"),
    *("alarms_brain", "free_parameters", "seeds"),
}
ISSUE_NAMES = {
    *(
        "plain",
        "plain_flips",
        "mirror_averaging",
        "strict",
        "soft_weights",
        "soft_head",
        "soft_head_side",
    ),
    *(
        "rpp",
        "relaxed_group",
        "projection",
        "remul",
        "ace",
        "latent",
        "relaxation",
        "symmetrisation",
    ),
    *("canonicalisation", "reference_frame", "augerino", "sharing", "multi_stream", "output_space"),
}


@cache
def tiny_result() -> dict[str, Any]:
    return run_method_benchmark(SETTINGS)


def test_rows_have_the_promised_columns() -> None:
    rows = tiny_result()["rows"]
    assert len(rows) == 2 * (3 + 2)  # plain has two variants
    for row in rows:
        assert row.keys() >= PROMISED
        if row["trained"]:
            assert row.keys() >= {"step_over_plain", "step_ms", "peak_mb"}
            assert row["peak_mb"] > 1.0
    plain = [row for row in rows if row["name"] == "plain"]
    assert all(row["step_over_plain"] == 1.0 and row["auprc_gain"] == 0.0 for row in plain)
    two_passes = next(row for row in rows if row["name"] == "augerino")
    assert two_passes["step_over_plain"] > 1.2


def test_guaranteed_methods_say_how_tight_they_are_and_never_leave_their_bound() -> None:
    bounded = [row for row in tiny_result()["rows"] if "tightness" in row]
    assert {row["name"] for row in bounded} == {"soft_head", "output_space"}
    assert all(row["violations"] == 0 and 0.0 < row["tightness"] <= 1.0 for row in bounded)


def test_loss_is_known_along_the_training_and_correlations_are_stated() -> None:
    result = tiny_result()
    assert {curve["method"] for curve in result["curves"]} == {"plain", "soft_head"}
    steps = [point["steps"] for point in result["curves"][0]["points"]]
    assert steps == sorted(set(steps))
    assert steps[-1] == BUDGET.steps
    assert set(result["correlation"]) == {"symmetric", "asymmetric"}


def test_table_shows_every_row_in_its_version() -> None:
    text = format_methods(tiny_result())
    for title in VERSION_TITLES.values():
        assert f"### {title}" in text
    for row in tiny_result()["rows"]:
        assert f"| {row['title']} | {row['auprc']:.3f} [" in text
    json.dumps(tiny_result())


@pytest.mark.slow
def test_interrupted_run_goes_on_and_gives_the_same_scores(tmp_path: Path) -> None:
    whole = tiny_result()
    first: list[str] = []

    def interrupting(line: str) -> None:
        first.append(line)
        if len(first) == 2:
            raise KeyboardInterrupt

    with pytest.raises(KeyboardInterrupt):
        run_method_benchmark(SETTINGS, report=interrupting, cache=tmp_path)
    second: list[str] = []
    resumed = run_method_benchmark(SETTINGS, report=second.append, cache=tmp_path)
    assert len([line for line in second if "AUPRC" in line]) == 2 * 2 * 3 - 2
    assert [r["auprc_per_seed"] for r in resumed["rows"]] == [
        r["auprc_per_seed"] for r in whole["rows"]
    ]


@pytest.mark.slow
def test_other_settings_do_not_meet_old_trainings(tmp_path: Path) -> None:
    few = SETTINGS.model_copy(update={"seeds": 1, "methods": ("augerino",)})
    run_method_benchmark(few, cache=tmp_path)
    longer = few.model_copy(update={"budget": BUDGET.model_copy(update={"steps": 5})})
    lines: list[str] = []
    run_method_benchmark(longer, report=lines.append, cache=tmp_path)
    assert len([line for line in lines if "AUPRC" in line]) == 4  # plain is always there


def test_unknown_method_is_refused_by_name() -> None:
    with pytest.raises(ConfigError, match="no method 'remule'") as refused:
        chosen(("remule",))
    assert refused.value.code == "MS-340"


def test_names_are_unique_and_the_table_keeps_its_order() -> None:
    names = [method.name for method in METHODS]
    assert len(set(names)) == len(names)
    assert [m.name for m in chosen(("ace", "strict"))] == ["plain", "strict", "ace"]
    assert chosen(()) == METHODS


def test_kept_table_has_every_method_and_is_that_of_the_kept_numbers() -> None:
    kept = json.loads((KEPT / "results.json").read_text(encoding="utf-8"))
    assert {row["name"] for row in kept["rows"]} == ISSUE_NAMES
    text = (KEPT / "results.md").read_text(encoding="utf-8")
    for name in ("results.json", "results_longer.json", "results_fresh.json"):
        assert format_methods(json.loads((KEPT / name).read_text(encoding="utf-8"))) in text
    for fact in ("processor", "torch", "date"):
        assert kept["machine"][fact] in text


def test_kept_numbers_were_measured_with_the_default_settings() -> None:
    kept = json.loads((KEPT / "results.json").read_text(encoding="utf-8"))
    assert MethodBenchmarkSettings.model_validate(kept["settings"]) == MethodBenchmarkSettings()


@pytest.mark.parametrize("name", ["results.json", "results_longer.json", "results_fresh.json"])
def test_kept_guarantees_are_tight_and_were_never_violated(name: str) -> None:
    kept = json.loads((KEPT / name).read_text(encoding="utf-8"))
    bounded = [row for row in kept["rows"] if "tightness" in row]
    assert all(row["violations"] == 0 for row in bounded)
    tight = {
        row["name"]: row["tightness"]
        for row in bounded
        if row["version"] == "asymmetric" and row["name"] != "soft_head"
    }
    assert tight.keys() == {"output_space", "soft_head_side"}
    assert all(value >= 0.3 for value in tight.values())
