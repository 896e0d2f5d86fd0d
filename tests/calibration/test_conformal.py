"""Conformal p-values: exact in finite samples, proved by simulation (gate G12)."""

from pathlib import Path

import numpy as np
import pytest
from scipy.stats import beta, kstest

from medsym.calibration.conformal import (
    benjamini_hochberg,
    conformal_threshold,
    coverage_law,
    fewest_cases,
    p_values,
    rarity_steps,
)
from medsym.calibration.normative import spread_of
from medsym.calibration.people import by_person, deviations_from_others, moments_of
from medsym.calibration.reference import DeviationReference, save_reference
from medsym.screening.records import plain
from tests.calibration.builders import draw, scan_of

TRIALS = 2000


@pytest.mark.parametrize("alpha", [0.05, 0.1])
@pytest.mark.parametrize("n", [50, 200, 1000])
def test_coverage_lies_within_its_finite_sample_limits(n: int, alpha: float) -> None:
    """Hazards 6.4: mean coverage in [1 - alpha, 1 - alpha + 1 / (n + 1)] up to 3 s.e."""
    rng = np.random.default_rng(n)
    maxima = np.sort(rng.standard_normal((TRIALS, n)), axis=1)
    thresholds = np.array([conformal_threshold(row, alpha) for row in maxima])
    kept = (rng.standard_normal((TRIALS, 200)) < thresholds[:, None]).mean(axis=1)
    error = 3.0 * kept.std() / np.sqrt(TRIALS)
    assert 1 - alpha - error <= kept.mean() <= 1 - alpha + 1 / (n + 1) + error


@pytest.mark.parametrize(("n", "alpha"), [(19, 0.05), (50, 0.1), (200, 0.05)])
def test_coverage_of_one_calibration_follows_its_beta_law(n: int, alpha: float) -> None:
    rng = np.random.default_rng(1)
    maxima = np.sort(rng.random((TRIALS, n)), axis=1)
    # of uniform scores the share below a threshold is the threshold itself
    covered = [conformal_threshold(row, alpha) for row in maxima]
    assert kstest(covered, beta(*coverage_law(n, alpha)).cdf).pvalue > 1e-3
    # and the test would notice one rank more or less
    low, high = coverage_law(n, alpha)
    assert kstest(covered, beta(low + 1, max(high - 1, 0.5)).cdf).pvalue < 1e-6


@pytest.mark.parametrize("n", [5, 19, 100])
def test_p_values_of_exchangeable_cases_are_uniform_on_their_ranks(n: int) -> None:
    rng = np.random.default_rng(2)
    scores = rng.gumbel(size=(4000, n + 1))
    found = np.array([p_values(np.sort(row[:-1]), row[-1:])[0] for row in scores])
    ranks = np.round(found * (n + 1)).astype(int)
    assert np.allclose(ranks / (n + 1), found)
    counts = np.bincount(ranks, minlength=n + 2)[1:]
    expected = 4000 / (n + 1)
    assert counts.size == n + 1
    assert ((counts - expected) ** 2 / expected).sum() < n + 6.0 * np.sqrt(2 * n)


def test_ties_are_never_in_favour_of_an_alarm() -> None:
    rng = np.random.default_rng(3)
    scores = rng.integers(0, 4, size=(4000, 25))
    found = np.array([p_values(np.sort(row[:-1]), row[-1:])[0] for row in scores])
    for alpha in (0.04, 0.1, 0.3):
        assert (found <= alpha).mean() <= alpha + 3 * np.sqrt(alpha / 4000)


@pytest.mark.parametrize("alpha", [0.05, 0.1, 0.2, 0.01])
def test_too_few_cases_give_no_threshold(alpha: float) -> None:
    needed = fewest_cases(alpha)
    assert needed == pytest.approx(1 / alpha - 1)
    assert conformal_threshold(np.arange(needed - 1.0), alpha) is None
    assert conformal_threshold(np.arange(float(needed)), alpha) > needed - 1
    assert p_values(np.arange(float(needed)), np.array([1e9]))[0] <= alpha


def test_a_score_reaches_the_threshold_exactly_if_its_p_value_is_at_most_alpha() -> None:
    rng = np.random.default_rng(4)
    for n in (19, 20, 39, 57, 100):
        maxima = np.sort(rng.integers(0, 30, n)).astype(np.float32)
        scores = np.arange(-1, 32, 0.5, dtype=np.float32)
        for alpha in (0.05, 0.1, 0.37):
            threshold = conformal_threshold(maxima, alpha)
            assert threshold is not None
            assert np.array_equal(scores >= threshold, p_values(maxima, scores) <= alpha)


