"""Scores of the method comparison against brute force, with predictors whose scores are known."""

import pytest
import torch
from sklearn.metrics import average_precision_score
from torch import Tensor

from medsym.benchmarks.methods.bootstrap import correlation, interval, resample_scores
from medsym.benchmarks.methods.data import draw_subjects
from medsym.benchmarks.methods.precision_recall import (
    BINS,
    area_from_counts,
    average_precision,
    best_dice_threshold,
    counts_between,
    score_levels,
)
from medsym.benchmarks.methods.scores import Scores, score
from medsym.benchmarks.methods.subjects import Subjects
from medsym.benchmarks.methods.training import Population
from medsym.symmetry.mirror import flip


def noisy_scores(number: int = 4000, share: float = 0.02) -> tuple[Tensor, Tensor]:
    generator = torch.Generator().manual_seed(0)
    truth = torch.rand(number, generator=generator) < share
    return torch.randn(number, generator=generator) + 1.5 * truth, truth


def population() -> Population:
    train, test = (draw_subjects(12, version="asymmetric", seed=s) for s in (7, 8))
    return Population(version="asymmetric", train=train, test=test)


def scored(mark: str, where: Population, *, mirrored: bool = False) -> Scores:
    """Scores of a predictor that marks what it is told to and knows every subject by heart."""
    groups: list[Subjects] = [where.train, where.test]

    def predict(image: Tensor) -> Tensor:
        marks = []
        for one in image:
            for group in groups:
                for k in range(len(group)):
                    for turned in (False, True):
                        known = group.image[k].flip(1) if turned else group.image[k]
                        if torch.equal(known, one):
                            found = getattr(group, mark)[k]
                            marks.append(found.flip(1) if turned != mirrored else found)
        return 4.0 * torch.stack(marks) - 2.0

    return score(predict, where, specificity=0.99, threshold_subjects=12)


@pytest.mark.parametrize("decimals", [5, 1, 0])
def test_area_equals_that_of_scikit_learn_with_and_without_ties(decimals: int) -> None:
    scores, truth = noisy_scores()
    rounded = scores.round(decimals=decimals)
    expected = average_precision_score(truth.numpy(), rounded.numpy())
    assert average_precision(rounded, truth) == pytest.approx(expected, abs=1e-9)


def test_area_without_anything_true_is_not_a_number() -> None:
    assert average_precision(torch.rand(5), torch.zeros(5, dtype=torch.bool)) != 0.0


def test_area_from_counts_is_close_to_the_exact_one() -> None:
    scores, truth = noisy_scores(40_000)
    counts = counts_between(scores, truth, score_levels(scores))
    assert counts.shape == (2, BINS)
    assert int(counts.sum()) == len(scores)
    assert float(area_from_counts(counts)) == pytest.approx(
        average_precision(scores, truth), abs=0.01
    )


def test_dice_threshold_is_the_best_of_all() -> None:
    scores, truth = noisy_scores(500, 0.1)

    def dice(threshold: float) -> float:
        called = scores >= threshold
        return float(2 * (called & truth).sum() / (called.sum() + truth.sum()))

    assert dice(best_dice_threshold(scores, truth)) == max(dice(float(s)) for s in scores)


def test_perfect_prediction_scores_one_and_is_equivariant() -> None:
    scores = scored("lesion", population())
    assert scores["auprc"] == pytest.approx(1.0)
    assert scores["dice"] == pytest.approx(1.0)
    assert scores["defect"] == 0.0
    assert scores["alarms_torque"] == scores["alarms_brain"] == 0.0


def test_sides_swapped_is_noticed_by_every_score() -> None:
    scores = scored("lesion", population(), mirrored=True)
    assert scores["auprc"] < 0.1
    assert scores["dice"] < 0.1


def test_marking_the_normal_structures_is_a_false_alarm_in_the_torque_region() -> None:
    where = population()
    marked = scored("torque_region", where)
    swapped = scored("torque_region", where, mirrored=True)
    assert marked["alarms_torque"] >= swapped["alarms_torque"]
    assert swapped["alarms_torque"] == 0.0


def test_false_alarms_are_counted_in_healthy_subjects_alone() -> None:
    where = population()
    counts = scored("lesion", where)["per_subject"]
    for k, voxels in enumerate(counts["brain_voxels"]):
        assert (voxels == 0) == (counts["lesion"][k] > 0)


def test_violations_of_a_bound_are_counted() -> None:
    where = population()

    def lopsided(image: Tensor) -> Tensor:  # adds one on the left, so the defect is 1 in size
        side = torch.zeros_like(image)
        side[:, :, :10] = 1.0
        return image + side

    def known(size: float) -> Scores:
        def guarantee(image: Tensor) -> tuple[Tensor, Tensor]:
            defect = lopsided(flip(image)) - flip(lopsided(image))
            return defect, torch.full_like(defect, size)

        return score(lopsided, where, specificity=0.99, threshold_subjects=12, guarantee=guarantee)

    wide, narrow = known(2.0), known(0.5)
    assert wide["violations"] == 0
    assert wide["tightness"] == pytest.approx(0.5, rel=1e-4)
    assert wide["one_pass_error"] == pytest.approx(0.0, abs=1e-5)
    assert narrow["violations"] == narrow["voxels"]


def test_resamples_pair_methods_and_contain_the_score() -> None:
    scores = scored("lesion", population())["per_subject"]
    draws = [resample_scores([scores, scores], resamples=50) for _ in range(2)]
    assert torch.equal(draws[0]["auprc"], draws[1]["auprc"])
    low, high = interval(draws[0]["dice"])
    assert low == high == pytest.approx(1.0)
    assert interval(torch.linspace(0.0, 1.0, 1001)) == pytest.approx((0.025, 0.975))


def test_rank_correlation() -> None:
    assert correlation([1.0, 2.0, 5.0], [9.0, 4.0, 1.0]) == pytest.approx(-1.0)
    assert correlation([0.0, 0.0, 1.0, 1.0], [1.0, 1.0, 3.0, 3.0]) == pytest.approx(1.0)
