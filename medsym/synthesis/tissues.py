"""The tissue classes of a label map: which labels they hold and how bright they are.

Brightness is in units where the darkest class is 0 and the brightest 1, read off the usual order of
tissues in each kind of scan; synthesis jitters it, so only the order matters.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.models.structures import STRUCTURES, structure_of_label


@dataclass(frozen=True, kw_only=True, slots=True)
class Tissue:
    """A group of labels with one brightness for each kind of scan.

    Attributes:
        name: for messages.
        labels: FreeSurfer or SynthSeg numbers; pairs are (left, right).
        brightness: (T1, T2, FLAIR, CT with a brain window).
        head: True for what lies outside the brain and is not air.
    """

    name: str
    labels: tuple[int, ...]
    brightness: tuple[float, float, float, float]
    head: bool = False


KINDS = ("T1", "T2", "FLAIR", "CT")

TISSUES: tuple[Tissue, ...] = (
    Tissue(name="air", labels=(0,), brightness=(0.0, 0.0, 0.0, 0.0)),
    Tissue(name="white", labels=(2, 41, 78, 79, 81, 82), brightness=(0.85, 0.38, 0.45, 0.36)),
    Tissue(name="white-change", labels=(25, 57), brightness=(0.72, 0.52, 0.62, 0.33)),
    Tissue(name="cerebellar-white", labels=(7, 46), brightness=(0.82, 0.40, 0.46, 0.36)),
    Tissue(name="brainstem", labels=(16, 28, 60), brightness=(0.78, 0.42, 0.48, 0.38)),
    Tissue(name="cortex", labels=(3, 42, 19, 55, 20, 56), brightness=(0.58, 0.55, 0.62, 0.46)),
    Tissue(name="cerebellar-cortex", labels=(8, 47, 6, 45), brightness=(0.58, 0.52, 0.58, 0.44)),
    Tissue(name="hippocampus", labels=(17, 53), brightness=(0.57, 0.56, 0.66, 0.44)),
    Tissue(name="amygdala", labels=(18, 54), brightness=(0.58, 0.55, 0.64, 0.44)),
    Tissue(name="thalamus", labels=(10, 49, 9, 48), brightness=(0.68, 0.48, 0.55, 0.45)),
    Tissue(name="caudate", labels=(11, 50), brightness=(0.61, 0.51, 0.58, 0.47)),
    Tissue(name="putamen", labels=(12, 51, 26, 58), brightness=(0.64, 0.48, 0.56, 0.47)),
    Tissue(name="pallidum", labels=(13, 52), brightness=(0.75, 0.36, 0.45, 0.48)),
    Tissue(
        name="ventricle", labels=(4, 43, 5, 44, 14, 15, 72), brightness=(0.17, 0.95, 0.12, 0.10)
    ),
    Tissue(name="outer-csf", labels=(24,), brightness=(0.18, 0.93, 0.15, 0.12), head=True),
    Tissue(
        name="choroid", labels=(31, 63, 136, 163, 137, 164), brightness=(0.38, 0.80, 0.42, 0.30)
    ),
    Tissue(name="vessel", labels=(30, 62), brightness=(0.40, 0.30, 0.35, 0.45)),
    Tissue(name="sinus", labels=(514,), brightness=(0.40, 0.20, 0.30, 0.60), head=True),
    Tissue(name="chiasm", labels=(85,), brightness=(0.80, 0.40, 0.50, 0.36), head=True),
    Tissue(name="eye", labels=(506,), brightness=(0.20, 0.95, 0.15, 0.20), head=True),
    Tissue(name="orbit", labels=(508, 530), brightness=(0.60, 0.45, 0.50, 0.45), head=True),
    Tissue(name="soft", labels=(507,), brightness=(0.60, 0.42, 0.48, 0.50), head=True),
    Tissue(name="skin", labels=(511,), brightness=(0.75, 0.60, 0.60, 0.40), head=True),
    Tissue(name="bone", labels=(515,), brightness=(0.12, 0.10, 0.12, 1.0), head=True),
    Tissue(name="marrow", labels=(516,), brightness=(0.55, 0.35, 0.40, 0.95), head=True),
    Tissue(name="mucosa", labels=(502,), brightness=(0.50, 0.80, 0.75, 0.45), head=True),
    Tissue(name="airway", labels=(509,), brightness=(0.10, 0.06, 0.06, 0.05), head=True),
    Tissue(name="cord", labels=(512,), brightness=(0.60, 0.60, 0.55, 0.40), head=True),
)

# Label of each class, in the order of the uint8 class maps; class 0 is air.
CLASS_LABELS: tuple[int, ...] = tuple(label for tissue in TISSUES for label in tissue.labels)
CLASS_TISSUE: tuple[int, ...] = tuple(
    at for at, tissue in enumerate(TISSUES) for _ in tissue.labels
)

# Labels without a side that belong to white matter of the side on which they lie:
# white-matter hypointensity, unspecific hypointensity, corpus callosum.
UNSIDED_WHITE: tuple[int, ...] = (77, 80, 251, 252, 253, 254, 255)


def partner_of(label: int) -> int:
    """The label of the same structure on the other side; itself when it has none."""
    for structure in STRUCTURES:
        if label in structure.freesurfer:
            at = structure.freesurfer.index(label)
            return STRUCTURES[structure.mirror].freesurfer[at]
    return label


def class_structures() -> Tensor:
    """(classes,) int64: anatomy channel of each class."""
    return torch.tensor([structure_of_label(label) for label in CLASS_LABELS])


def class_partners() -> Tensor:
    """(classes,) int64: class of the other side; an involution."""
    return torch.tensor([CLASS_LABELS.index(partner_of(label)) for label in CLASS_LABELS])


def class_is_head() -> Tensor:
    """(classes,) bool: not air."""
    return torch.tensor([label != 0 for label in CLASS_LABELS])


def classes_named(*names: str) -> Tensor:
    """(classes,) bool: belongs to one of the named tissues."""
    return torch.tensor([TISSUES[tissue].name in names for tissue in CLASS_TISSUE])
