"""Maps without training: what they mark, what they must not mark, and how the mirror acts."""

import numpy as np
import pytest

from medsym.evaluation.baselines import (
    SMOOTHING_MM,
    mirror_difference,
    robust_z,
    signed_mirror_difference,
    smooth_inside,
)

SHAPE = (24, 20, 16)


def head(*, lesion: float = 0.0) -> tuple[np.ndarray, np.ndarray]:
    """Mirror-symmetric noise in an ellipsoid, and a lesion on the LEFT (low x)."""
    x, y, z = np.meshgrid(*((np.arange(n) - (n - 1) / 2) / (n / 2) for n in SHAPE), indexing="ij")
    brain = x**2 + y**2 + z**2 < 0.8
    noise = np.random.default_rng(0).normal(size=SHAPE)
    image = 1.0 + 0.1 * (noise + noise[::-1]) / 2
    image[5:8, 8:12, 6:10] += lesion
    return np.where(brain, image, 0.0), brain


def test_difference_marks_both_sides_and_vanishes_on_symmetric_scans() -> None:
    image, _ = head(lesion=1.0)
    found = mirror_difference(image, spacing_mm=3.0)
    np.testing.assert_array_equal(found, found[::-1])
    assert found[6, 10, 8] > 10 * np.median(found)
    assert mirror_difference(head()[0], spacing_mm=3.0).max() == 0.0


def test_signed_difference_is_positive_on_the_side_of_a_bright_lesion() -> None:
    image, _ = head(lesion=1.0)
    found = signed_mirror_difference(image, spacing_mm=3.0)
    assert found[6, 10, 8] > 0.1 > -0.1 > found[-7, 10, 8]
    np.testing.assert_array_equal(found[::-1], -found)
    np.testing.assert_array_equal(
        signed_mirror_difference(image[::-1], spacing_mm=3.0), found[::-1]
    )


def test_border_of_a_lopsided_mask_is_no_asymmetry() -> None:
    image, _ = head()
    image[:6] = 0.0  # the mask misses a part of the left
    assert mirror_difference(image, spacing_mm=3.0).max() == 0.0


@pytest.mark.parametrize("spacing_mm", [1.5, 3.0])
def test_smoothing_is_a_length_and_keeps_a_constant_up_to_the_border(spacing_mm: float) -> None:
    point = np.zeros((41, 41, 41))
    point[20, 20, 20] = 1.0
    found = smooth_inside(point, np.ones_like(point, dtype=bool), spacing_mm=spacing_mm)
    at = np.arange(41) - 20.0
    spread = np.sqrt((found.sum(axis=(1, 2)) * at**2).sum()) * spacing_mm
    assert spread == pytest.approx(SMOOTHING_MM, rel=0.02)
    _, brain = head()
    flat = smooth_inside(np.full(SHAPE, 7.0), brain, spacing_mm=spacing_mm)
    np.testing.assert_allclose(flat[brain], 7.0)
    assert flat[~brain].max() == 0.0


def test_bright_and_dark_lesions_lie_in_opposite_tails() -> None:
    for change in (1.0, -0.5):
        image, brain = head(lesion=change)
        found = robust_z(image, brain, spacing_mm=3.0)
        assert np.sign(found[6, 10, 8]) == np.sign(change)
        assert abs(found[6, 10, 8]) > 3.0
        assert found[~brain].max() == 0.0
    assert robust_z(np.zeros(SHAPE), np.zeros(SHAPE, bool), spacing_mm=3.0).max() == 0.0
