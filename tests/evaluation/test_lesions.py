"""Lesion-wise rules on hand-made components."""

import numpy as np
import pytest

from medsym.evaluation.lesions import (
    Truth,
    bounding_box,
    froc_counts,
    match,
    outline,
    smallest_voxels,
)

SHAPE = (20, 12, 12)


def cube(*corner: int, size: int = 3) -> np.ndarray:
    mask = np.zeros(SHAPE, dtype=bool)
    mask[tuple(slice(c, c + size) for c in corner)] = True
    return mask


TWO = Truth.of(cube(2, 2, 2) | cube(14, 7, 7))


def test_touching_at_a_corner_is_one_lesion() -> None:
    assert Truth.of(cube(2, 2, 2) | cube(5, 5, 5)).sizes.tolist() == [54]
    assert TWO.sizes.tolist() == [27, 27]


def test_perfect_mask_finds_everything_and_the_mirrored_one_nothing() -> None:
    perfect = match(TWO.mask, TWO, smallest=4)
    assert perfect.found.all()
    assert perfect.false == 0
    swapped = match(TWO.mask[::-1], TWO, smallest=4)
    assert not swapped.found.any()
    assert swapped.false == 2


def test_whole_brain_is_one_false_positive_and_no_hit() -> None:
    found = match(np.ones(SHAPE, dtype=bool), TWO, smallest=4)
    assert not found.found.any()
    assert found.false == 1


def test_a_tenth_of_the_component_and_of_the_lesion_are_needed() -> None:
    lesion = Truth.of(cube(2, 2, 2, size=4))  # 64 voxels
    inside = np.zeros(SHAPE, dtype=bool)
    inside[2:5, 2:4, 2] = True  # 6 of 64 voxels: below a tenth
    assert not match(inside, lesion, smallest=1).found.any()
    assert match(inside, lesion, smallest=1).false == 0
    inside[2, 4, 2] = True  # 7 of 64
    assert match(inside, lesion, smallest=1).found.all()
    around = np.zeros(SHAPE, dtype=bool)
    around[5:, :, :] = True
    assert match(around, lesion, smallest=1).false == 1


def test_pieces_below_the_smallest_finding_are_neither_true_nor_false() -> None:
    speck = cube(8, 8, 8, size=1)
    assert match(speck, TWO, smallest=2).false == 0
    assert match(speck, TWO, smallest=1).false == 1
    assert smallest_voxels(0.027) == 4
    assert smallest_voxels(0.008) == 13


def test_healthy_scan_has_only_false_positives() -> None:
    healthy = Truth.of(np.zeros(SHAPE, dtype=bool))
    found = match(cube(1, 1, 1) | cube(9, 9, 9), healthy, smallest=4)
    assert found.found.size == 0
    assert found.false == 2


def test_froc_of_three_known_peaks() -> None:
    score = 3.0 * cube(2, 2, 2) + 2.0 * cube(8, 1, 8) + 1.0 * cube(14, 7, 7)
    false, found = froc_counts(score, TWO, levels=(2.5, 1.5, 0.5), smallest=4)
    assert false == [0, 1, 1]
    assert found == [1, 1, 2]


def test_froc_at_a_level_is_what_the_outline_at_that_level_finds() -> None:
    score = np.random.default_rng(1).random(SHAPE) + 1.0 * TWO.mask
    for level in (1.9, 1.5, 1.2, 0.9):
        false, found = froc_counts(score, TWO, levels=(level,), smallest=4)
        marked = match(outline(score, level), TWO, smallest=4)
        assert (false, found) == ([marked.false], [int(marked.found.sum())])


def test_outline_reaches_half_the_threshold_round_a_peak_and_nowhere_else() -> None:
    score = np.zeros(SHAPE)
    score[2:6, 5, 5] = (1.0, 3.0, 2.0, 1.4)  # peak 3, extends to 1.5
    score[12:15, 5, 5] = 2.9  # never reaches the threshold
    found = outline(score, 3.0)
    assert np.flatnonzero(found[:, 5, 5]).tolist() == [3, 4]
    assert found.sum() == 2
    assert not outline(score, 3.1).any()


@pytest.mark.parametrize("flipped", [False, True])
def test_rules_do_not_know_the_sides(flipped: bool) -> None:
    random = np.random.default_rng(0)
    score = random.random(SHAPE)
    truth = cube(2, 2, 2)
    if flipped:
        score, truth = score[::-1], truth[::-1]
    found = froc_counts(score, Truth.of(truth), levels=(0.9, 0.8, 0.7), smallest=2)
    assert found == froc_counts(
        np.random.default_rng(0).random(SHAPE),
        Truth.of(cube(2, 2, 2)),
        levels=(0.9, 0.8, 0.7),
        smallest=2,
    )


def test_box_holds_the_mask_and_no_more() -> None:
    assert bounding_box(cube(2, 3, 4)) == (slice(2, 5), slice(3, 6), slice(4, 7))
    assert bounding_box(np.zeros(SHAPE, bool)) == (slice(0, 20), slice(0, 12), slice(0, 12))
