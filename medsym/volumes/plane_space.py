"""The space in which mid-planes are compared: a world-aligned lattice around the head.

Everything here is fixed to the world and symmetric about the head's own centre, not to the storage
of the voxels, so the 48 ways of storing a scan give one answer and a mirrored scan gives the
mirrored one.
"""

from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray

from medsym.volumes.intensity import SeenScan, foreground_mask
from medsym.volumes.resampling import inside_view, resample
from medsym.volumes.volume import Volume

SPACING_MM = 2.0
SHAPE = (112, 128, 112)  # 224 x 256 x 224 mm around the centre
SURVEY_SPACING_MM = 4.0
BRAIN_HEIGHT_MM = 140.0  # from the top of the scalp to below the temporal lobes
VOTER_RADII_MM = (90.0, 110.0, 85.0)  # ellipsoid of voters around the centre when no mask is given
VOTER_LEVEL = 0.05  # of bright tissue: darker voxels carry no vote


@dataclass(frozen=True, kw_only=True, slots=True)
class PlaneSpace:
    """A scan made ready for comparing mid-planes.

    Attributes:
        image: (1, 2, x, y, z) float32: intensity with bright tissue near 1, and the field of view
            (0 or 1).
        votes: (x, y, z) float32 weight of each lattice point.
        centre_mm: (3,) world position of the centre of the lattice; planes are measured from here.
    """

    image: torch.Tensor
    votes: torch.Tensor
    centre_mm: NDArray[np.float64]


def _centred_affine(
    centre_mm: NDArray[np.float64], *, shape: tuple[int, int, int], spacing_mm: float
) -> NDArray[np.float64]:
    affine = np.diag([spacing_mm] * 3 + [1.0])
    affine[:3, 3] = centre_mm - 0.5 * spacing_mm * (np.asarray(shape) - 1.0)
    return affine


def head_centre(seen: SeenScan) -> NDArray[np.float64]:
    """World position near the brain centre, (3,) mm: centroid of the upper 140 mm of the head.

    Counting from the top of the head makes it independent of how much neck the scan shows.
    """
    volume = seen.volume
    corners = np.array(np.meshgrid(*[[-0.5, n - 0.5] for n in volume.shape])).reshape(3, -1)
    world = volume.affine[:3, :3] @ corners + volume.affine[:3, 3:]
    low, high = world.min(axis=1), world.max(axis=1)
    half = np.ceil((high - low) / (2 * SURVEY_SPACING_MM) - 1e-6).astype(int)
    shape = (2 * int(half[0]), 2 * int(half[1]), 2 * int(half[2]))
    survey = _centred_affine(0.5 * (low + high), shape=shape, spacing_mm=SURVEY_SPACING_MM)
    head = foreground_mask(resample(volume, to_shape=shape, affine_to=survey, fill=seen.level))
    area = head.sum(axis=(0, 1)) * SURVEY_SPACING_MM**2
    top = int(np.flatnonzero(area >= min(2000.0, 0.25 * float(area.max()))).max())
    head[:, :, : max(top + 1 - round(BRAIN_HEIGHT_MM / SURVEY_SPACING_MM), 0)] = False
    return _weighted_centre(head, affine=survey)


def _weighted_centre(
    weights: NDArray[np.generic], *, affine: NDArray[np.float64]
) -> NDArray[np.float64]:
    total = float(weights.sum())
    index = [
        float(weights.sum(axis=tuple(a for a in range(3) if a != axis)) @ np.arange(n)) / total
        for axis, n in enumerate(weights.shape)
    ]
    return affine[:3, :3] @ np.array(index) + affine[:3, 3]


def build_space(
    seen: SeenScan,
    *,
    weights: Volume | None = None,
    centre_mm: NDArray[np.float64] | None = None,
) -> PlaneSpace:
    """Resample a scan once, anti-aliased, to the 2 mm lattice on which planes are compared.

    Args:
        seen: the scan.
        weights: optional votes on any lattice in the same world space; else the upper head votes.
        centre_mm: the scan's ``head_centre`` where it is known; not used with weights.
    """
    volume, level = seen.volume, seen.level
    if weights is not None:
        centre = _weighted_centre(weights.voxels, affine=weights.affine)
    else:
        centre = head_centre(seen) if centre_mm is None else centre_mm
    target = _centred_affine(centre, shape=SHAPE, spacing_mm=SPACING_MM)
    values = resample(volume, to_shape=SHAPE, affine_to=target, fill=level)
    image = values - level
    view = inside_view(volume.shape, affine=volume.affine, shape=SHAPE, target_affine=target)
    if weights is None:
        chosen = (foreground_mask(values) & _ellipsoid()).astype(np.float32)
    else:
        chosen = resample(weights, to_shape=SHAPE, affine_to=target, order=1).astype(np.float32)
    votes = chosen * view
    scale = float(np.percentile(np.abs(image[votes > 0]), 98.0))
    image = np.clip(image / scale, -1.5, 1.5)
    channels = np.stack([image, view.astype(np.float32)]).astype(np.float32)
    return PlaneSpace(
        image=torch.from_numpy(channels)[None],
        votes=torch.from_numpy(votes * (np.abs(image) > VOTER_LEVEL)),
        centre_mm=centre,
    )


def _ellipsoid() -> NDArray[np.bool_]:
    axes = [
        ((np.arange(n) - 0.5 * (n - 1)) * SPACING_MM / radius) ** 2
        for n, radius in zip(SHAPE, VOTER_RADII_MM, strict=True)
    ]
    return axes[0][:, None, None] + axes[1][None, :, None] + axes[2][None, None, :] <= 1.0
