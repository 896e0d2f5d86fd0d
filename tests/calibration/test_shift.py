"""The test of exchangeability: keeps its own rate, sees what is unlike, counts people."""

import numpy as np
import pytest

from medsym.calibration.shift import WARNING_RATE, exchangeability

NAMES = ("noise", "spacing", "dice", "plane")


def features(rng: np.random.Generator, count: int) -> np.ndarray:
    shared = rng.standard_normal((count, 1))
    return np.concatenate([shared + 0.3 * rng.standard_normal((count, 3)), 0 * shared + 1], axis=1)


@pytest.mark.parametrize("people", [19, 60])
def test_scans_like_the_others_are_warned_of_at_the_stated_rate(people: int) -> None:
    rng = np.random.default_rng(people)
    warned = []
    for _ in range(500):
        rows = features(rng, people + 1) ** 3  # heavy tails
        found = exchangeability(rows[:-1], np.arange(people), scan=rows[-1], names=NAMES)
        assert found is not None
        warned.append(found.warning is not None)
        assert found.false_alarm_rate == WARNING_RATE
    assert np.mean(warned) <= WARNING_RATE + 3 * np.sqrt(WARNING_RATE / 500)
    assert np.mean(warned) >= 0.01


def test_a_scan_that_differs_in_one_feature_is_named_by_it() -> None:
    rng = np.random.default_rng(1)
    rows = features(rng, 41)
    scan = rows[-1].copy()
    scan[1] = -6.0  # no more than others alone, but against how the features go together
    found = exchangeability(rows[:-1], np.arange(40), scan=scan, names=NAMES)
    assert found is not None
    assert found.p_value == pytest.approx(1 / 41)
    assert "spacing" in str(found.warning)
    assert "below" in str(found.warning)


def test_a_feature_that_never_varied_warns_as_soon_as_it_does() -> None:
    rng = np.random.default_rng(2)
    rows = features(rng, 30)
    scan = rows.mean(axis=0)
    scan[3] = 1.5
    found = exchangeability(rows, np.arange(30), scan=scan, names=NAMES)
    assert found is not None
    assert "plane" in str(found.warning)


def test_people_with_many_scans_change_nothing_about_the_rate() -> None:
    rng = np.random.default_rng(4)
    warned = []
    for _ in range(300):
        own = features(rng, 20)
        rows = np.repeat(own[:-1], 4, axis=0) + 0.3 * rng.standard_normal((76, 4))
        scan = own[-1] + 0.3 * rng.standard_normal(4)
        found = exchangeability(rows, np.arange(76) // 4, scan=scan, names=NAMES)
        assert found is not None
        warned.append(found.warning is not None)
    assert 0.01 <= np.mean(warned) <= WARNING_RATE + 3 * np.sqrt(WARNING_RATE / 300)


def test_many_scans_of_few_people_are_few() -> None:
    rng = np.random.default_rng(3)
    rows = features(rng, 100)
    owners = np.arange(100) % 18
    assert exchangeability(rows, owners, scan=rows[0], names=NAMES) is None
