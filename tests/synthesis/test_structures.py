"""The table of structures: left and right swap by name, and every label has one place."""

import pytest

from medsym.models.structures import (
    STRUCTURES,
    brain_indices,
    index_of,
    mirror_permutation,
    structure_of_label,
    ventricle_indices,
)
from medsym.synthesis.tissues import (
    CLASS_LABELS,
    CLASS_TISSUE,
    TISSUES,
    class_partners,
    class_structures,
    partner_of,
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


def test_brain_is_everything_but_background_and_holds_the_ventricles() -> None:
    assert brain_indices() == tuple(range(1, 32))
    assert set(ventricle_indices()) < set(brain_indices())
    assert index_of("lateral-ventricle", side="left") in ventricle_indices()


def test_class_partners_are_an_involution_of_the_same_tissue_on_the_other_side() -> None:
    partners, structures = class_partners().tolist(), class_structures().tolist()
    for at, partner in enumerate(partners):
        assert partners[partner] == at
        assert CLASS_TISSUE[partner] == CLASS_TISSUE[at]
        assert structures[partner] == STRUCTURES[structures[at]].mirror
    assert partner_of(28) == 60
    assert partner_of(163) == 136


def test_every_label_of_a_brain_structure_has_a_tissue() -> None:
    assert len(CLASS_LABELS) == len(set(CLASS_LABELS)) == sum(len(t.labels) for t in TISSUES)
    named = {label for s in STRUCTURES for label in s.freesurfer}
    assert named <= set(CLASS_LABELS)
