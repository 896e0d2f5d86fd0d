"""No person is judged by a fit that saw the person, and confounders are told apart."""

from dataclasses import replace

import numpy as np
import pytest
from sklearn.calibration import calibration_curve

from medsym.scores.folds import OUTER_FOLDS, person_folds
from medsym.scores.honesty import area_of, measure, reliability, unseen_logits
from medsym.scores.linear import Samples, scaling_of


def noise(
    *, persons: int = 60, scans: int = 1, features: int = 8, seed: int = 0, is_odd: bool = False
) -> Samples:
    """Features that know nothing of the answers."""
    rng = np.random.default_rng(seed)
    number = persons * scans
    return Samples(
        values=rng.standard_normal((number, features)),
        nuisance=np.zeros((number, 0)),
        answers=np.repeat(rng.permutation(np.tile([0.0, 1.0], persons // 2)), scans),
        persons=np.repeat([f"p{index:03d}" for index in range(persons)], scans),
        is_odd=is_odd,
    )


@pytest.mark.parametrize("stratified", [False, True])
def test_scans_of_a_person_are_never_in_two_folds(stratified: bool) -> None:
    scans = 1 + np.arange(31) % 4  # unequal, so that folds of equal size would cut persons
    persons = np.repeat([f"p{index:03d}" for index in range(31)], scans)
    answers = np.repeat(np.arange(31) % 2, scans).astype(float) if stratified else None
    folds = person_folds(persons, answers=answers, number=OUTER_FOLDS)
    assert sorted(np.concatenate([test for _, test in folds])) == list(range(len(persons)))
    for train, test in folds:
        assert not set(persons[train]) & set(persons[test])


def test_folds_do_not_depend_on_the_order_of_lines() -> None:
    persons = np.array([f"p{index:03d}" for index in range(30)])
    order = np.random.default_rng(0).permutation(30)
    first = person_folds(persons, answers=None, number=OUTER_FOLDS)
    second = person_folds(persons[order], answers=None, number=OUTER_FOLDS)
    assert [set(persons[t]) for _, t in first] == [set(persons[order][t]) for _, t in second]


@pytest.mark.parametrize("is_odd", [False, True])
def test_nothing_of_a_fold_enters_its_own_fit(is_odd: bool) -> None:
    samples = noise(is_odd=is_odd)
    rng = np.random.default_rng(1)
    samples = replace(samples, nuisance=rng.standard_normal((60, 2)))
    _, test = samples.folds(OUTER_FOLDS)[0]
    spoilt, kept = test[1:], test[0]
    values, nuisance = samples.values.copy(), samples.nuisance.copy()
    values[spoilt], nuisance[spoilt] = 1e6, -1e6
    other = replace(samples, values=values, nuisance=nuisance)
    before, after = unseen_logits(samples), unseen_logits(other)
    assert before[kept] == after[kept]
    assert (before != after).sum() > len(spoilt)  # all other fits saw them


def test_twins_in_the_cohort_give_no_skill_to_features_of_noise() -> None:
    samples = noise(persons=40, scans=3, features=60)
    samples.values[:] = np.repeat(samples.values[::3], 3, axis=0)
    found = measure(samples, unseen_logits(samples))
    assert found["persons"] == 40
    assert found["auroc"]["low"] < 0.5
    assert found["brier_gain"]["low"] < 0.0


def test_noise_has_no_skill_on_the_average() -> None:
    areas = [
        measure(samples, unseen_logits(samples))["auroc"]["value"]
        for samples in (noise(seed=seed, features=30) for seed in range(4))
    ]
    assert abs(float(np.mean(areas)) - 0.5) < 0.12


def test_a_scanner_that_goes_along_with_disease_is_no_disease() -> None:
    samples = noise(persons=100)
    rng = np.random.default_rng(2)
    scanner = np.where(rng.random(100) < 0.85, samples.answers, 1.0 - samples.answers)
    samples.values[:] += 1.5 * scanner[:, None]
    fooled = measure(samples, unseen_logits(samples))
    known = replace(samples, nuisance=np.stack([scanner, 1.0 - scanner], axis=1))
    found = measure(known, unseen_logits(known))
    assert fooled["auroc"]["low"] > 0.65
    assert found["auroc"]["low"] < 0.5 < fooled["auroc"]["value"] - 0.15
    assert found["nuisance_alone_auroc"]["value"] > 0.7


def test_an_effect_that_goes_along_with_age_is_not_lost() -> None:
    samples = noise(persons=100)
    rng = np.random.default_rng(3)
    age = samples.answers + rng.standard_normal(100)
    samples.values[:, 0] += 2.0 * samples.answers + age
    found = measure(
        replace(samples, nuisance=age[:, None]),
        unseen_logits(replace(samples, nuisance=age[:, None])),
    )
    assert found["auroc"]["low"] > 0.7


def test_reliability_is_that_of_scikit_learn_with_intervals() -> None:
    samples = noise(persons=50, scans=2)
    rng = np.random.default_rng(4)
    said = np.clip(0.3 * samples.answers + 0.6 * rng.random(100), 0.0, 1.0)
    bins = reliability(samples, said)
    came, mean = calibration_curve(samples.answers, said, n_bins=5, strategy="quantile")
    assert sum(entry["cases"] for entry in bins) == 100
    np.testing.assert_allclose([entry["came"]["value"] for entry in bins], came)
    np.testing.assert_allclose([entry["said"] for entry in bins], mean)
    for entry in bins:
        assert entry["came"]["low"] <= entry["came"]["value"] <= entry["came"]["high"]
    assert any(entry["came"]["low"] < entry["came"]["high"] - 0.1 for entry in bins)


def test_area_of_one_number_needs_no_fit() -> None:
    samples = noise()
    assert area_of(samples, samples.answers)["value"] == 1.0
    assert area_of(samples, -samples.answers)["value"] == 0.0


@pytest.mark.parametrize("is_odd", [False, True])
def test_a_person_with_many_scans_counts_as_one(is_odd: bool) -> None:
    samples = noise(is_odd=is_odd)
    logits = np.random.default_rng(5).standard_normal(60)
    rows = np.concatenate([np.arange(60), np.tile(np.arange(0, 60, 3), 4)])
    more = samples.at(rows)
    first, second = scaling_of(samples), scaling_of(more)
    np.testing.assert_allclose(first.spread, second.spread, rtol=1e-12)
    np.testing.assert_allclose(first.centre, second.centre, atol=1e-12)
    once, often = measure(samples, logits), measure(more, logits[rows])
    for name in ("auroc", "brier", "log_loss", "mean_minus_observed", "brier_gain"):
        assert often[name] == pytest.approx(once[name], abs=1e-6), name
