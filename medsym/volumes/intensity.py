"""Intensity scale and foreground of a scan of any contrast.

The foreground is the head (or an already stripped brain) against what surrounds it. The background
may be noisy air or a constant, and the constant need not be zero nor the smallest value: z-scored
scans often carry another number there.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.errors import ScanError

CONSTANT_SHARE = 0.2  # a single value held by more of the voxels than this is a constant background
QUANTUM = 1e-4  # of the intensity range: values closer than this count as one value
HEAD_LEVEL = 0.1  # head threshold between background and bright tissue (as in BET, Smith 2002)
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0
CLIP_LOW, CLIP_HIGH = -0.5, 1.5


def background_level(image: NDArray[np.floating]) -> tuple[float, bool]:
    """Intensity of the surroundings, and whether it is one constant value.

    Args:
        image: finite values of any shape.

    Returns:
        Level and True when more than CONSTANT_SHARE of the voxels share it; else the 2nd
        percentile.

    Raises:
        ScanError: MS-121 when the whole image is constant.
    """
    low, high = (float(v) for v in np.percentile(image, [2.0, 99.5]))
    minimum, maximum = float(image.min()), float(image.max())
    if not maximum > minimum:
        raise ScanError(
            code="MS-121",
            subject="scan",
            cause=f"every voxel has the value {minimum:g}.",
            fix="Export the series again; this file holds no image.",
        )
    quantum = QUANTUM * ((high - low) or (maximum - minimum))
    values, counts = np.unique(np.rint((image - low) / quantum), return_counts=True)
    mode = int(counts.argmax())
    if counts[mode] > CONSTANT_SHARE * image.size:
        return low + float(values[mode]) * quantum, True
    return low, False


def _solid(mask: NDArray[np.bool_]) -> NDArray[np.bool_]:
    """Largest piece after opening, with its holes and its slice-wise holes filled."""
    opened = ndimage.binary_opening(mask)
    labels, count = ndimage.label(opened if opened.any() else mask)
    if count > 1:
        sizes = np.bincount(labels.ravel())
        sizes[0] = 0
        labels = labels == sizes.argmax()
    solid = ndimage.binary_closing(np.pad(labels > 0, 2), iterations=2)[2:-2, 2:-2, 2:-2]
    for axis in range(solid.ndim):
        for index in range(solid.shape[axis]):
            place = tuple(index if a == axis else slice(None) for a in range(solid.ndim))
            solid[place] = ndimage.binary_fill_holes(solid[place])
    return solid


def foreground_mask(image: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Head, or stripped brain, against the background; (x, y, z).

    A constant background is recognised first and may have any value; otherwise, and for a head
    whose air is partly constant, everything brighter than a tenth of bright tissue counts. The
    result is one solid piece.

    Raises:
        ScanError: MS-121 when the image is constant.
    """
    level, constant = background_level(image)
    scale = float(np.percentile(image, 99.5)) - level
    if constant:
        differs = np.abs(image - level) > 0.01 * max(scale, float(np.ptp(image)) * 0.01)
        exact = _solid(differs)
        if level > float(image.min()) + 0.05 * scale:
            return exact
        bright = _solid(image > level + HEAD_LEVEL * _bright_scale(image, level=level))
        return exact if exact.sum() < 1.25 * bright.sum() else bright
    return _solid(image > level + HEAD_LEVEL * _bright_scale(image, level=level))


def _bright_scale(image: NDArray[np.floating], *, level: float) -> float:
    """Height of bright tissue over the background, from the brighter part of the image alone."""
    above = image[image > level + 0.05 * (float(np.percentile(image, 99.5)) - level)]
    return float(np.percentile(above, 95.0)) - level


def normalise(
    image: NDArray[np.floating], mask: NDArray[np.bool_], *, subject: str = "scan"
) -> NDArray[np.float32]:
    """Scale so that percentiles 1 and 99 inside a mask become 0 and 1; exactly 0 outside.

    Args:
        image: (x, y, z) values of any unit.
        mask: where the percentiles are taken.
        subject: file named in the error.

    Returns:
        float32 values in [-0.5, 1.5].

    Raises:
        ScanError: MS-121 when the values inside the mask are constant or the mask is empty.
    """
    inside = image[mask]
    low, high = np.percentile(inside, [LOW_PERCENTILE, HIGH_PERCENTILE]) if inside.size else (0, 0)
    if not high > low:
        raise ScanError(
            code="MS-121",
            subject=subject,
            cause=f"the {inside.size} voxels of the head do not differ in intensity.",
            fix="Export the series again; this file holds no image.",
        )
    scaled = np.clip((image - low) / (high - low), CLIP_LOW, CLIP_HIGH)
    return np.where(mask, scaled, 0.0).astype(np.float32)
