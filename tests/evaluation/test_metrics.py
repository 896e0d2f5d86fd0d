"""Laws of the voxel scores: what perfection, chance, ties and a change of scale must give."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from medsym.evaluation.metrics import auprc, best_dice, dice, icc, mean_known, structure_dice
from medsym.evaluation.precision_recall import average_precision
from medsym.models.structures import STRUCTURES, mirror_permutation


def noisy(number: int = 4000, *, share: float = 0.05) -> tuple[np.ndarray, np.ndarray]:
    random = np.random.default_rng(0)
    truth = random.random(number) < share
    return random.normal(size=number) + 1.5 * truth, truth


def test_auprc_of_chance_is_the_prevalence_and_of_perfection_one() -> None:
    truth = np.arange(1000) % 10 == 0
    assert auprc(np.zeros(1000), truth) == pytest.approx(0.1)
    assert auprc(truth.astype(float), truth) == 1.0
    assert np.isnan(auprc(np.zeros(5), np.zeros(5, dtype=bool)))


def test_auprc_does_not_change_under_a_monotone_change_of_scale() -> None:
    scores, truth = noisy()
    for changed in (np.exp(scores), 3.0 * scores - 7.0, np.arctan(scores)):
        assert auprc(changed, truth) == pytest.approx(auprc(scores, truth), abs=1e-12)
    assert auprc(-scores, truth) < auprc(scores, truth)


def test_scores_are_those_of_the_mirrored_scan_and_swapping_the_truth_costs() -> None:
    random = np.random.default_rng(1)
    truth = np.zeros((20, 12, 10), dtype=bool)
    truth[3:6, 4:8, 3:7] = True  # on the left
    scores = random.normal(size=truth.shape) + 3.0 * truth
    assert auprc(scores[::-1], truth[::-1]) == auprc(scores, truth)
    assert best_dice(scores[::-1], truth[::-1]) == best_dice(scores, truth)
    assert auprc(scores, truth[::-1]) < 0.1 < auprc(scores, truth)
    assert best_dice(scores, truth[::-1])[1] < best_dice(scores, truth)[1] / 2


def test_dice_of_half_overlap() -> None:
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert dice(first, second) == 0.5
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1.0


@pytest.mark.parametrize("decimals", [8, 0])
def test_best_dice_is_the_best_over_every_threshold_with_and_without_ties(decimals: int) -> None:
    scores, truth = noisy(300, share=0.2)
    scores = scores.round(decimals)
    threshold, value = best_dice(scores, truth)
    assert value == pytest.approx(dice(scores >= threshold, truth))
    assert value == pytest.approx(max(dice(scores >= s, truth) for s in scores))
    assert all(np.isnan(v) for v in best_dice(scores, np.zeros(300, bool)))


@pytest.mark.parametrize("decimals", [8, 1, 0])
def test_area_is_that_of_scikit_learn_on_any_device_with_and_without_ties(decimals: int) -> None:
    scores, truth = noisy()
    scores = scores.round(decimals)
    expected = average_precision_score(truth, scores)
    assert auprc(scores, truth) == expected
    found = average_precision(torch.from_numpy(scores), torch.from_numpy(truth))
    assert found == pytest.approx(expected, abs=1e-12)
    assert np.isnan(average_precision(torch.zeros(3), torch.zeros(3, dtype=torch.bool)))


def test_icc_is_one_for_equal_maps_and_lower_for_a_shift_or_noise() -> None:
    first = np.random.default_rng(2).normal(size=500)
    assert icc(first, first) == pytest.approx(1.0)
    assert icc(first, first + 1.0) < 0.8  # absolute agreement: a constant shift counts
    assert abs(icc(first, np.random.default_rng(3).normal(size=500))) < 0.15
    assert np.isnan(icc(np.zeros(5), np.zeros(5)))


def test_icc_of_a_worked_example() -> None:
    # Cells 1 2 / 3 4 / 5 9 with means 1.5, 3.5, 7 and 3, 5: sums of squares 31, 6 and 3.
    first, second = np.array([1.0, 3.0, 5.0]), np.array([2.0, 4.0, 9.0])
    rows, columns, error = 31.0 / 2, 6.0, 3.0 / 2
    expected = (rows - error) / (rows + error + 2.0 * (columns - error) / 3.0)
    assert icc(first, second) == pytest.approx(expected)


def test_structure_dice_knows_its_sides() -> None:
    truth = np.zeros((8, 4, 4), dtype=np.int64)
    left = next(s for s in STRUCTURES if s.side == "left")
    truth[1:3], truth[5:7] = left.index, left.mirror
    found = structure_dice(truth, truth)
    assert found[left.index - 1] == found[left.mirror - 1] == 1.0
    assert np.isnan(found).sum() == len(STRUCTURES) - 3
    unknown = np.where(np.arange(8)[:, None, None] < 4, truth, -1)
    assert structure_dice(truth, unknown)[left.index - 1] == 1.0
    assert np.isnan(structure_dice(truth, unknown)[left.mirror - 1])
    swapped = np.asarray(mirror_permutation())[truth]
    assert structure_dice(swapped, truth)[left.index - 1] == 0.0


def test_mean_passes_over_what_is_undefined() -> None:
    assert mean_known(np.array([1.0, np.nan, 2.0])) == 1.5
    assert np.isnan(mean_known(np.array([np.nan])))
