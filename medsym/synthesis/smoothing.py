"""Box means and lengths of vectors, as sums along one axis after the other.

torch has both (``avg_pool3d``, ``norm``), but on one CPU thread they take 8 and 30 times as long on
the network's grid, and drawing a subject is made of them.
"""

from torch import Tensor

MOST_REPETITIONS = 6.0


def box_mean(volume: Tensor, *, times: int = 1, reach: int = 1, padded: bool = True) -> Tensor:
    """Mean over the cube of ``2 reach + 1`` voxels around each voxel of (..., x, y, z).

    Args:
        volume: float tensor; it is not changed.
        times: repetitions.
        reach: voxels on each side.
        padded: count voxels beyond the border as zeros; False leaves them out of the mean.
    """
    for _ in range(times):
        for dim in (-3, -2, -1):
            volume = _mean_along(volume, dim=dim, reach=reach, padded=padded)
    return volume


def _mean_along(volume: Tensor, *, dim: int, reach: int, padded: bool) -> Tensor:
    size = volume.shape[dim]
    total = volume.clone()
    counts = volume.new_ones(size)
    for step in range(1, min(reach, size - 1) + 1):
        rest = size - step
        total.narrow(dim, step, rest).add_(volume.narrow(dim, 0, rest))
        total.narrow(dim, 0, rest).add_(volume.narrow(dim, step, rest))
        counts[step:] += 1.0
        counts[:rest] += 1.0
    if padded:
        return total.div_(2 * reach + 1)
    return total.div_(counts.view([-1 if k == dim else 1 for k in (-3, -2, -1)]))


def smooth(volume: Tensor, *, sd_mm: float, spacing_mm: float) -> Tensor:
    """Near-Gaussian smoothing of (..., x, y, z) by repeated box means; zeros beyond the border.

    Args:
        volume: float tensor; it is not changed.
        sd_mm: wanted standard deviation; what is reached differs by less than a voxel.
        spacing_mm: of the voxels.
    """
    wanted = (sd_mm / spacing_mm) ** 2
    reach = 1
    while wanted / _box_variance(reach) > MOST_REPETITIONS:
        reach += 1
    times = max(1, round(wanted / _box_variance(reach)))
    return box_mean(volume, times=times, reach=reach)


def _box_variance(reach: int) -> float:
    """Variance, in voxels squared, of one box mean along one axis."""
    return ((2 * reach + 1) ** 2 - 1) / 12.0


def length(vectors: Tensor) -> Tensor:
    """Euclidean length of (component, x, y, z) vectors, (x, y, z)."""
    return vectors.square().sum(dim=0).sqrt()
