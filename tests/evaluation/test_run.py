"""The whole evaluation on small subjects: what it promises, what it keeps, how it goes on."""

import csv
import json
from pathlib import Path
from typing import Any

import pytest
import torch

from medsym.errors import ConfigError
from medsym.evaluation import run, subjects
from medsym.evaluation.columns import Columns
from medsym.evaluation.methods import MIRROR_DIFFERENCE, Candidate
from medsym.evaluation.run import Plan, evaluate_synthetic
from medsym.evaluation.strata import strata
from medsym.evaluation.subjects import changed
from medsym.evaluation.synthetic_table import format_synthetic
from medsym.strict_json import to_json
from medsym.synthesis.dataset import Sources
from tests.evaluation.builders import fake_candidate
from tests.synthesis.heads import PLAIN, head_anatomy

BRIGHT = changed(PLAIN, {"lesions": {"radius_mm": (15.0, 18.0)}})
CPU = torch.device("cpu")
STRICT = fake_candidate(name="strict", softness="none", leak=0.0)
SOFT = fake_candidate(name="soft", leak=0.2, sha="e")
FREE = fake_candidate(name="free", softness="free", leak=3.0, sha="d")


def plan(*, number: int = 4, robustness: int = 1) -> Plan:
    return Plan(
        synthesis=BRIGHT, seed=7, number=number, robustness=robustness, reference_draws=8, alpha=0.2
    )


@pytest.fixture(autouse=True)
def one_head(monkeypatch: pytest.MonkeyPatch) -> None:
    sources = Sources(anatomies=(head_anatomy(),), shapes=())
    monkeypatch.setattr(subjects, "load_sources", lambda _config, **_: sources)


def evaluated(
    candidates: list[Candidate],
    *,
    folder: Path | None = None,
    said: list[str] | None = None,
    asked: Plan | None = None,
) -> dict[str, Any]:
    report = [].append if said is None else said.append
    numbers, _ = evaluate_synthetic(
        asked or plan(), candidates, report=report, device=CPU, folder=folder
    )
    return numbers


@pytest.mark.slow
def test_every_table_has_every_method_and_numbers_that_json_knows(tmp_path: Path) -> None:
    numbers = evaluated([SOFT, FREE, STRICT], folder=tmp_path)
    methods = set(numbers["main"]["methods"])
    assert methods >= {MIRROR_DIFFERENCE, "voxel z", "asymmetry z", "bright", "dark"}
    assert methods >= {"soft deviation", "free one pass", "strict pathology"}
    for section in (numbers["torque"], numbers["pairs"], *numbers["conditions"].values()):
        assert set(section["methods"]) == methods
    assert numbers["rival"] == "free one pass"
    assert numbers["torque"]["reference"] == "strict deviation"
    json.loads(to_json(numbers))
    text = format_synthetic(numbers)
    assert "nan" not in text
    assert all(f"\n{name} " in text for name in methods)
    parity = {name: row["parity_largest"] for name, row in numbers["pairs"]["methods"].items()}
    assert parity["strict pathology"] == parity["strict deviation"] == 0.0
    assert parity[MIRROR_DIFFERENCE] == 0.0
    assert parity["free one pass"] > 0.0


@pytest.mark.slow
def test_killed_evaluation_goes_on_and_gives_the_same_numbers(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole = evaluated([SOFT], folder=tmp_path / "whole", asked=plan(robustness=0))
    rows, made = run.Collector._row, []

    def killed(self: Any, group: Any, index: int) -> Any:
        if len(made) == 7:
            raise KeyboardInterrupt
        made.append(index)
        return rows(self, group, index)

    monkeypatch.setattr(run.Collector, "_row", killed)
    with pytest.raises(KeyboardInterrupt):
        evaluated([SOFT], folder=tmp_path / "cut", asked=plan(robustness=0))
    made.clear()
    monkeypatch.setattr(run.Collector, "_row", lambda *a: made.append(0) or rows(*a))
    resumed = evaluated([SOFT], folder=tmp_path / "cut", asked=plan(robustness=0))
    assert len(made) == 4 + 2 * 4 - 7  # thresholds, lesions and healthy, less what was there
    for found in (whole, resumed):  # the time that a pass took is no result
        for model in found["models"].values():
            del model["seconds"]
    assert to_json(resumed) == to_json(whole)


@pytest.mark.slow
def test_table_of_subjects_holds_one_line_per_subject_and_method(tmp_path: Path) -> None:
    numbers = evaluated([SOFT], folder=tmp_path, asked=plan(number=3, robustness=0))
    with (tmp_path / "subjects.tsv").open(newline="", encoding="utf-8") as file:
        lines = list(csv.DictReader(file, delimiter="\t"))
    assert len(lines) == 2 * 3 * len(numbers["main"]["methods"])
    mean = [float(r["auprc"]) for r in lines if r["method"] == "soft deviation" and r["auprc"]]
    main = numbers["main"]["methods"]["soft deviation"]["auprc"]
    assert main["value"] == pytest.approx(sum(mean) / len(mean))
    assert main["low"] <= main["value"] <= main["high"]


def test_models_of_other_spacings_are_not_mixed() -> None:
    other = fake_candidate(name="fine")
    settings = other.model.network.settings
    other.model.network.settings = type(settings)(softness="head", spacing_mm=2.0)
    with pytest.raises(ConfigError, match=r"MS-384 .*soft 6 mm, fine 2 mm"):
        evaluated([SOFT, other])


def test_promise_that_the_reference_cannot_keep_raises_the_number_of_draws() -> None:
    assert plan().threshold_draws == 4  # half of 8, and 1 / 0.2 - 1
    strict = Plan(synthesis=BRIGHT, seed=0, number=1, robustness=0, reference_draws=8)
    assert strict.threshold_draws == 19


def test_strata_hold_every_subject_once_and_know_left_from_right() -> None:
    facts = [
        {"volume_ml": 0.5, "contrast_sd": 1.4, "midline_mm": 10.0, "left_share": 1.0},
        {"volume_ml": 1.0, "contrast_sd": 1.5, "midline_mm": 20.0, "left_share": 0.0},
        {"volume_ml": 30.0, "contrast_sd": 9.0, "midline_mm": 50.0, "left_share": 0.5},
    ]
    unknown = Columns(({"facts": facts[0] | {"contrast_sd": None}},))
    assert not torch.stack(list(strata(unknown)["contrast"].values())).any()
    found = strata(Columns(tuple({"facts": f} for f in facts)))
    for parts in found.values():
        assert torch.stack(list(parts.values())).sum(dim=0).tolist() == [1, 1, 1]
    assert found["side"]["left"].tolist() == [True, False, False]
    assert found["side"]["right"].tolist() == [False, True, False]
    assert found["size"]["1-5 ml"].tolist() == [False, True, False]
    assert found["contrast"]["subtle, < 1.5 SD"].tolist() == [True, False, False]
