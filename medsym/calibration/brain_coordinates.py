"""Brain coordinates: where in the brain a voxel lies, for brains of any size.

x counts from the mid-plane outwards, y and z from the middle of the brain, each divided by half the
extent of the brain. Maps of different heads meet on a small grid of these coordinates.
"""

from collections.abc import Sequence

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import map_coordinates

BoolMap = NDArray[np.bool_]


#: Shape of the reference grid; about 5 mm a voxel for an adult brain. Even in x.
REFERENCE_SHAPE = (32, 40, 32)
#: The grid spans this many half extents on either side, so that the rim of the brain is inside.
REFERENCE_SPAN = 1.2


def _extent(brain: BoolMap) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
    """Centre and half extent of the brain in voxels, ignoring the outermost percent."""
    if not brain.any():
        return np.array([(n - 1) / 2 for n in brain.shape]), np.array([n / 2 for n in brain.shape])
    x, y, z = (axis.astype(np.float64) for axis in np.nonzero(brain))
    middle = (brain.shape[0] - 1) / 2
    half_x = float(np.percentile(np.abs(x - middle), 99))
    low, high = np.percentile(np.stack([y, z]), [1, 99], axis=1)
    centre = np.array([middle, *((low + high) / 2)])
    return centre, np.maximum([half_x, *((high - low) / 2)], 1.0)


def _brain_coordinates(
    shape: Sequence[int], centre: NDArray[np.float64], half: NDArray[np.float64]
) -> list[NDArray[np.float64]]:
    axes = [(np.arange(n) - c) / h for n, c, h in zip(shape, centre, half, strict=True)]
    return list(np.meshgrid(*axes, indexing="ij"))


def to_reference(values: NDArray[np.float64], brain: BoolMap) -> NDArray[np.float64]:
    """Resample a map of the symmetric grid to the reference grid of brain coordinates.

    Args:
        values: (x, y, z) map; 0 is taken for what lies beyond the grid.
        brain: brain mask on the same grid.
    """
    centre, half = _extent(brain)
    axes = [((np.arange(n) + 0.5) / n * 2 - 1) * REFERENCE_SPAN for n in REFERENCE_SHAPE]
    points = np.meshgrid(*axes, indexing="ij")
    at = [p * h + c for p, h, c in zip(points, half, centre, strict=True)]
    return map_coordinates(values, at, order=1, mode="constant", cval=0.0)


def places_in_reference(brain: BoolMap) -> list[NDArray[np.float64]]:
    """Where the voxels of a symmetric grid lie on the reference grid: three (x, y, z) arrays.

    Args:
        brain: brain mask (x, y, z) of the case.
    """
    points = _brain_coordinates(brain.shape, *_extent(brain))
    return [
        (axis / REFERENCE_SPAN + 1.0) * size / 2 - 0.5
        for axis, size in zip(points, REFERENCE_SHAPE, strict=True)
    ]


def sample_reference(
    values: NDArray[np.float64],
    places: Sequence[NDArray[np.floating]] | NDArray[np.floating],
) -> NDArray[np.float64]:
    """Values of a reference map at places of ``places_in_reference``, between voxels linearly."""
    return np.asarray(map_coordinates(values, places, order=1, mode="nearest"))


def from_reference(values: NDArray[np.float64], brain: BoolMap) -> NDArray[np.float64]:
    """Resample a map of the reference grid to the symmetric grid of a case.

    Args:
        values: map of shape ``REFERENCE_SHAPE``.
        brain: brain mask (x, y, z) of the case.
    """
    return sample_reference(values, places_in_reference(brain))
