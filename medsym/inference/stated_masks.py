"""Masks that the user states: the brain, instead of finding it, and places to leave out.

Both come as volumes on any lattice in the world of the scan. A brain mask is believed only where it
can be: it has to lie in the head, to measure what a brain measures, and to agree with one of the
two ways in which medsym would have found the brain.
"""

from dataclasses import dataclass
from itertools import product

import numpy as np

from medsym.errors import ScanError
from medsym.inference.brain import BrainMask, dice, find_brain
from medsym.inference.gate import BRAIN_ML, MIN_BRAIN_DICE
from medsym.inference.maps import BoolMap, MapRequest
from medsym.models.store import LoadedModel
from medsym.volumes.prepared import PreparedScan, scan_name
from medsym.volumes.resampling import resample
from medsym.volumes.volume import Volume

#: Least share of a brain mask that must lie in the head.
MIN_IN_HEAD = 0.9
#: Voxels (or share of a voxel): a place this near to the border between two voxels is in both, so
#: that rounding decides nothing and mirrored masks give mirrored voxels.
_SLACK = 1e-6


@dataclass(frozen=True, kw_only=True, slots=True)
class MaskUse:
    """A mask that was used, for the record.

    Attributes:
        kind: "brain" or "exclusion".
        file: its name.
        sha256: hash of the file's bytes; None for a mask made in memory.
        ml: volume on its own lattice.
        share_of_brain: share of the brain that it covers, mirror places included; in [0, 1].
    """

    kind: str
    file: str
    sha256: str | None
    ml: float
    share_of_brain: float

    @property
    def sentence(self) -> str:
        """What the reader of the report has to know."""
        if self.kind == "brain":
            return f"the brain is that of the mask {self.file} ({self.ml:.0f} ml), as stated"
        return (
            f"the mask {self.file} ({self.ml:.1f} ml) leaves out {self.share_of_brain:.1%} of the "
            "brain, itself and its mirror place: nothing is compared, found or counted there"
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class StatedMasks:
    """Masks of one scan; each may be absent.

    Attributes:
        brain: used instead of finding the brain; positive inside, any lattice in the world.
        exclusion: what is left out of the comparison together with its mirror places.
    """

    brain: Volume | None = None
    exclusion: Volume | None = None

    def brain_of(self, whole_head: PreparedScan, *, model: LoadedModel) -> BrainMask:
        """Stated brain, checked, or the one that is found; on the grid of the whole head."""
        if self.brain is None:
            return find_brain(whole_head, model=model)
        return stated_brain(self.brain, whole_head=whole_head, model=model)

    def finest(self, brain: BrainMask) -> BoolMap | Volume:
        """The brain before any resampling."""
        return brain.voxels if self.brain is None else soft(self.brain)

    def excluded_on(self, prepared: PreparedScan) -> BoolMap | None:
        """What is left out of a symmetric grid; None without an exclusion mask."""
        return None if self.exclusion is None else excluded_on(self.exclusion, prepared=prepared)

    def used(self, request: MapRequest) -> tuple[MaskUse, ...]:
        """What the record says of them."""
        stated = (
            ("brain", self.brain, request.brain),
            ("exclusion", self.exclusion, request.excluded),
        )
        size = max(int(request.brain.sum()), 1)
        return tuple(
            MaskUse(
                kind=kind,
                file=scan_name(mask),
                sha256=mask.sha256,
                ml=mask_ml(mask),
                share_of_brain=int((on_grid & request.brain).sum()) / size,
            )
            for kind, mask, on_grid in stated
            if mask is not None and on_grid is not None
        )


def mask_ml(mask: Volume) -> float:
    """Volume of a mask on its own lattice, ml."""
    voxel_mm3 = abs(float(np.linalg.det(mask.affine[:3, :3])))
    return float((mask.voxels > 0).sum()) * voxel_mm3 / 1000.0


def soft(mask: Volume) -> Volume:
    """The mask as float32, 1 inside, so that it can be resampled."""
    return Volume(voxels=(mask.voxels > 0).astype(np.float32), affine=mask.affine, path=mask.path)


def stated_brain(mask: Volume, *, whole_head: PreparedScan, model: LoadedModel) -> BrainMask:
    """A stated brain mask on the grid of the whole head, checked.

    Args:
        mask: positive inside the brain, any lattice in the world of the scan.
        whole_head: the scan on its symmetric grid, with the brain that the rule finds.
        model: asked only if the rule's brain is another one.

    Returns:
        The mask, and its overlap with the rule's brain or, if that is larger, the network's.

    Raises:
        ScanError: MS-541 empty or no brain's size, MS-542 it lies elsewhere than the head.
    """
    size = mask_ml(mask)
    low, high = BRAIN_ML
    if not low <= size <= high:
        cause = f"measures {size:.0f} ml, and a brain {low:.0f} to {high:.0f} ml"
        raise _refused("MS-541", mask, cause=cause, fix="give the mask of the whole brain")
    grid = whole_head.grid
    share = resample(soft(mask), to_shape=grid.shape, affine_to=whole_head.grid_to_world)
    found = np.asarray(share >= 0.5)
    voxel_ml = grid.spacing_mm**3 / 1000.0
    inside = float((found & whole_head.foreground).sum()) * voxel_ml / size
    overlap = dice(found, whole_head.brain)
    if inside >= MIN_IN_HEAD and overlap < MIN_BRAIN_DICE:
        overlap = max(overlap, dice(found, find_brain(whole_head, model=model).voxels))
    if inside < MIN_IN_HEAD or overlap < MIN_BRAIN_DICE:
        cause = (
            f"{inside:.0%} of it lies in the head of {scan_name(whole_head.scan)}, and it overlaps "
            f"the brain that is found there by {overlap:.2f} (Dice)"
        )
        fix = "look at scan and mask together; the mask may belong to another scan or space"
        raise _refused("MS-542", mask, cause=cause, fix=fix)
    return BrainMask(voxels=found, dice=overlap)


def excluded_on(mask: Volume, *, prepared: PreparedScan) -> BoolMap:
    """Voxels of the symmetric grid to leave out of the comparison, the same on both sides.

    A voxel is left out if the mask touches it or its mirror place at all, and if it would take part
    in interpolating a map back to the middle of a masked voxel: maps on the scan are 0 there.

    Args:
        mask: positive inside, any lattice in the world of the scan; may be empty.
        prepared: the scan on its symmetric grid.

    Raises:
        ScanError: MS-543 no masked voxel lies on the grid although the mask has some.
    """
    shape = prepared.grid.shape
    share = resample(soft(mask), to_shape=shape, affine_to=prepared.grid_to_world)
    touched = np.array(share > _SLACK, dtype=bool)
    to_grid = np.linalg.inv(prepared.grid_to_world) @ mask.affine
    index = np.argwhere(mask.voxels > 0) @ to_grid[:3, :3].T + to_grid[:3, 3]
    first, last = np.floor(index - _SLACK), np.ceil(index + _SLACK)
    for step in product((0, 1, 2), repeat=3):
        corner = np.minimum(first + np.array(step), last).astype(np.int64)
        corner = corner[np.all((corner >= 0) & (corner < shape), axis=1)]
        touched[tuple(corner.T)] = True
    if len(index) and not touched.any():
        cause = f"lies nowhere near the head of {scan_name(prepared.scan)}"
        raise _refused("MS-543", mask, cause=cause, fix="look at scan and mask together")
    return touched | touched[::-1]


def _refused(code: str, mask: Volume, *, cause: str, fix: str) -> ScanError:
    return ScanError(code=code, subject=scan_name(mask), cause=cause, fix=fix)
