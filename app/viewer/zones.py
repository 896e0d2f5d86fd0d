"""The bound that a place has to exceed: the larger one of the place and its mirror place."""

from collections.abc import Sequence

import numpy as np

from app.viewer.grid import DisplayGrid, FloatArray, resample
from medsym.volumes.volume import Volume

#: Maps that mean nothing where nothing was compared.
COMPARED = ("asymmetry", "bound", "deviation")


def pair_bound(
    bound: Volume,
    values: dict[str, FloatArray],
    *,
    grid: DisplayGrid,
    mirror_world: Sequence[Sequence[float]],
) -> None:
    """Make the bound that of the pair; what was not compared becomes "no data" in all maps.

    As in the findings, an asymmetry has to exceed the larger bound of its place and of the mirror
    place. A bound is positive wherever the two sides were compared, and zero elsewhere.

    Args:
        bound: the written map, nats.
        values: kind -> (x, y, z) map on `grid`; those of COMPARED are changed in place.
        grid: the grid of the browser's maps.
        mirror_world: (4, 4) world mm -> mirror place, world mm.
    """
    positive = (bound.voxels > 0).astype(np.float32)
    compared = resample(positive, affine=bound.affine, grid=grid, order=0) > 0.5
    there = np.linalg.inv(np.asarray(mirror_world, dtype=np.float64)) @ bound.affine
    mirrored = resample(bound.voxels, affine=there, grid=grid, order=1)
    np.fmax(values["bound"], mirrored, out=values["bound"])
    for kind in COMPARED:
        if kind in values:
            values[kind][~compared] = np.nan


def keep_peaks(
    deviation: FloatArray,
    *,
    grid: DisplayGrid,
    peaks: Sequence[tuple[float, float, float, float]],
    mirror_world: Sequence[Sequence[float]],
) -> None:
    """Give the voxel nearest to a peak of the record its deviation, and the mirror voxel the other.

    Interpolation makes peaks smaller, so a threshold that a finding reaches would draw nothing.

    Args:
        deviation: (x, y, z) SD on `grid`, NaN where nothing was compared; changed in place.
        grid: the grid of the browser's maps.
        peaks: (x, y, z, deviation), world mm and SD.
        mirror_world: (4, 4) world mm -> mirror place, world mm; empty if it is not known.
    """
    for *place, value in peaks:
        pairs = [(np.asarray(place), value)]
        if len(mirror_world):
            pairs.append(((np.asarray(mirror_world) @ [*place, 1.0])[:3], -value))
        for mm, size in pairs:
            index = np.rint((mm - np.asarray(grid.origin_mm)) / grid.spacing_mm).astype(int)
            if ((index < 0) | (index >= grid.shape)).any():
                continue
            if abs(deviation[tuple(index)]) < abs(size):  # never where nothing was compared
                deviation[tuple(index)] = size
