"""Resampling from one voxel lattice to another through the affines, never by permute and crop.

A target voxel is carried to world coordinates and from there into the source lattice, so a scan
stored in any of the 48 axis orders and directions gives the same result, and nothing changes side.
Going to a coarser lattice, the source is first smoothed with the Gaussian whose width makes up the
difference of resolution (Cardoso et al., Scale factor point spread function matching, MICCAI 2015):
without it a fine pattern on one side and a half-voxel shift of it on the other would look like an
asymmetry.
"""

from itertools import permutations
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.volumes.volume import Volume

FWHM_PER_SIGMA = 2.0 * float(np.sqrt(2.0 * np.log(2.0)))
EDGE_VOXELS = 0.5  # a voxel reaches half its size beyond its centre


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
    spacing = np.linalg.norm(affine[:3, :3], axis=0)
    steps = lattice_steps(affine, target_affine=target_affine)
    fwhm = np.sqrt(np.clip(steps**2 - spacing**2, 0.0, None))
    smooth = voxels
    for axis, sigma in enumerate(fwhm / FWHM_PER_SIGMA / spacing):
        if sigma > 0.1:  # narrower than this changes no value by more than 1e-10
            smooth = ndimage.gaussian_filter1d(smooth, sigma, axis=axis, mode="nearest", truncate=3)
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
    if order:
        voxels = antialias(voxels.astype(np.float32), affine=affine, target_affine=affine_to)
    values = sample_lattice(
        voxels, affine=affine, shape=to_shape, target_affine=affine_to, order=order
    )
    seen = inside_view(voxels.shape, affine=affine, shape=to_shape, target_affine=affine_to)
    values[~seen] = fill
    return values