@pytest.mark.parametrize("n", [0, 1, 9, 19, 120, 257])
def test_the_steps_of_the_dial_say_what_the_p_value_says_of_every_score(n: int) -> None:
    maxima = np.sort(np.random.default_rng(n).integers(0, 90, n)).astype(np.float32)
    steps = rarity_steps(maxima)
    for step in steps:  # at most one in so many, and one SD less would be too common
        p_at, p_below = p_values(maxima, np.array([step.sd, np.floor(step.sd)]))
        assert p_at <= 1 / step.one_in + 1e-12 < p_below + 1e-12
    for score in np.arange(-0.5, 91, 1.0):  # the rarest step that a score reaches is that of its p
        reached = max((step.one_in for step in steps if step.sd <= score), default=1)
        assert reached == int(1 / p_values(maxima, np.array([score]))[0] + 1e-9)
    assert [step.one_in for step in steps] == sorted({step.one_in for step in steps})
    assert max((step.one_in for step in steps), default=1) == n + 1
    assert len(steps) <= 2 * np.sqrt(n + 1)


def test_the_cohort_keeps_its_false_discovery_rate_with_one_shared_calibration() -> None:
    rng = np.random.default_rng(5)
    level, shares = 0.2, []
    for _ in range(1500):
        maxima = np.sort(rng.standard_normal(200))
        scores = np.concatenate([rng.standard_normal(40), rng.standard_normal(10) + 4.0])
        called = benjamini_hochberg(p_values(maxima, scores)) <= level
        shares.append(called[:40].sum() / max(called.sum(), 1))
    error = 3.0 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) <= 0.8 * level + error
    assert np.mean(shares) > 0.05  # and it does call


def test_thresholds_keep_their_promise_as_they_stand_in_records() -> None:
    maxima = np.sort(np.random.default_rng(3).uniform(0.5, 4.0, 999).astype(np.float32))
    for step in rarity_steps(maxima):
        stored = plain(step.sd)
        assert stored == step.sd
        assert p_values(maxima, np.float32(stored)) <= 1 / step.one_in + 1e-12


def test_a_reference_can_be_read_by_whoever_may_read_other_files(tmp_path: Path) -> None:
    spread = np.ones((2, 2, 2), np.float32)
    reference = DeviationReference(spread=spread, maxima=spread.ravel(), num_spread=3)
    save_reference(tmp_path / "reference", reference=reference)
    (tmp_path / "other").write_bytes(b"")
    assert (tmp_path / "reference").stat().st_mode == (tmp_path / "other").stat().st_mode


@pytest.mark.parametrize("alpha", [0.05, 0.1])
def test_a_p_value_at_the_threshold_is_not_above_the_rate_in_float32_either(alpha: float) -> None:
    for n in (9, 19, 39, 59):
        reference = DeviationReference(
            spread=np.ones((2, 2, 2), np.float32),
            maxima=np.arange(n, dtype=np.float32),
            num_spread=n,
        )
        threshold = reference.threshold(alpha)
        if threshold is not None:
            at = np.float32(threshold)
            assert float(reference.p_values(at)) <= alpha
            assert float(reference.p_map(at)) <= alpha
            below = np.nextafter(at, np.float32(0.0))
            assert float(reference.p_map(below)) > alpha


def test_the_cohort_keeps_its_false_discovery_rate_with_people_scored_against_each_other() -> None:
    rng = np.random.default_rng(6)
    level, shares = 0.3, []
    for _ in range(120):
        healthy = by_person([scan_of(draw(rng), person=f"p{i}") for i in range(30)])
        own = deviations_from_others(healthy)
        maxima = np.sort([found[0] for found in own.values()]).astype(np.float32)
        spread = spread_of(moments_of(healthy))
        sizes = [1.0] * 10 + [4.0] * 5
        scores = [scan_of(draw(rng, size=s), person="x").largest_deviation(spread) for s in sizes]
        called = benjamini_hochberg(p_values(maxima, np.array(scores, np.float32))) <= level
        shares.append(called[:10].sum() / max(called.sum(), 1))
    assert np.mean(shares) <= 10 / 15 * level + 3.0 * np.std(shares) / np.sqrt(len(shares))
    assert np.mean(shares) > 0.01


def test_q_values_follow_the_step_up_rule() -> None:
    p = np.array([0.04, 0.01, 0.03, 0.8])
    q = benjamini_hochberg(p)
    assert q == pytest.approx([0.16 / 3, 0.04, 0.16 / 3, 0.8])
    assert benjamini_hochberg(np.array([])).size == 0
    assert (q >= p).all()
