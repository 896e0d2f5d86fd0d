"""How far the asymmetry exceeds the bound: from the maps as written."""

from collections.abc import Sequence

import numpy as np

from app.viewer.grid import DisplayGrid, FloatArray, resample
from medsym.volumes.volume import Volume

#: Maps that mean nothing where nothing was compared.
COMPARED = ("asymmetry", "bound", "deviation")


def find_margin(
    bound: Volume,
    values: dict[str, FloatArray],
    *,
    grid: DisplayGrid,
    mirror_world: Sequence[Sequence[float]],
) -> FloatArray:
    """Size of the asymmetry minus the bound; what was not compared becomes "no data" in all maps.

    As in the findings, an asymmetry has to exceed the larger bound of its place and of the mirror
    place. A bound is positive wherever the two sides were compared, and zero elsewhere.

    Args:
        bound: the written map, nats.
        values: kind -> (x, y, z) map on `grid`; those of COMPARED are changed in place.
        grid: the grid of the browser's maps.
        mirror_world: (4, 4) world mm -> mirror place, world mm.

    Returns:
        (x, y, z) nats: positive beyond the bound, at most 0 under it, NaN where nothing was
        compared.
    """
    positive = (bound.voxels > 0).astype(np.float32)
    compared = resample(positive, affine=bound.affine, grid=grid, order=0) > 0.5
    there = np.linalg.inv(np.asarray(mirror_world, dtype=np.float64)) @ bound.affine
    mirrored = resample(bound.voxels, affine=there, grid=grid, order=1)
    limit = np.fmax(values["bound"], mirrored)
    margin = np.asarray(np.abs(values["asymmetry"]) - limit, dtype=np.float32)
    margin[~compared] = np.nan
    for kind in COMPARED:
        if kind in values:
            values[kind][~compared] = np.nan
    return margin
