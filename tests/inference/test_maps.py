"""The regional average behind the deviation: antisymmetric to the bit, kind to places."""

import numpy as np

from medsym.inference.maps import regional


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
