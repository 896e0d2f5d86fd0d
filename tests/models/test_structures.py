"""The table of structures: left and right swap by name, and every label has one place."""

import pytest

from medsym.models.structures import (
    STRUCTURES,
    index_of,
    mirror_permutation,
    structure_of_label,
    ventricle_indices,
)


def test_mirror_is_an_involution_that_keeps_names_and_swaps_sides() -> None:
    swapped = {"left": "right", "right": "left", "midline": "midline", "none": "none"}
    for at, structure in enumerate(STRUCTURES):
        partner = STRUCTURES[structure.mirror]
        assert structure.index == at
        assert partner.mirror == at
        assert partner.name == structure.name
        assert partner.side == swapped[structure.side]
    assert sorted(mirror_permutation()) == list(range(len(STRUCTURES)))


def test_there_are_thirty_one_structures_and_left_comes_first() -> None:
    assert len(STRUCTURES) == 32
    sides = [s.side for s in STRUCTURES]
    assert sides == ["none", *["left", "right"] * 14, *["midline"] * 3]
    assert len({s.title for s in STRUCTURES}) == 32


@pytest.mark.parametrize(
    ("label", "title"),
    [
        (2, "left-cerebral-white-matter"),
        (41, "right-cerebral-white-matter"),
        (17, "left-hippocampus"),
        (54, "right-amygdala"),
        (8, "left-cerebellar-cortex"),
        (60, "right-ventral-diencephalon"),
        (1028, "left-cerebral-cortex"),
        (2028, "right-cerebral-cortex"),
        (163, "right-lateral-ventricle"),
        (16, "brainstem"),
        (515, "background"),
    ],
)
def test_label_belongs_to_its_structure_and_side(label: int, title: str) -> None:
    assert STRUCTURES[structure_of_label(label)].title == title


def test_no_label_belongs_to_two_structures() -> None:
    labels = [label for structure in STRUCTURES for label in structure.freesurfer]
    assert len(labels) == len(set(labels))


def test_ventricles_are_brain_on_both_sides() -> None:
    assert 0 not in ventricle_indices()
    for side in ("left", "right"):
        assert index_of("lateral-ventricle", side=side) in ventricle_indices()
