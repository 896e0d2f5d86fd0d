"""One scan of a user with its mask on the symmetric grid, as the network will see it."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsym.datasets.lesion_mask import (
    check_same_place,
    check_side,
    field_of_view,
    lesion_ml,
    lesion_on_grid,
    mask_notes,
    read_mask,
)
from medsym.datasets.visit import VisitScan
from medsym.types import AffineMatrix, MaskArray
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.grid import prepare_scan
from medsym.volumes.intensity import CLIP_HIGH, CLIP_LOW, HIGH_PERCENTILE, LOW_PERCENTILE
from medsym.volumes.nifti import read_scan
from medsym.volumes.prepared import PreparedScan


@dataclass(frozen=True, kw_only=True, slots=True)
class PreparedSample:
    """A scan and its lesion on the symmetric grid; (x, y, z), x grows to the patient's right.

    Attributes:
        head: float32, the whole head scaled to about [0, 1] by its percentiles, 0 outside.
        window: float32, the same head scaled by the percentiles of the brain, as the brain alone is
            for the comparison; on a CT `head` has no contrast left in the brain.
        brain: bool, brain mask found without a network.
        view: bool, inside the field of view.
        lesion: bool, where the expert's lesion fills at least half of the voxel; empty without one.
        has_mask: whether an expert looked for lesions; else `lesion` says nothing.
        was_stripped: the file already showed the brain alone.
        grid_to_world: (4, 4) voxel to world of the scan, mm.
        lesion_ml: volume of the lesion on the expert's own grid, ml.
        notes: what to know about the scan and the mask.
    """

    head: NDArray[np.float32]
    window: NDArray[np.float32]
    brain: MaskArray
    view: MaskArray
    lesion: MaskArray
    has_mask: bool
    was_stripped: bool
    grid_to_world: AffineMatrix
    lesion_ml: float
    notes: tuple[str, ...]


def prepare_sample(
    scan: VisitScan,
    *,
    grid: SymmetricGrid,
    labels: tuple[int, ...] = (),
    stated_side: str | None = None,
    restored: bool = False,
) -> PreparedSample:
    """Read a scan and its mask and bring both onto the symmetric grid of the scan's mid-plane.

    Left and right come from the affines alone: any of the 48 storage orders gives the same arrays.

    Args:
        scan: files.
        grid: lattice.
        labels: values of the mask that are lesion; empty takes everything above 0.
        stated_side: side on which the data set says that every lesion lies.
        restored: masks were rightly stored in another order than their scans.

    Raises:
        ScanError: the scan or the mask is refused by the reader; MS-351 to MS-353, MS-357 the mask
            does not fit the scan.
    """
    volume = read_scan(scan.path, volume_index=scan.volume_index)
    mask = None if scan.mask is None else read_mask(scan.mask, labels=labels)
    if mask is not None:
        check_same_place(mask, scan=volume, restored=restored)
    prepared = prepare_scan(volume, grid=grid)
    notes = [*volume.notes, *prepared.notes]
    lesion, ml = np.zeros(grid.shape, dtype=np.bool_), 0.0
    if mask is not None:
        assert scan.mask is not None
        lesion = lesion_on_grid(mask, prepared=prepared, scan=scan)
        check_side(lesion, stated=stated_side, path=scan.mask)
        ml = lesion_ml(mask)
        notes += mask_notes(mask, lesion, prepared=prepared, scan=scan)
    return PreparedSample(
        head=prepared.image,
        window=_brain_window(prepared),
        brain=prepared.brain,
        view=field_of_view(prepared),
        lesion=lesion,
        has_mask=mask is not None,
        was_stripped=bool(prepared.quality["stripped"]),
        grid_to_world=prepared.grid_to_world,
        lesion_ml=ml,
        notes=tuple(dict.fromkeys(notes)),
    )


def _brain_window(prepared: PreparedScan) -> NDArray[np.float32]:
    """The head in the scale that `PreparedScan.brain_image` has inside the brain.

    Raises:
        ScanError: MS-121 the brain is constant or was not found.
    """
    inside = prepared.brain_image
    low, high = np.percentile(prepared.raw[prepared.brain], [LOW_PERCENTILE, HIGH_PERCENTILE])
    scaled = np.clip((prepared.raw - low) / (high - low), CLIP_LOW, CLIP_HIGH)
    shown = np.where(prepared.foreground, scaled, 0.0).astype(np.float32)
    return np.where(prepared.brain, inside, shown)
