"""From a scan to the symmetric grid and exactly back.

prepare_scan finds the mid-plane, puts the scan on the symmetric grid with a single interpolation,
finds the brain and says which voxels can be compared with their mirror image. to_scan_grid carries
any map made there back to the scan's own voxels.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.volumes.frame import SymmetricGrid, frame_to_world
from medsym.volumes.midplane import MidPlane, estimate_midplane, refine_midplane
from medsym.volumes.plane_space import head_centre
from medsym.volumes.prepared import PreparedScan, assemble, mask_centre
from medsym.volumes.resampling import inside_view, resample
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
    lattice = grid or SymmetricGrid()
    if brain_mask is not None:
        found = plane or estimate_midplane(scan, weights=brain_mask)
        centre = mask_centre(brain_mask.voxels > 0.5, affine=brain_mask.affine)
        return assemble(scan, grid=lattice, plane=found, centre_mm=centre, brain=brain_mask)
    found = plane or estimate_midplane(scan)
    first = assemble(scan, grid=lattice, plane=found, centre_mm=head_centre(scan))
    if plane is not None:
        centre = mask_centre(first.brain, affine=first.grid_to_world)
        brain = Volume(voxels=first.brain.astype(np.float32), affine=first.grid_to_world)
        return assemble(scan, grid=lattice, plane=plane, centre_mm=centre, brain=brain)
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
    plane = refine_midplane(prepared.scan, start=prepared.plane, weights=weights)
    centre = mask_centre(weights.voxels > 0.5, affine=weights.affine)
    return assemble(
        prepared.scan,
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
    to_grid = np.linalg.inv(prepared.grid_to_world) @ prepared.scan.affine
    shape = prepared.scan.shape
    found = ndimage.affine_transform(
        values, to_grid[:3, :3], to_grid[:3, 3], shape, order=order, mode="nearest"
    )
    inside = inside_view(
        values.shape,
        affine=prepared.grid_to_world,
        shape=shape,
        target_affine=prepared.scan.affine,
    )
    found[~inside] = fill
    return found.astype(np.bool_) if np.asarray(values_on_grid).dtype == np.bool_ else found
