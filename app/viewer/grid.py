"""Display grid: any scan geometry resampled to one RAS+ axis-aligned grid that a browser can slice.

The browser knows only axis-aligned grids (origin and one spacing), so oblique, anisotropic and
left-handed scans are resampled here, by their own affine, never by a permutation of axes.
"""

import itertools
from dataclasses import dataclass
from typing import Any

import numpy as np
import numpy.typing as npt
from scipy import ndimage

from app.viewer.axes import is_beyond, resample_axes

FINEST_MM = 1.0  # finer than any deviation map; a 0.5 mm scan gains nothing on a screen pane
COARSEST_MM = 2.0  # thick slices still get smooth in-plane pixels
MAX_VOXELS = 8_000_000  # about 200 x 200 x 200: 16 MB as int16 in the browser

FloatArray = npt.NDArray[np.floating[Any]]
IntArray = npt.NDArray[np.integer[Any]]


@dataclass(frozen=True, kw_only=True, slots=True)
class DisplayGrid:
    """An isotropic RAS+ grid: world = origin_mm + spacing_mm * index, per axis.

    Attributes:
        shape: number of voxels along x (to the patient's right), y (front), z (up).
        spacing_mm: edge of a voxel, mm.
        origin_mm: world position of the centre of voxel (0, 0, 0), mm.
    """

    shape: tuple[int, int, int]
    spacing_mm: float
    origin_mm: tuple[float, float, float]

    @property
    def affine(self) -> npt.NDArray[np.float64]:
        """Voxel to world, (4, 4), mm."""
        matrix = np.diag([self.spacing_mm, self.spacing_mm, self.spacing_mm, 1.0])
        matrix[:3, 3] = self.origin_mm
        return matrix


def world_box(
    affine: FloatArray, *, low: tuple[int, ...], high: tuple[int, ...]
) -> tuple[FloatArray, FloatArray]:
    """World-aligned box around the voxel centres low..high (inclusive) of a grid, mm."""
    corners = np.array(
        [(*corner, 1.0) for corner in itertools.product(*zip(low, high, strict=True))]
    )
    points = (corners @ np.asarray(affine, dtype=np.float64).T)[:, :3]
    return points.min(axis=0), points.max(axis=0)


def fit_grid(
    low_mm: FloatArray, high_mm: FloatArray, *, spacing_mm: float, max_voxels: int = MAX_VOXELS
) -> DisplayGrid:
    """Smallest grid at `spacing_mm` over the box, coarsened until it has at most `max_voxels`.

    Args:
        low_mm: lower corner, first voxel centre, (3,).
        high_mm: upper corner, (3,).
        spacing_mm: wanted spacing, mm.
        max_voxels: upper limit of the number of voxels.

    Returns:
        A grid whose first voxel centre is exactly `low_mm`, so that an axis-aligned source with
        the same spacing is copied and not interpolated.
    """
    extent = np.asarray(high_mm, dtype=np.float64) - np.asarray(low_mm, dtype=np.float64)
    spacing = float(spacing_mm)
    while True:
        counts = np.floor(extent / spacing + 1e-4).astype(int) + 1
        if int(np.prod(counts)) <= max_voxels:
            break
        spacing *= max(1.01, (float(np.prod(counts)) / max_voxels) ** (1 / 3))
    nx, ny, nz = (int(count) for count in counts)
    x, y, z = (float(value) for value in low_mm)
    return DisplayGrid(shape=(nx, ny, nz), spacing_mm=spacing, origin_mm=(x, y, z))


def spacing_for(affine: FloatArray) -> float:
    """Display spacing of a scan: its finest spacing, kept between 1 and 2 mm."""
    finest = float(np.sqrt((np.asarray(affine)[:3, :3] ** 2).sum(axis=0)).min())
    return min(max(finest, FINEST_MM), COARSEST_MM)


def scan_grid(affine: FloatArray, shape: tuple[int, ...]) -> DisplayGrid:
    """Display grid over the whole field of view of a scan."""
    low, high = world_box(affine, low=(0, 0, 0), high=tuple(n - 1 for n in shape))
    return fit_grid(low, high, spacing_mm=spacing_for(affine))


def content_grid(
    affine: FloatArray, content: npt.NDArray[np.bool_], *, spacing_mm: float
) -> DisplayGrid:
    """Display grid over the box of the true voxels of `content`, one source voxel wider."""
    if not content.any():
        low_index: tuple[int, ...] = (0, 0, 0)
        high_index = tuple(n - 1 for n in content.shape)
    else:
        spans = [np.flatnonzero(content.any(axis=axes)) for axes in ((1, 2), (0, 2), (0, 1))]
        low_index = tuple(max(0, int(span[0]) - 1) for span in spans)
        high_index = tuple(
            min(n - 1, int(span[-1]) + 1) for span, n in zip(spans, content.shape, strict=True)
        )
    low, high = world_box(affine, low=low_index, high=high_index)
    return fit_grid(low, high, spacing_mm=spacing_mm)


def resample(
    voxels: FloatArray | IntArray, *, affine: FloatArray, grid: DisplayGrid, order: int
) -> FloatArray:
    """Resample an array onto the display grid; NaN outside the source's field of view.

    Args:
        voxels: source array (x, y, z) in any storage order.
        affine: source voxel to world, (4, 4), mm.
        grid: target.
        order: 1 linear for scans and maps, 0 nearest for labels.

    Returns:
        float32 array of grid.shape.
    """
    matrix = np.linalg.inv(np.asarray(affine, dtype=np.float64)) @ grid.affine
    matrix[np.abs(matrix) < 1e-9] = 0.0
    source = np.asarray(voxels, dtype=np.float32)
    if not (matrix[:3, :3] - np.diag(np.diag(matrix)[:3])).any():
        return resample_axes(source, matrix=matrix, shape=grid.shape, order=order)
    values = ndimage.affine_transform(
        source,
        matrix[:3, :3],
        offset=matrix[:3, 3],
        output_shape=grid.shape,
        order=order,
        mode="nearest",
        prefilter=False,
    )
    values[_outside(matrix, grid.shape, voxels.shape)] = np.nan
    return np.asarray(values, dtype=np.float32)


def _outside(
    matrix: FloatArray, shape: tuple[int, int, int], source: tuple[int, ...]
) -> npt.NDArray[np.bool_]:
    """Voxels of `shape` that fall more than half a voxel outside `source`."""
    outside = np.zeros(shape, dtype=bool)
    axes = np.ogrid[0 : shape[0], 0 : shape[1], 0 : shape[2]]
    for row, count in zip(matrix[:3], source, strict=True):
        index = row[0] * axes[0] + row[1] * axes[1] + row[2] * axes[2] + row[3]
        outside |= is_beyond(index, count)
    return outside
