"""Statistics under weights against scikit-learn and counting, and the coverage of intervals."""

import numpy as np
import pytest
import torch
from sklearn.metrics import roc_auc_score

from medsym.evaluation.bootstrap import estimate, estimate_weights
from medsym.evaluation.columns import proportion
from medsym.evaluation.statistics import (
    auroc,
    froc_sensitivity,
    lesion_f1,
    ratio,
    sensitivity_at,
    weighted_mean,
)


def numbers(*values: float) -> torch.Tensor:
    return torch.tensor(values, dtype=torch.float64)


ONE = torch.ones(1, 4).double()


def test_auroc_is_that_of_scikit_learn_also_with_ties_and_weights() -> None:
    random = np.random.default_rng(0)
    diseased, healthy = random.normal(1.0, 1.0, 30).round(1), random.normal(size=40).round(1)
    weights, healthy_weights = random.integers(0, 4, (2, 30)), random.integers(0, 4, (2, 40))
    found = auroc(
        torch.tensor(diseased),
        torch.tensor(healthy),
        weights=torch.tensor(weights).double(),
        healthy_weights=torch.tensor(healthy_weights).double(),
    )
    for row in range(2):
        expected = roc_auc_score(
            [1] * 30 + [0] * 40,
            np.concatenate([diseased, healthy]),
            sample_weight=np.concatenate([weights[row], healthy_weights[row]]),
        )
        assert float(found[row]) == pytest.approx(expected)


def test_sensitivity_keeps_its_specificity_on_the_healthy() -> None:
    healthy = torch.arange(20.0).double()  # 0 .. 19
    diseased = numbers(18.5, 17.5, 3.0, 25.0)
    both = {"weights": ONE, "healthy_weights": torch.ones(1, 20).double()}
    at = {
        s: float(sensitivity_at(diseased, healthy, specificity=s, **both)) for s in (1.0, 0.95, 0.9)
    }
    assert at == {1.0: 0.25, 0.95: 0.5, 0.9: 0.75}  # thresholds 19, 18 and 17


def test_free_response_takes_the_best_level_that_is_allowed() -> None:
    found = numbers(0, 1, 2, 2).view(1, 4)
    false = numbers(0, 1, 3, 9).view(1, 4)
    lesions, one = numbers(2), torch.ones(1, 1).double()
    at = {
        k: float(froc_sensitivity(found, lesions, false, per_scan=k, weights=one))
        for k in (0.5, 1.0, 2.0, 4.0, 8.0)
    }
    assert at == {0.5: 0.0, 1.0: 0.5, 2.0: 0.5, 4.0: 1.0, 8.0: 1.0}


def test_false_positives_of_healthy_scans_count_per_scan() -> None:
    found, false = numbers(1, 0).view(2, 1), numbers(0, 2).view(2, 1)
    lesions, both = numbers(1, 0), torch.ones(1, 2).double()
    assert float(froc_sensitivity(found, lesions, false, per_scan=0.5, weights=both)) == 0.0
    assert float(froc_sensitivity(found, lesions, false, per_scan=1.0, weights=both)) == 1.0


def test_lesion_f1_of_a_worked_example() -> None:
    # Three of four lesions found, one false positive: 2 * 3 / (2 * 3 + 1 + 1).
    value = lesion_f1(numbers(2, 1), numbers(2, 2), numbers(0, 1), torch.ones(1, 2).double())
    assert float(value) == pytest.approx(6 / 8)


def test_undefined_subjects_are_left_out_of_a_mean() -> None:
    values = numbers(1.0, float("nan"), 3.0, 2.0)
    assert float(weighted_mean(values, ONE)) == pytest.approx(2.0)
    assert float(ratio(numbers(1, 0, 0, 1), numbers(2, 2, 2, 2), ONE)) == pytest.approx(0.25)
    assert torch.isnan(weighted_mean(values, torch.tensor([[0.0, 1.0, 0.0, 0.0]]).double()))


def test_interval_covers_the_mean_as_often_as_it_says() -> None:
    random = np.random.default_rng(1)
    weights = estimate_weights(40, seed=0, resamples=400)
    covered = 0
    for _ in range(400):
        sample = torch.tensor(random.exponential(1.0, 40))
        found = estimate(weighted_mean(sample, weights))
        assert found.low <= found.value <= found.high
        covered += found.low <= 1.0 <= found.high
    assert 0.88 <= covered / 400 <= 0.97  # skewed, 40 subjects: somewhat below 95 %


def test_paired_difference_has_a_narrower_interval_than_unpaired() -> None:
    random = np.random.default_rng(2)
    subject = random.normal(size=50)
    first = torch.tensor(subject + 0.3 + 0.05 * random.normal(size=50))
    second = torch.tensor(subject + 0.05 * random.normal(size=50))
    weights, others = (estimate_weights(50, seed=s) for s in (1, 2))
    paired = estimate(weighted_mean(first, weights) - weighted_mean(second, weights))
    unpaired = estimate(weighted_mean(first, weights) - weighted_mean(second, others))
    assert paired.low > 0.25
    assert paired.high - paired.low < (unpaired.high - unpaired.low) / 5


def test_exact_interval_of_a_share() -> None:
    found = proportion(0, 13)
    assert (found["value"], found["low"]) == (0.0, 0.0)
    assert found["high"] == pytest.approx(1.0 - 0.025 ** (1 / 13))  # Clopper and Pearson
    assert proportion(0, 0)["value"] is None
