"""Statistics over subjects against their definitions."""

import numpy as np
import pytest
from scipy.stats import spearmanr

from medsym.science.intervals import (
    RESAMPLES,
    mean_over_subjects,
    rank_correlations,
    subject_weights,
    with_interval,
)


def test_first_weights_are_ones_and_every_resample_has_as_many_subjects() -> None:
    weights = subject_weights(7)
    assert weights.shape == (1 + RESAMPLES, 7)
    assert (weights[0] == 1).all()
    assert (weights.sum(axis=1) == 7).all()


def test_rank_correlation_is_spearmans_with_ties() -> None:
    random = np.random.default_rng(1)
    first = random.integers(0, 9, (4, 50)).astype(float)
    second = first + random.normal(size=(4, 50))
    expected = [spearmanr(a, b).statistic for a, b in zip(first, second, strict=True)]
    np.testing.assert_allclose(rank_correlations(first, second), expected, atol=1e-12)


def test_rank_correlation_without_spread_is_undefined() -> None:
    found = rank_correlations(np.zeros((2, 5)), np.arange(10.0).reshape(2, 5))
    assert np.isnan(found).all()
    assert np.isnan(with_interval(found)["low"])


def test_undefined_subjects_are_left_out_of_means_and_intervals() -> None:
    values = np.array([1.0, np.nan, 3.0, 1.0, 3.0, 1.0, 3.0])
    found = with_interval(mean_over_subjects(values, subject_weights(7)))
    assert found["value"] == pytest.approx(2.0)
    assert 1.0 <= found["low"] < 2.0 < found["high"] <= 3.0
