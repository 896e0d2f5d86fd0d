"""Resampling from one voxel lattice to another through the affines, never by permute and crop.

A target voxel is carried to world coordinates and from there into the source lattice, so a scan
stored in any of the 48 axis orders and directions gives the same result, and nothing changes side.
Going to a coarser lattice, the source is first smoothed with the Gaussian whose width makes up the
difference of resolution (Cardoso et al., Scale factor point spread function matching, MICCAI 2015):
without it a fine pattern on one side and a half-voxel shift of it on the other would look like an
asymmetry.
"""

import math
from collections.abc import Sequence
from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.volumes.volume import Volume

FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
REACH_SIGMAS = 3.0  # the smoothing's Gaussian ends here
EDGE_VOXELS = 0.5  # a voxel reaches half its size beyond its centre


Box = tuple[slice, slice, slice]


def storage_canonical(
    voxels: NDArray[np.generic], *, affine: NDArray[np.float64]
) -> tuple[NDArray[np.generic], NDArray[np.float64]]:
    """Reorder the storage axes to run nearest to right, front and top; a view, no resampling.

    The image in the world is unchanged. It makes later arithmetic run in the same order whatever
    the storage order was, so results agree to the last bits and not only to rounding.

    Args:
        voxels: (x, y, z) values.
        affine: (4, 4) voxel to world, mm.

    Returns:
        Reordered voxels and the affine that belongs to them.
    """
    directions = affine[:3, :3] / np.linalg.norm(affine[:3, :3], axis=0)
    order = max(
        permutations(range(3)), key=lambda p: sum(abs(directions[i, p[i]]) for i in range(3))
    )
    reordered = np.transpose(voxels, order)
    to_old = np.zeros((4, 4))
    to_old[3, 3] = 1.0
    for world_axis, storage_axis in enumerate(order):
        negative = directions[world_axis, storage_axis] < 0
        to_old[storage_axis, world_axis] = -1.0 if negative else 1.0
        if negative:
            to_old[storage_axis, 3] = voxels.shape[storage_axis] - 1
            reordered = np.flip(reordered, axis=world_axis)
    return reordered, affine @ to_old


