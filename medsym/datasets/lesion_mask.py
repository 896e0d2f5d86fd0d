"""Bringing an expert mask onto the symmetric grid, with the checks that show that it belongs there.

A mask goes through world coordinates, like its scan. That is right only if its header is right, and
masks are the files whose headers are most often lost on the way through other programs.
"""

from dataclasses import replace
from itertools import product
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medsym.datasets.visit import VisitScan
from medsym.errors import ScanError
from medsym.types import MaskArray, Points
from medsym.volumes.nifti import read_label_map
from medsym.volumes.prepared import PreparedScan
from medsym.volumes.resampling import inside_view, resample
from medsym.volumes.volume import Volume

SHIFT_VOXELS = 0.5  # a mask with its scan's number of voxels lies this close to it, or is refused
HALF = 0.5  # of a voxel inside the lesion makes it lesion, as in the synthetic labels
SMALLEST_INSIDE = 0.5  # share of a lesion that must lie in the head
FIX_ORDER = (
    "Look at both together; store the mask in the order of its scan, or set data.masks_restored: "
    "true when every mask was rightly stored anew"
)
LARGEST_SHARE = 0.8  # of the brain: more is a brain mask, not a lesion


def read_mask(path: Path, *, labels: tuple[int, ...]) -> Volume:
    """Read a mask as float32, 1 inside the lesion.

    Args:
        path: the file.
        labels: values that are lesion; empty takes everything above 0.

    Raises:
        ScanError: as `read_label_map`.
    """
    mask = read_label_map(path)
    inside = np.isin(mask.voxels, labels) if labels else mask.voxels > 0
    return replace(mask, voxels=inside.astype(np.float32))


def check_same_place(
    mask: Volume, *, scan: Volume, restored: bool = False, fix_order: str = FIX_ORDER
) -> None:
    """Refuse a mask that has its scan's numbers of voxels and lies elsewhere in the world.

    Such a mask was drawn on this scan and lost its header. Which of the two is meant cannot be
    known: its voxels or its coordinates. A header that mirrors the mask leaves its box where it
    is, and looks the same as a mask that was rightly stored in another order: it is refused too.

    Args:
        mask: of any shape; one of another shape than the scan's is not judged.
        scan: the scan.
        restored: the user states that masks were rightly stored in another order than scans.
        fix_order: what to do about a mask in another order.

    Raises:
        ScanError: MS-351.
    """
    if sorted(mask.shape) != sorted(scan.shape):
        return
    distance = _box_distance(_corners(mask), _corners(scan))
    limit = SHIFT_VOXELS * min(scan.spacing_mm)
    if distance > limit:
        raise ScanError(
            code="MS-351",
            subject=str(mask.path),
            cause=f"has the voxels of its scan and lies up to {distance:.1f} mm away from it "
            f"({mask.axcodes} against {scan.axcodes})",
            fix="Give the mask the header of its scan, after looking at both together",
        )
    if mask.axcodes != scan.axcodes and not restored:
        raise ScanError(
            code="MS-351",
            subject=str(mask.path),
            cause=f"has the voxels of its scan in another order ({mask.axcodes} against "
            f"{scan.axcodes}); a header that mirrors the lesion looks the same",
            fix=fix_order,
        )


def _corners(volume: Volume) -> Points:
    """World positions of the outer corners of a volume, (8, 3), mm."""
    index = np.array(list(product(*[(-0.5, n - 0.5) for n in volume.shape])), dtype=np.float64)
    return index @ volume.affine[:3, :3].T + volume.affine[:3, 3]


def _box_distance(first: Points, second: Points) -> float:
    """Largest distance of a corner of one box to the nearest of the other, mm."""
    apart = np.linalg.norm(first[:, None] - second[None], axis=2)
    return float(apart.min(axis=1).max())


