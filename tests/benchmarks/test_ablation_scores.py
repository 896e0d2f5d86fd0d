"""Scores, differences and tables of the ablation, on results that are known beforehand."""

import json
import math
from typing import Any

import pytest
import torch
from torch import Tensor, nn

from medsym.benchmarks.ablation.scores import score
from medsym.benchmarks.ablation.settings import ARMS, AblationSettings
from medsym.benchmarks.ablation.shared_subjects import different_subjects, without_subjects
from medsym.benchmarks.ablation.summary import contrasts, summarise
from medsym.benchmarks.ablation.table import format_ablation
from medsym.models.asymmetry_net import NetworkOutput
from medsym.models.structures import STRUCTURES
from medsym.nn import HeadOutput
from medsym.strict_json import finite
from tests.benchmarks.ablation_problem import made_subject

SETTINGS = AblationSettings(resamples=200, size_ml=(1.0, 2.0))
SICK, LESION_VOXELS = 5, 12
SUBJECTS = [made_subject(seed=seed, sick=seed < SICK) for seed in range(SICK + 1)]


class Oracle(nn.Module):
    """Says what it was told, whatever it sees; with ``lean`` it prefers high x, the right side."""

    def __init__(self, logits: list[Tensor], *, lean: float = 0.0) -> None:
        super().__init__()
        self.logits, self.lean, self.turn = logits, lean, 0

    def forward(self, image: Tensor) -> NetworkOutput:
        place = next(
            k for k, s in enumerate(SUBJECTS) if torch.equal(s.image, image) or _twin(s, image)
        )
        value = self.logits[place]
        value = value.flip(2) if _twin(SUBJECTS[place], image) else value
        ramp = torch.linspace(-1.0, 1.0, image.shape[2])[:, None, None]
        structures = nn.functional.one_hot(SUBJECTS[place].structures[:, 0], len(STRUCTURES))
        zero = torch.zeros_like(value)
        return NetworkOutput(
            anatomy_logits=structures.movedim(-1, 1).float(),
            pathology=HeadOutput(even=value + self.lean * ramp, odd=zero, tolerance=zero),
        )


def _twin(subject: Any, image: Tensor) -> bool:
    return torch.equal(subject.image.flip(2), image)


def scored(network: nn.Module) -> dict[str, Any]:
    return score(network, SUBJECTS, voxel_ml=0.1, mirrored_subjects=2)  # type: ignore[arg-type]


def test_a_network_that_knows_the_truth_scores_one() -> None:
    found = scored(Oracle([s.lesion * 9.0 - 4.0 for s in SUBJECTS]))
    assert found["auprc"] == found["subject_auprc"] == found["dice"] == 1.0
    assert found["defect"] == 0.0
    assert found["healthy_maximum"] == -4.0
    assert found["per_subject"]["volume_ml"] == pytest.approx([*[1.2] * SICK, 0.0])
    assert found["per_subject"]["auprc"][SICK] is None
    voxels = sum(int(s.brain.sum()) for s in SUBJECTS)
    assert found["prevalence"] == pytest.approx(SICK * LESION_VOXELS / voxels)


def test_a_network_that_knows_nothing_scores_the_prevalence() -> None:
    found = scored(Oracle([torch.zeros_like(s.lesion) for s in SUBJECTS]))
    assert found["auprc"] == pytest.approx(found["prevalence"])


def test_a_network_that_prefers_one_side_has_twice_its_preference_as_defect() -> None:
    found = scored(Oracle([torch.zeros_like(s.lesion) for s in SUBJECTS], lean=0.5))
    assert found["defect"] == pytest.approx(1.0)


def test_a_network_that_shows_lesions_on_the_wrong_side_scores_no_more_than_chance() -> None:
    found = scored(Oracle([s.lesion.flip(2) for s in SUBJECTS]))
    assert found["subject_auprc"] <= LESION_VOXELS / float(SUBJECTS[0].brain.sum())


def row(arm: str, seed: int, *, gain: float) -> dict[str, Any]:
    """A finished training whose lesions stand out by ``gain`` more than noise."""
    generator = torch.Generator().manual_seed(seed)
    logits = [torch.randn(s.lesion.shape, generator=generator) + gain * s.lesion for s in SUBJECTS]
    numbers = scored(Oracle(logits))
    costs = {
        "parameters": 10,
        "rate": 0.002,
        "last_loss": 1.0,
        "train_cpu_seconds": 2.0,
        "steps": 5,
    }
    return {"run": f"{arm}/{seed}", "arm": arm, "seed": seed, **costs, **numbers}


def summary_of(gains: dict[str, float], *, seeds: int = 3) -> dict[str, Any]:
    rows = [row(arm, seed, gain=gain) for arm, gain in gains.items() for seed in range(seeds)]
    return summarise(rows, settings=SETTINGS)


def test_a_difference_is_positive_where_its_first_side_is_better() -> None:
    found = summary_of({"strict-exchange": 6.0, "strict-alone": 1.0})
    (difference,) = [d for d in found["differences"] if d["title"] == "exchange, strict"]
    for name in ("auprc", "subject_auprc"):
        low, high = difference[f"{name}_interval"]
        assert 0.0 < low <= difference[name] <= high


