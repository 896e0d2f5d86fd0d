"""From stored voxels to usable ones: intensity scaling, holes, constants, exactness, extent."""

import math

import numpy as np

from medsym.types import AffineMatrix, LabelMapArray, ScanArray, VoxelArray
from medsym.volumes.byte_stream import refuse
from medsym.volumes.header import LENGTH_UNITS, NiftiHeader
from medsym.volumes.volume import spacing_of
from medsym.volumes.voxel_order import in_c_order

MAX_HOLE_FRACTION = 1e-3  # share of NaN or infinite voxels that is repaired
MAX_EXACT_INTEGER = 2**24  # float32 holds every integer up to this
MIN_EXTENT_MM = 80.0  # a head is larger along every axis
MAX_EXTENT_MM = 400.0  # no head scan is larger
THICK_MM = 3.0  # voxels thicker than the analysis grid carry less than the map seems to show
LABEL_TOLERANCE = 1e-3  # distance from an integer that intensity scaling explains


def check_extent(header: NiftiHeader, affine: AffineMatrix) -> tuple[str, ...]:
    """Refuse what has not the size of a head; note thick slices.

    Raises:
        ScanError: MS-130 if an edge is shorter than 80 mm or longer than 400 mm.
    """
    spacing = spacing_of(affine)
    extent = spacing * np.array(header.shape)
    if extent.min() < MIN_EXTENT_MM or extent.max() > MAX_EXTENT_MM:
        edges = " x ".join(f"{edge:.4g}" for edge in extent)
        unit = LENGTH_UNITS.get(header.units, "unknown")
        cause = (
            f"measures {edges} mm, a head scan {MIN_EXTENT_MM:g} to {MAX_EXTENT_MM:g} mm; "
            f"the header's length unit is {unit}"
        )
        fix = "Give a scan of the whole head with voxel sizes in mm, and correct the unit if wrong"
        raise refuse("MS-130", header.path, cause, fix)
    thickest = float(spacing.max())
    if thickest <= THICK_MM * (1 + 1e-6):
        return ()
    return (f"voxels are {thickest:.3g} mm thick: maps finer than that are not meaningful",)


def to_intensities(raw: VoxelArray, header: NiftiHeader) -> tuple[ScanArray, tuple[str, ...]]:
    """Turn stored values into finite float32 intensities with the header's scaling applied.

    Args:
        raw: Stored voxels, shape (x, y, z).
        header: Header they belong to.

    Returns:
        Intensities and notes.

    Raises:
        ScanError: MS-105 scaling impossible, MS-120 too many holes, MS-121 constant image,
            MS-125 integers that float32 cannot hold.
    """
    notes = list(_check_exactness(raw, header))
    with np.errstate(over="ignore", invalid="ignore"):
        scaled, scaling_notes = _scaled(raw, header)
        voxels = scaled.astype(np.float32, copy=False)
    notes += scaling_notes
    holes = ~np.isfinite(voxels)
    num_holes = int(holes.sum())
    if num_holes > MAX_HOLE_FRACTION * voxels.size:
        cause = f"{100 * num_holes / voxels.size:.2f} % of voxels are NaN or infinite"
        fix = "Replace them by the background value, or export the scan again"
        raise refuse("MS-120", header.path, cause, fix)
    if num_holes:
        voxels = _filled(voxels, holes)
        notes.append(f"{num_holes} NaN or infinite voxels replaced by the median around them")
    if voxels.min() == voxels.max():
        cause = f"every voxel has the value {float(voxels.flat[0]):g}"
        raise refuse("MS-121", header.path, cause, "Give a scan that contains an image")
    return in_c_order(voxels), tuple(notes)


def to_labels(raw: VoxelArray, header: NiftiHeader) -> tuple[LabelMapArray, tuple[str, ...]]:
    """Turn stored values into int32 labels.

    Raises:
        ScanError: MS-105 scaling impossible, MS-120 NaN or infinite voxels, MS-126 values that
            are no labels.
    """
    scaled, notes = _scaled(raw, header)
    if not np.isfinite(scaled).all():
        cause = "a label map must not hold NaN or infinite voxels"
        raise refuse("MS-120", header.path, cause, "Replace them by 0")
    # Integers stay as they are: numpy would round small ones through float16.
    rounded = np.rint(scaled) if scaled.dtype.kind == "f" else scaled
    worst = float(np.abs(scaled - rounded).max()) if scaled.dtype.kind == "f" else 0.0
    if worst > LABEL_TOLERANCE:
        cause = f"holds values that are not whole numbers (off by up to {worst:.3g})"
        fix = "Give a label map; resample label maps with nearest neighbour"
        raise refuse("MS-126", header.path, cause, fix)
    limits = np.iinfo(np.int32)
    if rounded.min() < limits.min or rounded.max() > limits.max:
        raise refuse("MS-126", header.path, "holds labels beyond 32 bits", "Renumber the labels")
    return in_c_order(rounded.astype(np.int32)), notes


def _scaled(raw: VoxelArray, header: NiftiHeader) -> tuple[VoxelArray, tuple[str, ...]]:
    """Apply slope and intercept in float64; a slope of 0 or NaN means unscaled (nifti1.h)."""
    slope, intercept = header.slope, header.intercept
    if not math.isfinite(slope):
        return raw, (f"intensity slope {slope} ignored: voxels used as stored",)
    if slope == 0 or (slope == 1 and intercept == 0):
        return raw, ()
    if not math.isfinite(intercept):
        cause = f"the header scales intensities by {slope} but adds {intercept}"
        raise refuse("MS-105", header.path, cause, "Export the scan again from its source")
    return raw.astype(np.float64) * slope + intercept, ()


def _check_exactness(raw: VoxelArray, header: NiftiHeader) -> tuple[str, ...]:
    """Refuse 64-bit integers that float32 would change; note 32-bit ones."""
    if raw.dtype.kind not in "iu" or raw.dtype.itemsize < 4:
        return ()
    largest = max(abs(int(raw.min())), abs(int(raw.max())))
    if largest <= MAX_EXACT_INTEGER:
        return ()
    if raw.dtype.itemsize == 8:
        cause = f"64-bit integers up to {largest} would lose digits (limit {MAX_EXACT_INTEGER})"
        raise refuse("MS-125", header.path, cause, "Store the scan as float32 or int16")
    return (f"integers up to {largest} rounded to float32",)


def _filled(voxels: ScanArray, holes: np.ndarray) -> ScanArray:
    """Replace holes by the median of the finite voxels in the smallest cube that has any.

    Outside the head that is the background value, inside it the tissue around the hole.
    """
    filled = voxels.copy()
    for index in np.argwhere(holes):
        for radius in (2, 4, 8, 16, *voxels.shape):
            cube = tuple(slice(max(0, i - radius), i + radius + 1) for i in index)
            known = voxels[cube][~holes[cube]]
            if known.size:
                filled[tuple(index)] = np.median(known)
                break
    return filled
