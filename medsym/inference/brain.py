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
    generate_binary_structure,
    label,
)

from medsym.inference.maps import BoolMap
from medsym.inference.passes import run_network
from medsym.models.store import LoadedModel
from medsym.models.structures import mirror_permutation
from medsym.volumes.frame import voxel_steps
from medsym.volumes.holes import filled
from medsym.volumes.prepared import PreparedScan

#: The rule may extend the network's brain by at most this many mm: the depth of a cortical lesion
#: that the network fails to call brain, and less than the distance to the scalp.
RULE_MARGIN_MM = 6.0
#: Closing radius, mm: sulci and small misses belong to the brain.
CLOSING_MM = 6.0

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


def brain_from_anatomy(
    anatomy: NDArray[np.integer], *, rule: BoolMap, spacing_mm: float
) -> BrainMask:
    """Join the network's structures (any index above 0) with the weight-free mask.

    Args:
        anatomy: structure index per voxel (x, y, z).
        rule: weight-free brain mask on the same grid.
        spacing_mm: edge of a voxel.
    """
    core = largest_component(np.asarray(anatomy > 0))
    steps = voxel_steps(CLOSING_MM, spacing_mm=spacing_mm)
    closed = binary_closing(np.pad(core, steps), _FACES, iterations=steps)
    core = filled(closed[(slice(steps, -steps),) * 3])
    margin = voxel_steps(RULE_MARGIN_MM, spacing_mm=spacing_mm)
    near = binary_dilation(core, _FACES, iterations=margin)
    joined = filled(core | (rule & near))
    return BrainMask(voxels=largest_component(joined), dice=dice(core, rule))


def find_brain(prepared: PreparedScan, *, model: LoadedModel) -> BrainMask:
    """Brain of a whole-head scan on its symmetric grid, from one pass of the network."""
    classes = mirror_permutation()
    parts = run_network(model.network, prepared.image, mirror_classes=classes, mirrored=False)
    return brain_from_anatomy(
        parts.labels.cpu().numpy(),
        rule=prepared.brain,
        spacing_mm=prepared.grid.spacing_mm,
    )