def test_equal_networks_differ_by_exactly_nothing() -> None:
    found = summary_of({"free-exchange": 2.0, "free-alone": 2.0})
    (difference,) = [d for d in found["differences"] if d["title"] == "exchange, free"]
    assert difference["auprc"] == difference["auprc_sd"] == 0.0
    assert difference["auprc_interval"] == (0.0, 0.0)


def test_every_contrast_compares_arms_that_exist_and_differ() -> None:
    for contrast in contrasts():
        assert set(contrast.plus) | set(contrast.minus) <= set(ARMS)
        assert not set(contrast.plus) & set(contrast.minus)
    assert len({c.title for c in contrasts()}) == len(contrasts())


def test_differences_that_name_the_exchange_change_nothing_else() -> None:
    for contrast in contrasts():
        if contrast.title.startswith("exchange, "):
            for first, second in zip(contrast.plus, contrast.minus, strict=True):
                assert ARMS[first].exchange
                assert not ARMS[second].exchange
                assert ARMS[first].softness == ARMS[second].softness


def test_means_run_over_the_seeds_and_sizes_over_the_subjects_of_a_size() -> None:
    rows = [row("free-alone", seed, gain=2.0) for seed in range(2)]
    found = summarise(rows, settings=SETTINGS)
    (arm,) = found["arms"]
    assert arm["auprc"] == pytest.approx((rows[0]["auprc"] + rows[1]["auprc"]) / 2)
    assert arm["by_size"]["medium"] == pytest.approx(arm["subject_auprc"])
    assert math.isnan(arm["by_size"]["small"])
    assert found["subjects"] == {"healthy": 1, "small": 0, "medium": SICK, "large": 0}


def redrawn(row: dict[str, Any], number: int) -> dict[str, Any]:
    """The row of a machine that drew one test subject otherwise: another lesion, other voxels."""
    subjects = {name: list(values) for name, values in row["per_subject"].items()}
    subjects["volume_ml"][number] += 0.1
    subjects["auprc"][number] = 0.9
    counts = torch.tensor(subjects["histogram"][number])
    subjects["histogram"][number] = (7 * counts.flip(0)).tolist()
    return {**row, "per_subject": subjects}


def test_subjects_that_a_machine_drew_otherwise_count_nowhere() -> None:
    rows = [row("strict-exchange", 0, gain=3.0), row("strict-alone", 0, gain=1.0)]
    other = [rows[0], redrawn(rows[1], 1)]
    assert different_subjects(rows) == []
    assert different_subjects(other) == different_subjects(other[::-1]) == [1]
    found = summarise(other, settings=SETTINGS)
    assert found["left_out"] == [1]
    fewer = [without_subjects(whole, [1]) for whole in rows]
    assert without_nan(found) == without_nan(summarise(fewer, settings=SETTINGS)) | {
        "left_out": [1]
    }
    assert found["subjects"]["medium"] == SICK - 1


def without_nan(summary: dict[str, Any]) -> dict[str, Any]:
    """Comparable: None where a number is none."""
    return json.loads(json.dumps(finite(summary)))


def test_a_row_without_subjects_is_that_of_a_test_without_them() -> None:
    whole = row("strict-exchange", 0, gain=3.0)
    generator = torch.Generator().manual_seed(0)
    logits = [torch.randn(s.lesion.shape, generator=generator) + 3.0 * s.lesion for s in SUBJECTS]
    fewer = [subject for k, subject in enumerate(SUBJECTS) if k != 1]
    oracle = Oracle(logits)
    expected = score(oracle, fewer, voxel_ml=0.1, mirrored_subjects=2)  # type: ignore[arg-type]
    found = without_subjects(whole, [1])
    for name in ("subject_auprc", "prevalence", "dice", "healthy_maximum"):
        assert found[name] == pytest.approx(expected[name]), name
    assert found["auprc"] == pytest.approx(expected["auprc"], abs=0.01)
    assert found["auprc"] != whole["auprc"]
    assert found["per_subject"]["dice"] == expected["per_subject"]["dice"]


def test_table_says_which_subjects_are_left_out() -> None:
    rows = [row("strict-exchange", 0, gain=3.0), row("strict-alone", 0, gain=1.0)]
    facts = {"steps": 5, "mixed_precision": True, "settings": {"subjects": 3}, "unfinished": []}
    rows[1] = redrawn(redrawn(rows[1], 1), 3)
    text = format_ablation({**facts, "search": [], **summarise(rows, settings=SETTINGS)})
    assert "without test subjects 1, 3, drawn otherwise on another machine" in text


def test_table_shows_every_arm_with_its_numbers_and_what_was_not_finished() -> None:
    summary = summary_of({"strict-exchange": 6.0, "free-alone": 1.0}, seeds=1)
    facts = {"steps": 5, "mixed_precision": True, "settings": {"subjects": 3}}
    result = {**facts, "unfinished": ["head-alone/1"], "search": [], **summary}
    text = format_ablation(result)
    assert "| soft head |" not in text
    assert f"| {summary['arms'][0]['auprc']:.3f} [" in text
    assert "strict with exchange - plain U-Net" in text
    assert "not finished in time: head-alone/1" in text
