"""The benchmark of pre-training runs, goes on where it stopped, and finds what is really there."""

from pathlib import Path
from typing import Any

import pytest
import torch
from pydantic import ValidationError

from medsym.benchmarks.pretraining import benchmark
from medsym.benchmarks.pretraining.benchmark import run_pretraining_benchmark
from medsym.benchmarks.pretraining.separability import QUESTIONS, ask
from medsym.benchmarks.pretraining.settings import STARTS, PretrainBenchSettings
from medsym.benchmarks.pretraining.subjects import (
    PoolImages,
    Population,
    Subject,
    draw_population,
    order_of,
)
from medsym.benchmarks.pretraining.summary import summarise
from medsym.benchmarks.pretraining.table import format_pretraining
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.training.pretraining.pooled import PARTS

MODEL = {"spacing_mm": 8.0, "pairs": [2, 4], "window": [0, 1], "decoder_pairs": 2, "head_pairs": 2}


def settings(**changes: Any) -> PretrainBenchSettings:
    return PretrainBenchSettings.model_validate(
        {
            "seeds": 2,
            "subjects": 6,
            "labelled": [2, 6],
            "test_subjects": 4,
            "probe_subjects": 6,
            "mixed_precision": False,
            "resamples": 50,
            "model": MODEL,
            "pretrain": {"steps": 2, "warmup": 0},
            "training": {"steps": 3, "warmup": 0, "average": 0.5},
            **changes,
        }
    )


def lopsided(number: int, *, side: str, seed: int) -> list[Subject]:
    """Heads with a bright lesion on one side; everybody's left is a little brighter."""
    generator = torch.Generator().manual_seed(seed)
    found = []
    for index in range(number):
        healthy = 0.3 + 0.1 * torch.rand(16, 16, 16, generator=generator)
        healthy[:8] += 0.1
        where = ("left", "right")[index % 2] if side == "either" else side
        lesion = torch.zeros(16, 16, 16, dtype=torch.bool)
        lesion[slice(2, 6) if where == "left" else slice(10, 14), 4:12, 4:12] = True
        structures = torch.ones(16, 16, 16, dtype=torch.uint8)
        structures[:, :8] = 3
        found.append(
            Subject(
                image=(healthy + 0.6 * lesion).half(),
                healthy=healthy.half(),
                structures=structures,
                lesion=lesion,
                brain=torch.ones(16, 16, 16, dtype=torch.bool),
                anatomy=f"head-{index % 3}",
                side=where,
            )
        )
    return found


def network() -> AsymmetryNet:
    torch.manual_seed(0)
    return AsymmetryNet(settings().model).eval()


def test_side_questions_are_answered_by_the_antisymmetric_part_alone() -> None:
    population = Population(
        pool=lopsided(24, side="either", seed=0),
        known=lopsided(9, side="either", seed=1),
        unseen=lopsided(12, side="either", seed=2),
    )
    found = ask(network(), population, probe_subjects=24)
    assert set(found) == {(question, part) for question in QUESTIONS for part in PARTS}
    for question in ("mirrored", "lesion side"):
        assert found[question, "symmetric"].accuracy == 0.5, question
        assert found[question, "antisymmetric"].accuracy > 0.9, question
    assert found["lesion", "symmetric"].accuracy > 0.9
    assert found["structure", "symmetric"].accuracy > found["structure", "symmetric"].chance
    assert found["head", "symmetric"].chance == pytest.approx(1 / 3)


def test_lesions_always_on_one_side_are_told_by_their_side() -> None:
    """Left and right exchanged in the answers would score 0 instead of 1."""
    population = Population(
        pool=lopsided(24, side="left", seed=0),
        known=lopsided(3, side="left", seed=1),
        unseen=lopsided(12, side="right", seed=2),
    )
    found = ask(network(), population, probe_subjects=24)
    assert found["lesion side", "antisymmetric"].accuracy > 0.9


def test_a_question_with_one_answer_is_not_asked() -> None:
    population = Population(
        pool=lopsided(3, side="left", seed=0)[:1] * 6,
        known=lopsided(3, side="left", seed=1),
        unseen=lopsided(4, side="right", seed=2),
    )
    assert not any(
        question == "head" for question, _ in ask(network(), population, probe_subjects=6)
    )


def trained(start: str, *, seed: int, hits: bool, labelled: int = 8) -> dict[str, Any]:
    """A training that finds every lesion voxel first, or none before the others."""
    histogram = [[0, 90], [10, 0]] if hits else [[90, 0], [0, 10]]
    per_subject = {"dice": [0.5 + 0.25 * hits] * 5, "histogram": [histogram] * 5}
    return {
        "start": start,
        "labelled": labelled,
        "seed": seed,
        "steps": 3,
        "cpu_seconds": 1.0,
        "prevalence": 0.1,
        "auprc": 1.0 if hits else 0.1,
        "dice": 0.5 + 0.25 * hits,
        "per_subject": per_subject,
    }


def test_differences_are_paired_and_signed() -> None:
    rows = [trained(s, seed=k, hits=s == "split") for s in STARTS for k in range(2)]
    effect = {row["start"]: row for row in summarise(rows, [], resamples=20)["effect"]}
    assert effect["split"]["auprc_over_random"] == pytest.approx(0.9)
    assert effect["split"]["dice_over_longer"] == pytest.approx(0.25)
    assert effect["random"]["auprc_over_random_interval"] == (0.0, 0.0)
    low, high = effect["split"]["auprc_over_random_interval"]
    assert 0.8 < low <= high < 1.0
    assert effect["whole"]["auprc_over_longer"] == 0.0


def test_every_pass_over_the_pool_meets_everybody_in_an_order_of_its_own() -> None:
    orders = [[order_of(1, subjects=9, step=9 * k + i) for i in range(9)] for k in range(2)]
    assert all(sorted(order) == list(range(9)) for order in orders)
    assert orders[0] != orders[1]
    pool = lopsided(3, side="left", seed=0)
    images = PoolImages(pool, seed=1)
    assert torch.equal(images[0], pool[order_of(1, subjects=3, step=0)].image.float())


def test_settings_refuse_more_labels_than_subjects() -> None:
    with pytest.raises(ValidationError, match="parts of subjects"):
        settings(labelled=[7])


@pytest.mark.slow
def test_benchmark_runs_goes_on_and_prints(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    lines: list[str] = []
    first = run_pretraining_benchmark(settings(), out=tmp_path, report=lines.append)
    assert sum(line.startswith("trained-") for line in lines) == 2 * 2 * len(STARTS)
    with monkeypatch.context() as patched:
        patched.setattr(benchmark, "score_start", None)
        patched.setattr(benchmark, "pretrain_on", None)
        again = run_pretraining_benchmark(settings(), out=tmp_path)
    assert again["effect"] == first["effect"]
    assert {row["steps"] for row in first["effect"] if row["start"] == "longer"} == {5}
    table = format_pretraining(first)
    assert all(title in table for title in STARTS.values())
    assert "trained with 2 labelled subjects" in table
    assert QUESTIONS["mirrored"] in table
    assert QUESTIONS["head"] not in table  # one template is one head
    drawn = draw_population(settings(), out=tmp_path, report=lines.append)
    fresh = draw_population(settings(), out=None, report=lines.append)
    assert torch.equal(drawn.unseen[1].image, fresh.unseen[1].image)
    assert drawn.pool[0].side == fresh.pool[0].side