def lattice_steps(
    source_affine: NDArray[np.float64], *, target_affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Target sampling distance along each source axis, mm; (3,).

    For an isotropic target it is the target spacing whatever the rotation, so turning a scan
    through 45 degrees changes nothing abruptly.
    """
    directions = source_affine[:3, :3] / np.linalg.norm(source_affine[:3, :3], axis=0)
    return np.linalg.norm(directions.T @ target_affine[:3, :3], axis=1)


def _sigmas(
    affine: NDArray[np.float64], *, target_affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    """Standard deviation of the smoothing along each axis of a source, voxels; (3,)."""
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = lattice_steps(affine, target_affine=target_affine)
    fwhm = np.sqrt(np.clip(steps**2 - spacing**2, 0.0, None))
    return np.asarray(fwhm / FWHM_PER_SIGMA / spacing)


def antialias(
    voxels: NDArray[np.float32],
    *,
    affine: NDArray[np.float64],
    target_affine: NDArray[np.float64],
) -> NDArray[np.float32]:
    """Smooth a source until it holds no detail finer than the target lattice can carry.

    Per source axis with spacing s and target step t > s, the Gaussian has FWHM sqrt(t^2 - s^2) mm.
    An axis that is already as coarse as the target is left alone.
    """
    smooth = voxels
    for axis, sigma in enumerate(_sigmas(affine, target_affine=target_affine)):
        if sigma > 0.1:  # narrower than this changes no value by more than 1e-10
            smooth = ndimage.gaussian_filter1d(
                smooth, sigma, axis=axis, mode="nearest", truncate=REACH_SIGMAS
            )
    return smooth


def sample_lattice(
    voxels: NDArray[np.generic],
    *,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    target_affine: NDArray[np.float64],
    order: int = 1,
) -> NDArray[np.generic]:
    """Values of a source at the voxel centres of a target lattice; beyond it, its edge value.

    Args:
        voxels: (x, y, z) source values.
        affine: (4, 4) source voxel to world, mm.
        shape: target shape.
        target_affine: (4, 4) target voxel to world, mm.
        order: 1 trilinear, 0 nearest (labels).
    """
    to_source = np.linalg.inv(affine) @ target_affine
    return ndimage.affine_transform(
        voxels, to_source[:3, :3], to_source[:3, 3], shape, order=order, mode="nearest"
    )


def inside_view(
    source_shape: tuple[int, int, int],
    *,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    target_affine: NDArray[np.float64],
) -> NDArray[np.bool_]:
    """Which target voxel centres lie inside the field of view of a source; bool (x, y, z)."""
    to_source = np.linalg.inv(affine) @ target_affine
    inside = np.ones(shape, dtype=bool)
    axes = [np.arange(n, dtype=np.float64) for n in shape]
    for row in range(3):
        coordinate = (
            to_source[row, 0] * axes[0][:, None, None]
            + to_source[row, 1] * axes[1][None, :, None]
            + to_source[row, 2] * axes[2][None, None, :]
            + to_source[row, 3]
        )
        slack = 1e-6  # keeps a voxel that lies exactly on the border on the same side of rounding
        inside &= coordinate >= -EDGE_VOXELS - slack
        inside &= coordinate <= source_shape[row] - 1 + EDGE_VOXELS + slack
    return inside


def translation(start: Sequence[int]) -> NDArray[np.float64]:
    """(4, 4) matrix from voxels of a box that begins at ``start`` to voxels of the whole."""
    moved = np.eye(4)
    moved[:3, 3] = start
    return moved


def reached_box(
    ends: NDArray[np.float64],
    *,
    to_source: NDArray[np.float64],
    shape: tuple[int, int, int],
    margin: Sequence[int] = (0, 0, 0),
) -> Box:
    """Voxels of a source that a box of another lattice covers, never none.

    Args:
        ends: (3, 2) first and last coordinate of the box along each of its axes.
        to_source: (4, 4) its coordinates to voxels of the source.
        shape: of the source.
        margin: further voxels on both sides along each axis of the source.
    """
    corners = np.stack(np.meshgrid(*ends, indexing="ij")).reshape(3, -1)
    there = to_source[:3, :3] @ corners + to_source[:3, 3:]
    sides = []
    for low, high, size, more in zip(there.min(1), there.max(1), shape, margin, strict=True):
        start = min(max(math.floor(low) - more, 0), size - 1)
        sides.append(slice(start, max(min(math.ceil(high) + more + 1, size), start + 1)))
    return sides[0], sides[1], sides[2]


def resample(
    volume: Volume,
    *,
    to_shape: tuple[int, int, int],
    affine_to: NDArray[np.float64],
    order: int = 1,
    fill: float = 0.0,
) -> NDArray[Any]:
    """Resample a scan or label map to a lattice with one interpolation, anti-aliased when coarser.

    Args:
        volume: the source.
        to_shape: (x, y, z) of the target.
        affine_to: (4, 4) target voxel to world, mm.
        order: 1 trilinear after anti-aliasing (float32 result), 0 nearest (dtype kept).
        fill: value outside the field of view of the source.

    Returns:
        Array of shape to_shape.
    """
    voxels, affine = storage_canonical(volume.voxels, affine=volume.affine)
    seen = inside_view(voxels.shape, affine=affine, shape=to_shape, target_affine=affine_to)
    box = _needed(voxels.shape, affine=affine, shape=to_shape, target_affine=affine_to)
    voxels, affine = voxels[box], affine @ translation([side.start for side in box])
    if order:
        smooth = voxels.astype(np.float32, copy=False)
        voxels = antialias(smooth, affine=affine, target_affine=affine_to)
    values = sample_lattice(
        voxels, affine=affine, shape=to_shape, target_affine=affine_to, order=order
    )
    values[~seen] = fill
    return values


def _needed(
    shape_from: tuple[int, int, int],
    *,
    affine: NDArray[np.float64],
    shape: tuple[int, int, int],
    target_affine: NDArray[np.float64],
) -> Box:
    """Voxels of a source that decide any value of a target, smoothing and interpolation included.

    Its border is either the source's own or beyond the reach of every target voxel, so that values
    are those of the whole source.
    """
    reach = REACH_SIGMAS * _sigmas(affine, target_affine=target_affine)
    return reached_box(
        np.array([[0.0, n - 1.0] for n in shape]),
        to_source=np.linalg.inv(affine) @ target_affine,
        shape=shape_from,
        margin=[math.ceil(r) + 2 for r in reach],
    )
