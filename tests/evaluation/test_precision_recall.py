"""The area from counts is the exact one up to a stated error; intervals and ranks."""

import pytest
import torch
from torch import Tensor

from medsym.evaluation.bootstrap import correlation, interval
from medsym.evaluation.metrics import auprc
from medsym.evaluation.precision_recall import (
    BINS,
    area_from_counts,
    area_limits,
    counts_between,
    score_levels,
)


def noisy_scores(number: int = 40_000, share: float = 0.02) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(number, generator=generator) < share
    return torch.randn(number, generator=generator) + 1.5 * truth, truth


def test_area_from_counts_is_close_to_the_exact_one() -> None:
    scores, truth = noisy_scores()
    counts = counts_between(scores, truth, score_levels(scores))
    assert counts.shape == (2, BINS)
    assert int(counts.sum()) == len(scores)
    exact = auprc(scores.numpy(), truth.numpy())
    assert float(area_from_counts(counts)) == pytest.approx(exact, abs=0.01)


@pytest.mark.parametrize("levels", [2, 10, 100])
def test_exact_area_lies_within_the_limits_that_the_counts_leave(levels: int) -> None:
    scores, truth = noisy_scores()
    counts = counts_between(scores, truth, torch.linspace(4.0, -2.0, levels))
    low, high = (float(limit) for limit in area_limits(counts))
    assert low <= auprc(scores.numpy(), truth.numpy()) <= high
    assert low <= float(area_from_counts(counts)) <= high


def test_lowest_and_highest_area_are_those_of_the_worst_and_the_best_order() -> None:
    counts = torch.tensor([[2, 5, 0], [3, 1, 2]])
    truth = torch.tensor([0, 0, 1, 1, 1, 0, 0, 0, 0, 0, 1, 1, 1], dtype=torch.bool)
    worst = auprc(-torch.arange(13.0).numpy(), truth.numpy())
    ordered = torch.tensor([1, 1, 1, 0, 0, 1, 0, 0, 0, 0, 0, 1, 1], dtype=torch.bool)
    ties = torch.tensor([0, 0, 0, 1, 1, 2, 3, 3, 3, 3, 3, 4, 4])
    best = auprc(-ties.numpy(), ordered.numpy())
    low, high = area_limits(counts)
    assert (float(low), float(high)) == pytest.approx((worst, best))


def test_interval_holds_the_middle_95_percent() -> None:
    assert interval(torch.linspace(0.0, 1.0, 1001)) == pytest.approx((0.025, 0.975))


def test_rank_correlation() -> None:
    assert correlation([1.0, 2.0, 5.0], [9.0, 4.0, 1.0]) == pytest.approx(-1.0)
    assert correlation([0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 3.0, 3.0]) == pytest.approx(1.0)
