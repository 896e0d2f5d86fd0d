"""Intensity scale and foreground of a scan of any contrast.

The foreground is the head (or an already stripped brain) against what surrounds it. The background
may be noisy air or a constant, and the constant need not be zero nor the smallest value: z-scored
scans often carry another number there. In CT it may be two things, air and what the scanner wrote
where it did not measure.
"""

from dataclasses import dataclass, replace

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.errors import ScanError
from medsym.volumes.holes import filled
from medsym.volumes.volume import Volume

CONSTANT_SHARE = 0.2  # a single value held by more of the voxels than this is a constant background
QUANTUM = 1e-4  # of the intensity range: values closer than this count as one value
HEAD_LEVEL = 0.1  # head threshold between background and bright tissue (as in BET, Smith 2002)
LOW_PERCENTILE, HIGH_PERCENTILE = 1.0, 99.0
CLIP_LOW, CLIP_HIGH = -0.5, 1.5
PADDING_HU = -1100.0  # air is -1000 HU; GE writes -2000 or -3024 outside the circle of the scan
AIR_HU = -900.0  # darker is air, brighter is fat or a partly filled voxel
AIR_SHARE = 0.1  # of the voxels above PADDING_HU must be air: then the values are Hounsfield units


def without_padding(image: NDArray[np.floating]) -> NDArray[np.floating]:
    """Values with the padding of a CT replaced by its own background; other images as they are.

    The number outside the circle of a CT is no measurement. As the background it would make the
    air around the head part of the head. Such a scan is told by values below -1100 beside much air
    near -1000.

    Args:
        image: finite values of any shape.

    Returns:
        A copy, or the image itself when nothing is replaced.

    Example:
        >>> without_padding(np.array([-3024.0, -1000.0, -1000.0, 40.0])).tolist()
        [-1000.0, -1000.0, -1000.0, 40.0]
    """
    if not image.min() < PADDING_HU:
        return image
    measured = image[image >= PADDING_HU]
    if not _shows_air(measured):
        return image
    return np.where(image < PADDING_HU, background_level(measured)[0], image).astype(image.dtype)


def _shows_air(image: NDArray[np.floating]) -> bool:
    """Whether the values are Hounsfield units of a scan with air in it, without padding."""
    air = (image >= PADDING_HU) & (image <= AIR_HU)
    return bool(air.sum() > AIR_SHARE * image.size) and bool(image.min() >= PADDING_HU)


def unpadded(volume: Volume) -> Volume:
    """The scan as its background and its head are judged; its own voxels are not changed."""
    voxels = without_padding(volume.voxels)
    return volume if voxels is volume.voxels else replace(volume, voxels=voxels)


@dataclass(frozen=True, kw_only=True, slots=True)
class SeenScan:
    """A scan as its head is judged, worked out once: every stage of the preparation needs it.

    Attributes:
        scan: the scan as read.
        volume: the same without the padding of a CT; the same object for other scans.
        level: intensity of the surroundings, see ``background_level``.
    """

    scan: Volume
    volume: Volume
    level: float


def see(scan: Volume) -> SeenScan:
    """Judge the surroundings of a scan.

    Raises:
        ScanError: MS-121 when the scan is constant.
    """
    volume = unpadded(scan)
    return SeenScan(scan=scan, volume=volume, level=background_level(volume.voxels)[0])


def background_level(image: NDArray[np.floating]) -> tuple[float, bool]:
    """Intensity of the surroundings, and whether it is one constant value; no CT padding.

    Args:
        image: finite values of any shape.

    Returns:
        Level and True when more than CONSTANT_SHARE of the voxels share it; else the 2nd
        percentile.

    Raises:
        ScanError: MS-121 when the whole image is constant.
    """
    image = without_padding(image)
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
        solid = filled(solid, slices_of=axis)
    return solid


def foreground_mask(image: NDArray[np.floating]) -> NDArray[np.bool_]:
    """Head, or stripped brain, against the background; (x, y, z).

    A constant background is recognised first and may have any value; otherwise, and for a head
    whose air is partly constant and for CT, everything brighter than a tenth of bright tissue
    counts. The result is one solid piece.

    Raises:
        ScanError: MS-121 when the image is constant.
    """
    image = without_padding(image)
    level, constant = background_level(image)
    scale = float(np.percentile(image, 99.5)) - level
    if constant:
        differs = np.abs(image - level) > 0.01 * max(scale, float(np.ptp(image)) * 0.01)
        exact = _solid(differs)
        if level > float(image.min()) + 0.05 * scale:
            return exact
        bright = _solid(image > level + HEAD_LEVEL * _bright_scale(image, level=level))
        partly = _shows_air(image) or exact.sum() >= 1.25 * bright.sum()
        return bright if partly else exact
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
