"""The anatomical structures that a network names, and how the mirror exchanges them.

Label numbers are those of FreeSurfer (https://surfer.nmr.mgh.harvard.edu/fswiki/FsTutorial/AnatomicalROI)
with the extra-cerebral and choroid classes of the SynthSeg training maps (Billot et al.,
"SynthSeg: Segmentation of brain MRI scans of any contrast and resolution without retraining",
arXiv:2107.09559). Left and right are the patient's.
"""

from dataclasses import dataclass

BACKGROUND = 0


@dataclass(frozen=True, kw_only=True, slots=True)
class Structure:
    """One channel of the anatomy output.

    Attributes:
        index: channel number, 0 is everything that is not brain.
        name: name without the side.
        side: "left", "right", "midline" or "none".
        mirror: channel that holds the same structure of the other side (its own for midline).
        freesurfer: label numbers that belong to it.
    """

    index: int
    name: str
    side: str
    mirror: int
    freesurfer: tuple[int, ...]

    @property
    def title(self) -> str:
        """Name with the side in front, unique in the table."""
        return f"{self.side}-{self.name}" if self.side in ("left", "right") else self.name


# name, left labels, right labels: the structures of Billot et al. Basal vessels belong to the
# putamen, choroid plexus to the ventricle that it lies in, lesions of white matter to white matter.
_PAIRED: tuple[tuple[str, tuple[int, ...], tuple[int, ...]], ...] = (
    ("cerebral-white-matter", (2, 25, 78, 81), (41, 57, 79, 82)),
    ("cerebral-cortex", (3, 19, 20), (42, 55, 56)),
    ("lateral-ventricle", (4, 31, 136, 137), (43, 63, 163, 164)),
    ("inferior-lateral-ventricle", (5,), (44,)),
    ("cerebellar-white-matter", (7,), (46,)),
    ("cerebellar-cortex", (6, 8), (45, 47)),
    ("thalamus", (9, 10), (48, 49)),
    ("caudate", (11,), (50,)),
    ("putamen", (12, 30), (51, 62)),
    ("pallidum", (13,), (52,)),
    ("hippocampus", (17,), (53,)),
    ("amygdala", (18,), (54,)),
    ("accumbens", (26,), (58,)),
    ("ventral-diencephalon", (28,), (60,)),
)

_MIDLINE: tuple[tuple[str, tuple[int, ...]], ...] = (
    ("third-ventricle", (14, 72)),
    ("fourth-ventricle", (15,)),
    ("brainstem", (16,)),
)


def _table() -> tuple[Structure, ...]:
    """Build the table: background, left-right pairs next to each other, then midline."""
    rows = [Structure(index=0, name="background", side="none", mirror=0, freesurfer=(0,))]
    for name, left, right in _PAIRED:
        at = len(rows)
        rows.append(Structure(index=at, name=name, side="left", mirror=at + 1, freesurfer=left))
        rows.append(Structure(index=at + 1, name=name, side="right", mirror=at, freesurfer=right))
    for name, labels in _MIDLINE:
        at = len(rows)
        rows.append(Structure(index=at, name=name, side="midline", mirror=at, freesurfer=labels))
    return tuple(rows)


STRUCTURES: tuple[Structure, ...] = _table()


def mirror_permutation() -> tuple[int, ...]:
    """Channel that takes the place of each channel under the mirror; its own inverse."""
    return tuple(structure.mirror for structure in STRUCTURES)


def ventricle_indices() -> tuple[int, ...]:
    """Channels filled with cerebrospinal fluid."""
    return tuple(s.index for s in STRUCTURES if s.name.endswith("ventricle"))


def structure_of_label(label: int) -> int:
    """Channel of a FreeSurfer label; cortical parcels count as cortex, unknown labels as 0.

    Args:
        label: FreeSurfer number, for instance 17 (left hippocampus) or 1028 (left cortical parcel).

    Returns:
        Index into STRUCTURES.
    """
    for structure in STRUCTURES:
        if label in structure.freesurfer:
            return structure.index
    if 1000 <= label < 2000 or 11000 <= label < 12000:
        return index_of("cerebral-cortex", side="left")
    if 2000 <= label < 3000 or 12000 <= label < 13000:
        return index_of("cerebral-cortex", side="right")
    return BACKGROUND


def index_of(name: str, *, side: str) -> int:
    """Channel of a structure by name and side; KeyError when there is none."""
    for structure in STRUCTURES:
        if structure.name == name and structure.side == side:
            return structure.index
    raise KeyError(f"no structure {name!r} on side {side!r}")
