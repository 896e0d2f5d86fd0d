"""The brain of a scan: the network's anatomy joined with the rule that needs no weights.

Either alone fails in its own way: a network can miss a large lesion, a rule can keep the neck. The
network decides; the rule adds what touches the network's brain within a few voxels, so that a
lesion on the rim is not cut away. Their overlap (Dice) is reported with the case.
"""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import (
    binary_closing,
    binary_dilation,
    binary_fill_holes,
    generate_binary_structure,
    label,
)

from medsym.inference.maps import BoolMap

#: The rule may extend the network's brain by at most this many voxels (3 mm each): the depth of a
#: cortical lesion that the network fails to call brain, and less than the distance to the scalp.
RULE_MARGIN_VOXELS = 2
#: Closing radius in voxels: sulci and small misses belong to the brain.
CLOSING_VOXELS = 2

_FACES = generate_binary_structure(3, 1)


@dataclass(frozen=True, kw_only=True, slots=True)
class BrainMask:
    """Brain on the symmetric grid and how well two independent ways agree on it.

    Attributes:
        voxels: (x, y, z) bool.
        dice: overlap of the network's brain with the rule's, in [0, 1], higher is better.
    """

    voxels: BoolMap
    dice: float


def largest_component(mask: BoolMap) -> BoolMap:
    """Largest face-connected component; empty for an empty mask."""
    labels, count = label(mask, structure=_FACES)
    if count == 0:
        return np.zeros_like(mask)
    sizes = np.bincount(labels.ravel())
    sizes[0] = 0
    return np.asarray(labels == int(sizes.argmax()))


def dice(first: BoolMap, second: BoolMap) -> float:
    """Overlap 2 |A and B| / (|A| + |B|) in [0, 1]; 0 if both are empty."""
    total = int(first.sum()) + int(second.sum())
    return 2.0 * int((first & second).sum()) / total if total else 0.0


def brain_from_anatomy(anatomy: NDArray[np.integer], *, rule: BoolMap) -> BrainMask:
    """Join the network's structures (any index above 0) with the weight-free mask.

    Args:
        anatomy: structure index per voxel (x, y, z).
        rule: weight-free brain mask on the same grid.
    """
    core = largest_component(np.asarray(anatomy > 0))
    core = binary_closing(np.pad(core, CLOSING_VOXELS), _FACES, iterations=CLOSING_VOXELS)[
        (slice(CLOSING_VOXELS, -CLOSING_VOXELS),) * 3
    ]
    core = np.asarray(binary_fill_holes(core))
    near = binary_dilation(core, _FACES, iterations=RULE_MARGIN_VOXELS)
    joined = np.asarray(binary_fill_holes(core | (rule & near)))
    return BrainMask(voxels=largest_component(joined), dice=dice(core, rule))
