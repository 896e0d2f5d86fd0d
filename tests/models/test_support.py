"""The box that a network looks at: holds the image, fits the network, lies even about the plane."""

import numpy as np
import pytest
from hypothesis import given
from hypothesis import strategies as st

from medsym.models.support import support_box

GRID = (32, 40, 24)


def filled(*ranges: tuple[int, int]) -> np.ndarray:
    mask = np.zeros(GRID, dtype=bool)
    mask[tuple(slice(low, high) for low, high in ranges)] = True
    return mask


span = st.tuples(st.integers(0, 23), st.integers(1, 24)).filter(lambda r: r[0] < r[1])


@given(x=span, y=span, z=span, multiple=st.sampled_from([2, 4, 8]))
def test_box_holds_everything_and_every_side_is_a_multiple(
    x: tuple[int, int], y: tuple[int, int], z: tuple[int, int], multiple: int
) -> None:
    mask = filled(x, y, z)
    box = support_box(mask, multiple=multiple)
    assert mask[box].sum() == mask.sum()
    assert all((side.stop - side.start) % multiple == 0 for side in box)


@given(x=span, y=span, z=span)
def test_cropping_commutes_with_the_mirror(
    x: tuple[int, int], y: tuple[int, int], z: tuple[int, int]
) -> None:
    mask = filled(x, y, z)
    box = support_box(mask, multiple=8)
    assert box[0].start + box[0].stop == GRID[0]
    assert box == support_box(mask[::-1], multiple=8)


def test_box_is_no_larger_than_needed() -> None:
    box = support_box(filled((12, 14), (10, 19), (0, 3)), multiple=4)
    assert [side.stop - side.start for side in box] == [8, 12, 4]


@pytest.mark.parametrize("mask", [np.zeros(GRID, dtype=bool), np.ones(GRID, dtype=bool)])
def test_empty_and_full_grids_are_kept_whole(mask: np.ndarray) -> None:
    box = support_box(mask, multiple=8)
    assert [(side.start, side.stop) for side in box] == [(0, n) for n in GRID]


def test_a_grid_without_room_for_the_multiple_is_kept_whole() -> None:
    box = support_box(np.ones((10, 10, 10), dtype=bool), multiple=8)
    assert [(side.start, side.stop) for side in box] == [(0, 10)] * 3