def lesion_on_grid(mask: Volume, *, prepared: PreparedScan, scan: VisitScan) -> MaskArray:
    """Where the lesion fills at least half of a voxel of the symmetric grid.

    Args:
        mask: float32, 1 inside the lesion, on any grid of the same world.
        prepared: the scan that it belongs to.
        scan: names the files in errors.

    Returns:
        (x, y, z) bool, inside the field of view.

    Raises:
        ScanError: MS-352 most of the lesion lies outside the head, or it covers the whole brain.
    """
    grid = prepared.grid
    share = resample(mask, to_shape=grid.shape, affine_to=prepared.grid_to_world)
    lesion = np.asarray(share >= HALF)
    inside = _share_in_head(mask, prepared=prepared, head=prepared.foreground | prepared.brain)
    if inside < SMALLEST_INSIDE:
        cause = f"{100 * (1 - inside):.0f} % of the lesion lies outside the head in"
        raise _misplaced(mask, cause, scan)
    if lesion.sum() > LARGEST_SHARE * max(int(prepared.brain.sum()), 1):
        raise _misplaced(mask, "covers the whole brain of", scan)
    return lesion & field_of_view(prepared)


def field_of_view(prepared: PreparedScan) -> MaskArray:
    """Voxels of the grid inside the field of view of the scan; (x, y, z) bool."""
    return inside_view(
        prepared.scan.shape,
        affine=prepared.scan.affine,
        shape=prepared.grid.shape,
        target_affine=prepared.grid_to_world,
    )


def _share_in_head(mask: Volume, *, prepared: PreparedScan, head: MaskArray) -> float:
    """Share of the mask's own voxels that lie in the head; 1 for an empty mask."""
    voxels = np.argwhere(mask.voxels > HALF)
    if not len(voxels):
        return 1.0
    to_grid = np.linalg.inv(prepared.grid_to_world) @ mask.affine
    index = np.rint(voxels @ to_grid[:3, :3].T + to_grid[:3, 3]).astype(np.int64)
    on_grid = np.all((index >= 0) & (index < head.shape), axis=1)
    return float(head[tuple(index[on_grid].T)].sum()) / len(voxels)


def _misplaced(mask: Volume, cause: str, scan: VisitScan) -> ScanError:
    fix = "Check that it is a lesion mask and look at both files together"
    if scan.drawn_on is not None:
        fix += f"; it was drawn on {scan.drawn_on}, which may lie differently"
    return ScanError(
        code="MS-352", subject=str(mask.path), cause=f"{cause} {scan.path.name}", fix=fix
    )


def check_side(lesion: MaskArray, *, stated: str | None, path: Path) -> None:
    """Refuse a lesion on the other side than the data set's own table says.

    Args:
        lesion: (x, y, z) on the symmetric grid; x grows to the patient's right.
        stated: "left", "right" or None when nothing is stated.
        path: of the mask.

    Raises:
        ScanError: MS-353.
    """
    if stated is None or not lesion.any():
        return
    half = lesion.shape[0] // 2
    right = float(lesion[half:].sum()) / float(lesion.sum())
    found = "right" if right > 0.5 else "left"
    if found != stated:
        raise ScanError(
            code="MS-353",
            subject=str(path),
            cause=f"{100 * max(right, 1 - right):.0f} % of the lesion lies on the {found}, the "
            f"table of the data set says {stated}",
            fix="The file was mirrored, or the table is wrong: find out which before training",
        )


def lesion_ml(mask: Volume) -> float:
    """Volume of the lesion on its own grid, ml."""
    return float(mask.voxels.sum()) * abs(float(np.linalg.det(mask.affine[:3, :3]))) / 1000.0


def mask_notes(
    mask: Volume, lesion: NDArray[np.bool_], *, prepared: PreparedScan, scan: VisitScan
) -> tuple[str, ...]:
    """What to know about a mask that was accepted."""
    notes = []
    if scan.drawn_on is not None:
        notes.append(f"the mask was drawn on {scan.drawn_on} and reached {scan.contrast} unmoved")
    if mask.voxels.any() and not lesion.any():
        notes.append(
            f"the lesion of {1000 * lesion_ml(mask):.0f} mm3 is too small for voxels of "
            f"{prepared.grid.spacing_mm:g} mm"
        )
    count = int(lesion.sum())
    outside = int((lesion & ~prepared.brain).sum())
    if outside:
        notes.append(f"{100 * outside / count:.0f} % of the lesion is outside the brain mask")
    return tuple(notes)
