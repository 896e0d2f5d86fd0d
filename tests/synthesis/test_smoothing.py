"""Box means and lengths equal torch's own."""

import pytest
import torch
from torch.nn import functional

from medsym.synthesis.smoothing import box_mean, length, smooth


@pytest.mark.parametrize("reach", [1, 2])
@pytest.mark.parametrize("padded", [True, False])
def test_box_mean_is_the_mean_over_the_cube(reach: int, padded: bool) -> None:
    volume = torch.randn(2, 9, 7, 8, dtype=torch.float64)
    expected = functional.avg_pool3d(
        volume[None], 2 * reach + 1, stride=1, padding=reach, count_include_pad=padded
    )[0]
    torch.testing.assert_close(box_mean(volume, reach=reach, padded=padded), expected)


def test_repetition_repeats_and_the_input_stays() -> None:
    volume = torch.randn(5, 6, 7)
    kept = volume.clone()
    torch.testing.assert_close(box_mean(volume, times=2), box_mean(box_mean(volume)))
    assert torch.equal(volume, kept)


def test_mean_of_a_constant_is_the_constant_where_the_border_is_left_out() -> None:
    ones = torch.ones(4, 1, 5)
    torch.testing.assert_close(box_mean(ones, reach=2, padded=False), ones)


def test_length_is_euclidean() -> None:
    vectors = torch.randn(3, 4, 5, 6)
    torch.testing.assert_close(length(vectors), vectors.norm(dim=0))


@pytest.mark.parametrize(
    ("sd_mm", "spacing_mm"), [(3.46, 3.0), (3.46, 2.0), (4.9, 2.0), (4.9, 1.0)]
)
def test_smoothing_has_the_stated_standard_deviation(sd_mm: float, spacing_mm: float) -> None:
    point = torch.zeros(61, 61, 61)
    point[30, 30, 30] = 1.0
    spread = smooth(point, sd_mm=sd_mm, spacing_mm=spacing_mm)
    assert float(spread.sum()) == pytest.approx(1.0, abs=1e-4)
    offset = (torch.arange(61) - 30.0) * spacing_mm
    for dim in range(3):
        profile = spread.sum(dim=[k for k in range(3) if k != dim])
        assert float((profile * offset.square()).sum().sqrt()) == pytest.approx(sd_mm, rel=0.15)
