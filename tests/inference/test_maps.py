"""The regional average behind the deviation: antisymmetric to the bit, kind to places."""

import numpy as np
import pytest

from medsym.inference.maps import regional, regional_bound


def test_average_of_an_antisymmetric_map_is_antisymmetric_to_the_last_bit() -> None:
    values = np.random.default_rng(0).normal(size=(16, 12, 10))
    domain = np.ones(values.shape, dtype=bool)
    averaged = regional(values - values[::-1], domain=domain, spacing_mm=3.0)
    np.testing.assert_array_equal(averaged, -averaged[::-1])
    assert np.abs(averaged).max() > 0.01


def test_a_place_survives_where_a_single_voxel_fades() -> None:
    domain = np.ones((32, 20, 20), dtype=bool)
    place, voxel = np.zeros((2, 32, 20, 20))
    place[4:12, 6:14, 6:14] = 1.0
    voxel[8, 10, 10] = 1.0
    first, second = (regional(v - v[::-1], domain=domain, spacing_mm=3.0) for v in (place, voxel))
    assert first.max() > 0.9
    assert second.max() < 0.05
    assert first[8, 10, 10] > 0 > first[23, 10, 10]  # positive on the side of the place


def test_nothing_is_said_outside_the_domain() -> None:
    domain = np.zeros((16, 8, 8), dtype=bool)
    domain[4:12] = True
    sides = np.ones((16, 8, 8)) * np.sign(np.arange(16) - 7.5)[:, None, None]
    assert not regional(sides, domain=domain, spacing_mm=3.0)[~domain].any()


@pytest.mark.parametrize("seed", range(3))
def test_what_the_model_adds_to_the_average_is_within_the_bound_of_the_average(seed: int) -> None:
    random = np.random.default_rng(seed)
    shape, domain = (16, 12, 10), random.random((16, 12, 10)) < 0.8
    domain &= domain[::-1]
    limit = random.gamma(0.3, 2.0, shape) * domain
    scan = 10.0 * random.normal(size=shape) * domain
    where = {"domain": domain, "spacing_mm": 3.0}
    most = regional_bound(limit.astype(np.float32), **where)
    for share in (random.uniform(-1.0, 1.0, shape), np.sign(random.normal(size=shape))):
        added = regional(scan + share * limit, **where) - regional(scan, **where)
        assert (np.abs(added) <= most).all()


def test_the_bound_of_the_average_is_reached_by_a_model_that_always_leans_one_way() -> None:
    domain = np.ones((16, 12, 10), dtype=bool)
    limit = np.random.default_rng(0).gamma(0.3, 2.0, domain.shape)
    limit = limit + limit[::-1]
    right = np.where(np.arange(16)[:, None, None] >= 8, 1.0, -1.0)
    most = regional_bound(limit, domain=domain, spacing_mm=3.0)
    made = regional(right * limit, domain=domain, spacing_mm=3.0)
    np.testing.assert_array_equal(most, most[::-1])
    assert made[15].max() > 0 > made[0].min()  # positive on the patient's right
    assert (np.abs(made[14:]) > 0.9 * most[14:]).all()
    assert (np.abs(made) <= most).all()


def test_no_bound_is_zero_within_and_said_outside_the_domain() -> None:
    domain = np.zeros((16, 8, 8), dtype=bool)
    domain[4:12] = True
    most = regional_bound(np.zeros(domain.shape), domain=domain, spacing_mm=3.0)
    assert not most[~domain].any()
    assert (most[domain] > 0.0).all()
    assert most.max() < 1e-8
