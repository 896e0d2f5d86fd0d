"""The linear score: mirror laws by construction, exact explanation, calibration."""

import math
from dataclasses import replace

import numpy as np
import pytest
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.frozen import FrozenEstimator

from medsym.scores.linear import LinearScore, Samples, fit_linear, platt, probabilities

PERSONS = 60


def samples_of(*, is_odd: bool, seed: int = 0, effect: float = 1.0) -> Samples:
    """Three features, the first with an effect; odd ones have it on either side."""
    rng = np.random.default_rng(seed)
    answers = np.tile([0.0, 1.0], PERSONS // 2)
    values = rng.standard_normal((PERSONS, 3))
    values[:, 0] += effect * (2 * answers - 1)
    return Samples(
        values=values,
        nuisance=rng.standard_normal((PERSONS, 1)),
        answers=answers,
        persons=np.array([f"p{number:02d}" for number in range(PERSONS)]),
        is_odd=is_odd,
    )


@pytest.fixture(scope="module")
def side() -> LinearScore:
    return fit_linear(samples_of(is_odd=True))


def test_side_has_no_base_and_changes_sign_exactly(side: LinearScore) -> None:
    rng = np.random.default_rng(1)
    values, nuisance = rng.standard_normal((50, 3)), rng.standard_normal((50, 1))
    logits = side.logits(values, nuisance)
    assert side.base == 0.0
    assert np.array_equal(side.logits(-values, nuisance), -logits)
    assert (logits != 0).all()


def test_side_of_nothing_is_exactly_one_half(side: LinearScore) -> None:
    logits = side.logits(np.zeros((1, 3)), np.full((1, 1), 3.0))
    assert probabilities(logits)[0] == 0.5


def test_side_does_not_depend_on_nuisance(side: LinearScore) -> None:
    values = np.random.default_rng(2).standard_normal((5, 3))
    assert np.array_equal(
        side.logits(values, np.zeros((5, 1))), side.logits(values, np.full((5, 1), 9.0))
    )


def test_more_on_the_left_is_more_probably_left(side: LinearScore) -> None:
    logits = side.logits(np.array([[1.0, 0.0, 0.0]]), np.zeros((1, 1)))
    assert probabilities(logits)[0] > 0.6


def test_mirroring_some_persons_with_their_answers_changes_no_side_score(
    side: LinearScore,
) -> None:
    samples = samples_of(is_odd=True)
    turned = np.arange(PERSONS) % 3 == 0
    other = replace(
        samples,
        values=np.where(turned[:, None], -samples.values, samples.values),
        answers=np.where(turned, 1.0 - samples.answers, samples.answers),
    )
    again = fit_linear(other)
    assert again.penalty == side.penalty
    np.testing.assert_allclose(again.coefficients, side.coefficients, rtol=1e-7)


@pytest.mark.parametrize("is_odd", [False, True])
def test_contributions_sum_to_the_logit_exactly(is_odd: bool) -> None:
    samples = samples_of(is_odd=is_odd)
    score = fit_linear(samples)
    parts = score.contributions(samples.values, samples.nuisance)
    logits = score.logits(samples.values, samples.nuisance)
    assert all(
        math.fsum([*row, score.base]) == logit
        for row, logit in zip(parts.tolist(), logits.tolist(), strict=True)
    )


def test_a_case_alone_has_the_score_that_it_has_among_others() -> None:
    samples = samples_of(is_odd=False)
    score = fit_linear(samples)
    together = score.logits(samples.values, samples.nuisance)
    alone = [
        score.logits(samples.values[i, None], samples.nuisance[i, None])[0] for i in range(PERSONS)
    ]
    assert np.array_equal(together, np.array(alone))


def test_missing_features_and_constant_ones_contribute_nothing() -> None:
    samples = samples_of(is_odd=False)
    samples.values[:, 2] = 7.0
    samples.values[:5, 1] = np.nan
    score = fit_linear(samples)
    parts = score.contributions(np.array([[1.0, np.nan, 1e6]]), np.zeros((1, 1)))[0]
    assert parts[0] != 0.0
    assert (parts[1:] == 0.0).all()


def test_calibration_is_that_of_scikit_learn() -> None:
    class Known(ClassifierMixin, BaseEstimator):
        def fit(self, x: np.ndarray, y: np.ndarray) -> "Known":
            self.classes_ = np.unique(y)
            self.is_fitted_ = x is not None
            return self

        def decision_function(self, x: np.ndarray) -> np.ndarray:
            return x[:, 0]

        def predict(self, x: np.ndarray) -> np.ndarray:
            return (x[:, 0] > 0).astype(float)

    samples = samples_of(is_odd=False)
    logits, answers = samples.values[:, 0], samples.answers
    slope, offset = platt(logits, answers, weights=np.ones(PERSONS), with_offset=True)
    frozen = FrozenEstimator(Known().fit(logits[:, None], answers))
    theirs = CalibratedClassifierCV(frozen, method="sigmoid").fit(logits[:, None], answers)
    np.testing.assert_allclose(
        probabilities(slope * logits + offset),
        theirs.predict_proba(logits[:, None])[:, 1],
        atol=1e-5,
    )


@pytest.mark.parametrize("with_offset", [False, True])
def test_a_score_worse_than_nothing_becomes_the_base_rate(with_offset: bool) -> None:
    answers = np.repeat([0.0, 1.0], [30, 10])
    wrong = np.where(answers > 0, -1.0, 1.0) + np.linspace(-1.5, 1.5, 40)
    slope, offset = platt(wrong, answers, weights=np.ones(40), with_offset=with_offset)
    assert slope == 0.0
    expected = 0.25 if with_offset else 0.5
    assert abs(float(probabilities(offset)) - expected) < 0.03


def test_separable_answers_give_no_certainty() -> None:
    answers = np.repeat([0.0, 1.0], 20)
    slope, _ = platt(2 * answers - 1, answers, weights=np.ones(40), with_offset=False)
    assert 0.9 < float(probabilities(slope)) < 0.99
