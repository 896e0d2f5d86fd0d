"""Holes are filled as scipy fills them, in the volume and in every slice."""

import numpy as np
import pytest
from scipy.ndimage import binary_fill_holes

from medsym.volumes.holes import filled


def random_mask(seed: int) -> np.ndarray:
    return np.random.default_rng(seed).random((9, 8, 7)) < 0.5 + 0.1 * (seed % 4)


@pytest.mark.parametrize("seed", range(8))
def test_holes_of_a_volume_are_those_of_scipy(seed: int) -> None:
    mask = random_mask(seed)
    np.testing.assert_array_equal(filled(mask), binary_fill_holes(mask))


@pytest.mark.parametrize("axis", [0, 1, 2])
@pytest.mark.parametrize("seed", range(4))
def test_holes_of_slices_are_those_of_scipy(seed: int, axis: int) -> None:
    mask = random_mask(seed)
    slices = [binary_fill_holes(cut) for cut in np.moveaxis(mask, axis, 0)]
    expected = np.moveaxis(np.stack(slices), 0, axis)
    assert expected.sum() > mask.sum()  # there was something to fill
    np.testing.assert_array_equal(filled(mask, slices_of=axis), expected)


def test_a_full_and_an_empty_mask_stay_as_they_are() -> None:
    assert filled(np.ones((4, 3, 2), dtype=bool)).all()
    assert not filled(np.zeros((4, 3, 2), dtype=bool), slices_of=1).any()
