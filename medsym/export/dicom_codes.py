"""Codes and identities for DICOM objects: anatomy, sides, what a finding is, repeatable UIDs.

Anatomy is coded where the structure has a code in the lists of DICOM PS3.16 (CID 7140, brain
structures for volumetric measurement); what medsym alone measures has codes of its own, because the
nearest standard ones ("lesion", "abnormal structure") would say more than was found.
"""

import hashlib
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from pydicom.sr.coding import Code

#: Designator of medsym's own codes; "99" marks it as private.
PRIVATE = "99MEDSYM"
_SIDES = {"left": ("7771000", "Left"), "right": ("24028007", "Right")}
_STRUCTURES = {
    "cerebral-white-matter": ("68523003", "SCT", "Cerebral White Matter"),
    "cerebral-cortex": ("40146001", "SCT", "Cerebral cortex"),
    "lateral-ventricle": ("66720007", "SCT", "Lateral Ventricle"),
    "inferior-lateral-ventricle": ("53118009", "SCT", "Inferior Horn of Lateral Ventricle"),
    "cerebellar-white-matter": ("33060004", "SCT", "Cerebellar White Matter"),
    "cerebellar-cortex": ("25991003", "SCT", "Cerebellar Cortex"),
    "thalamus": ("42695009", "SCT", "Thalamus"),
    "caudate": ("11000004", "SCT", "Caudate Nucleus"),
    "putamen": ("89278009", "SCT", "Putamen"),
    "pallidum": ("14738005", "SCT", "Globus Pallidus"),
    "hippocampus": ("5366008", "SCT", "Hippocampus"),
    "amygdala": ("4958002", "SCT", "Amygdala"),
    "accumbens": ("427667007", "SCT", "Nucleus Accumbens"),
    "ventral-diencephalon": ("110700", "DCM", "Ventral Diencephalon"),
    "third-ventricle": ("49841001", "SCT", "Third ventricle"),
    "fourth-ventricle": ("35918002", "SCT", "Fourth Ventricle"),
    "brainstem": ("119238007", "SCT", "Brain Stem"),
}
_BRAIN = ("12738006", "SCT", "Brain")
_OWN = {
    "finding": "More evidence of pathology than at the mirror place",
    "deviation": "Deviation from healthy asymmetry at the peak",
    "asymmetry": "Evidence here minus evidence at the mirror place, at the peak",
    "bound": "Bound on what the model may have added, at the peak",
    "p_value": "Family-wise p-value of the peak",
    "deviation_max": "Largest deviation from healthy asymmetry in the scan",
    "p_value_scan": "p-value of the scan's largest deviation",
    "symmetric_score": "Pathology on both sides or the mid-line, 0 to 1",
}


def anatomy_of(structure: str) -> "Code":
    """Code of a structure of the model; the brain where its name is not known."""
    from pydicom.sr.coding import Code

    return Code(*_STRUCTURES.get(structure, _BRAIN))


def side_of(side: str) -> "Code":
    """Code of the patient's side, "left" or "right"."""
    from pydicom.sr.coding import Code

    value, meaning = _SIDES[side]
    return Code(value, "SCT", meaning)


def own(name: str) -> "Code":
    """One of medsym's own codes, by the key of the finding that it stands for."""
    from pydicom.sr.coding import Code

    return Code(name.upper(), PRIVATE, _OWN[name])


def uid_of(*parts: str) -> str:
    """A UID that depends on the parts alone, so that a rerun writes the same bytes.

    It is a UUID written as a number below 2.25 (DICOM PS3.5, B.2).
    """
    digest = hashlib.sha256("\0".join(parts).encode("utf-8", "surrogateescape")).digest()
    return f"2.25.{int.from_bytes(digest[:16], 'big')}"
