"""Where the asymmetry exceeds the bound: decided from the maps as written, not 16-bit copies."""

from collections.abc import Sequence

import numpy as np

from app.viewer.grid import DisplayGrid, FloatArray, resample
from medsym.volumes.volume import Volume

WITHIN, BEYOND = 1.0, 2.0
COMPARED = ("asymmetry", "bound", "deviation")  # maps that mean nothing where nothing was compared


def find_zones(
    bound: Volume,
    values: dict[str, FloatArray],
    *,
    grid: DisplayGrid,
    mirror_world: Sequence[Sequence[float]],
) -> FloatArray:
    """Zone of every voxel; voxels that were not compared become "no data" in all maps of `values`.

    As in the findings, an asymmetry has to exceed the larger bound of its place and of the mirror
    place. A bound is positive wherever the two sides were compared, and zero elsewhere.

    Args:
        bound: the written map, nats.
        values: kind -> (x, y, z) map on `grid`; those of COMPARED are changed in place.
        grid: the grid of the browser's maps.
        mirror_world: (4, 4) world mm -> mirror place, world mm.

    Returns:
        (x, y, z) WITHIN, BEYOND, or NaN where nothing was compared.
    """
    positive = (bound.voxels > 0).astype(np.float32)
    compared = resample(positive, affine=bound.affine, grid=grid, order=0) > 0.5
    there = np.linalg.inv(np.asarray(mirror_world, dtype=np.float64)) @ bound.affine
    mirrored = resample(bound.voxels, affine=there, grid=grid, order=1)
    limit = np.fmax(values["bound"], mirrored)
    zones = np.where(np.abs(values["asymmetry"]) > limit, BEYOND, WITHIN).astype(np.float32)
    zones[~compared] = np.nan
    for kind in COMPARED:
        if kind in values:
            values[kind][~compared] = np.nan
    return zones
