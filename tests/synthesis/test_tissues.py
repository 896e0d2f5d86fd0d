"""The table of tissues: classes swap with the side, and every structure has a tissue."""

from medsym.models.structures import STRUCTURES
from medsym.synthesis.tissues import (
    CLASS_LABELS,
    CLASS_TISSUE,
    TISSUES,
    class_partners,
    class_structures,
    partner_of,
)


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
