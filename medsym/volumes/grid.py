"""From a scan to the symmetric grid and exactly back.

prepare_scan finds the mid-plane, puts the scan on the symmetric grid with a single interpolation,
finds the brain and says which voxels can be compared with their mirror image. to_scan_grid carries
any map made there back to the scan's own voxels.
"""

import numpy as np
from numpy.typing import NDArray

from medsym.volumes.frame import SymmetricGrid, frame_to_world
from medsym.volumes.intensity import see
from medsym.volumes.midplane import MidPlane, estimate_midplane
from medsym.volumes.plane_search import polish_plane, search_plane
from medsym.volumes.plane_space import build_space, head_centre
from medsym.volumes.prepared import PreparedScan, assemble, mask_centre
from medsym.volumes.resampling import (
    Box,
    inside_view,
    reached_box,
    resample,
    sample_lattice,
    translation,
)
from medsym.volumes.volume import Volume

__all__ = [
    "MidPlane",
    "PreparedScan",
    "SymmetricGrid",
    "frame_to_world",
    "prepare_scan",
    "refine",
    "resample",
    "to_scan_grid",
]


def prepare_scan(
    scan: Volume,
    *,
    grid: SymmetricGrid | None = None,
    brain_mask: Volume | None = None,
    plane: MidPlane | None = None,
) -> PreparedScan:
    """Align a scan to its mid-plane and put it on the symmetric grid.

    Args:
        scan: a head or stripped brain of any contrast, spacing, tilt up to 20 degrees and storage
            order.
        grid: the lattice; default 64 x 80 x 64 voxels of 3 mm.
        brain_mask: optional mask on any lattice in the same world space; used instead of the
            built-in.
        plane: optional known mid-plane; then none is estimated.

    Returns:
        The prepared scan.

    Raises:
        ScanError: MS-121 when the scan is constant.
    """
    lattice, seen = grid or SymmetricGrid(), see(scan)
    if brain_mask is not None:
        found = plane or estimate_midplane(scan, weights=brain_mask)
        centre = mask_centre(brain_mask.voxels > 0.5, affine=brain_mask.affine)
        return assemble(seen, grid=lattice, plane=found, centre_mm=centre, brain=brain_mask)
    centre = head_centre(seen)
    found = plane or search_plane(build_space(seen, centre_mm=centre))
    first = assemble(seen, grid=lattice, plane=found, centre_mm=centre)
    if plane is not None:
        centre = mask_centre(first.brain, affine=first.grid_to_world)
        brain = Volume(voxels=first.brain.astype(np.float32), affine=first.grid_to_world)
        return assemble(seen, grid=lattice, plane=plane, centre_mm=centre, brain=brain)
    return refine(first, first.brain)


def refine(prepared: PreparedScan, brain: NDArray[np.bool_] | Volume) -> PreparedScan:
    """Repeat the alignment with a better brain mask, for instance the network's.

    The plane is improved with the brain's voxels as the only voters, the grid is centred on the
    brain, and the scan is resampled from its own voxels again.

    Args:
        prepared: result of prepare_scan.
        brain: bool mask on the grid of prepared, or float32 mask on any lattice in the same world;
            it becomes the result's brain.
    """
    weights = (
        brain
        if isinstance(brain, Volume)
        else Volume(voxels=np.asarray(brain, dtype=np.float32), affine=prepared.grid_to_world)
    )
    space = build_space(prepared.seen, weights=weights)
    plane = polish_plane(space, start=prepared.plane)
    centre = mask_centre(weights.voxels > 0.5, affine=weights.affine)
    return assemble(
        prepared.seen,
        grid=prepared.grid,
        plane=plane,
        centre_mm=centre,
        brain=weights,
    )


def to_scan_grid(
    prepared: PreparedScan,
    values_on_grid: NDArray[np.generic],
    *,
    order: int = 1,
    fill: float = 0.0,
) -> NDArray[np.generic]:
    """Carry a map from the symmetric grid back to the scan's own voxels.

    Args:
        prepared: the scan the map belongs to.
        values_on_grid: (x, y, z) map on the symmetric grid.
        order: 1 trilinear for maps (float32 result), 0 nearest for labels (dtype kept).
        fill: value outside the grid.

    Returns:
        Array of the scan's own shape, in its own storage order.
    """
    values = np.asarray(values_on_grid)
    if order:
        values = values.astype(np.float32)
    elif values.dtype == np.bool_:
        values = values.astype(np.uint8)
    box = _reach(prepared, values != fill)
    start = [side.start for side in box]
    shape = tuple(side.stop - side.start for side in box)
    affine = prepared.scan.affine @ translation(start)
    found = sample_lattice(
        values, affine=prepared.grid_to_world, shape=shape, target_affine=affine, order=order
    )
    inside = inside_view(
        values.shape, affine=prepared.grid_to_world, shape=shape, target_affine=affine
    )
    found[~inside] = fill
    # In the order of the bytes of a NIfTI file, so that it is written without another copy.
    whole = np.full(prepared.scan.shape, fill, dtype=values.dtype, order="F")
    whole[box] = found
    return whole.astype(np.bool_) if np.asarray(values_on_grid).dtype == np.bool_ else whole


def _reach(prepared: PreparedScan, marked: NDArray[np.bool_]) -> Box:
    """Box of the scan whose voxels an interpolation of the marked voxels of the grid can reach."""
    sides = [np.flatnonzero(marked.any(axis=other)) for other in ((1, 2), (0, 2), (0, 1))]
    if not sides[0].size:
        return (slice(0, 1),) * 3
    ends = np.array([[float(side[0]) - 1.0, float(side[-1]) + 1.0] for side in sides])
    to_scan = np.linalg.inv(prepared.scan.affine) @ prepared.grid_to_world
    return reached_box(ends, to_source=to_scan, shape=prepared.scan.shape)
