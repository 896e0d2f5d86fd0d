"""Lesions as things: connected components, what finds one, what is a false positive.

Rules, the same for every method and every table:

- a component is connected through faces, edges or corners (26 neighbours) and measures at least
  0.1 ml, as a finding of the pipeline does; smaller pieces of a map are neither true nor false;
- what a map marks at a threshold are its findings: components whose peak reaches the threshold,
  outlined down to half of it;
- a marked component is *true* if at least a tenth of it is lesion, else a *false positive*: a mask
  of the whole brain is one false positive, not a hit of everything;
- a lesion is *found* if true components cover at least a tenth of it.
"""

import math
from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.inference.findings import EXTENT_SHARE, MIN_FINDING_ML

#: Share of a component that has to be lesion, and of a lesion that has to be covered.
MIN_OVERLAP = 0.1

_CORNERS = ndimage.generate_binary_structure(3, 3)

BoolMap = NDArray[np.bool_]
FloatMap = NDArray[np.floating]
Labels = NDArray[np.int32]


@dataclass(frozen=True, kw_only=True, slots=True)
class Truth:
    """The lesions of one scan.

    Attributes:
        mask: (x, y, z) bool.
        labels: (x, y, z) number of the lesion, 0 outside.
        sizes: voxels of lesion 1, 2, ...
    """

    mask: BoolMap
    labels: Labels
    sizes: NDArray[np.int64]

    @classmethod
    def of(cls, mask: BoolMap) -> "Truth":
        """Number the connected lesions of a mask; single voxels count."""
        labels, count = ndimage.label(mask, structure=_CORNERS)
        sizes = np.bincount(labels.ravel(), minlength=count + 1)[1:]
        return cls(mask=mask, labels=labels, sizes=sizes)


@dataclass(frozen=True, kw_only=True, slots=True)
class Match:
    """What a mask finds: one flag per lesion, and the number of false positives."""

    found: BoolMap
    false: int


def smallest_voxels(voxel_ml: float) -> int:
    """Voxels of the smallest component that counts."""
    return max(1, math.ceil(MIN_FINDING_ML / voxel_ml - 1e-9))


def match(mask: BoolMap, truth: Truth, *, smallest: int) -> Match:
    """Compare the components of a mask with the lesions; see the rules of the module.

    Args:
        mask: (x, y, z) bool, what a method marks.
        truth: lesions on the same grid; without any, every component is false.
        smallest: voxels of the smallest component that counts.
    """
    labels, count = ndimage.label(mask, structure=_CORNERS)
    return _match(labels, np.ones(count + 1, dtype=bool), truth, smallest=smallest)


def _match(labels: Labels, kept: BoolMap, truth: Truth, *, smallest: int) -> Match:
    """As :func:`match` for the components whose number is kept."""
    sizes = np.bincount(labels.ravel(), minlength=kept.size)
    counts = kept & (sizes >= smallest)
    counts[0] = False
    on_lesion = np.bincount(labels[truth.mask], minlength=kept.size)
    true = counts & (on_lesion >= MIN_OVERLAP * sizes) & (on_lesion > 0)
    covered = np.bincount(truth.labels[true[labels]], minlength=truth.sizes.size + 1)[1:]
    found = (covered >= MIN_OVERLAP * truth.sizes) & (covered > 0)
    return Match(found=found, false=int((counts & ~true).sum()))


def _findings(score: FloatMap, threshold: float) -> tuple[Labels, BoolMap]:
    """(numbered components down to half the threshold, which of them reach it)."""
    labels, count = ndimage.label(score >= EXTENT_SHARE * threshold, structure=_CORNERS)
    kept = np.zeros(count + 1, dtype=bool)
    kept[labels[score >= threshold]] = True
    kept[0] = False
    return labels, kept


def outline(score: FloatMap, threshold: float) -> BoolMap:
    """Voxels that findings cover: from a peak at the threshold down to half of it.

    This is how the pipeline outlines a finding. A scan has an outline exactly if its largest score
    reaches the threshold, so the rate of false alarms is that of the threshold.

    Args:
        score: (x, y, z), higher is more likely.
        threshold: positive.
    """
    labels, kept = _findings(score, threshold)
    return kept[labels]


def froc_counts(
    score: FloatMap, truth: Truth, *, levels: Sequence[float], smallest: int
) -> tuple[list[int], list[int]]:
    """(false positives, lesions found) by the findings at each of the levels, outlined alike."""
    matches = [_match(*_findings(score, level), truth, smallest=smallest) for level in levels]
    return [m.false for m in matches], [int(m.found.sum()) for m in matches]


def bounding_box(mask: BoolMap) -> tuple[slice, ...]:
    """Smallest box that holds a mask; the whole grid if it is empty."""
    if not mask.any():
        return tuple(slice(0, n) for n in mask.shape)
    return tuple(ndimage.find_objects(mask.astype(np.int8))[0])
