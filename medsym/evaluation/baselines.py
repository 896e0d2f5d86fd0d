"""Maps that need no training: the first rows of every table."""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

#: Standard deviation of the smoothing of every baseline map, mm.
SMOOTHING_MM = 3.0
_ROBUST_SD = 1.4826  # standard deviation over median absolute deviation of a Gaussian

FloatMap = NDArray[np.float64]
BoolMap = NDArray[np.bool_]


def smooth_inside(values: NDArray[np.floating], inside: BoolMap, *, spacing_mm: float) -> FloatMap:
    """Gaussian average over the voxels inside a mask alone, 0 outside.

    What lies outside has no weight, so the border of the mask leaves no edge in the map.

    Args:
        values: (x, y, z).
        inside: (x, y, z) bool.
        spacing_mm: edge of a voxel.
    """
    sd = SMOOTHING_MM / spacing_mm
    weight = ndimage.gaussian_filter(inside.astype(np.float64), sd)
    total = ndimage.gaussian_filter(np.where(inside, values, 0.0).astype(np.float64), sd)
    return np.where(inside, total / np.maximum(weight, 1e-12), 0.0)


def signed_mirror_difference(image: NDArray[np.floating], *, spacing_mm: float) -> FloatMap:
    """Smoothed x - S x of a normalised volume (x, y, z), exactly antisymmetric.

    Only where a voxel and its mirror voxel both lie inside the image (values other than 0): the
    border of a mask is no asymmetry of the brain.
    """
    values = np.asarray(image, dtype=np.float64)
    filled = values != 0.0
    smooth = smooth_inside(values - values[::-1], filled & filled[::-1], spacing_mm=spacing_mm)
    return np.asarray((smooth - smooth[::-1]) / 2)


def mirror_difference(image: NDArray[np.floating], *, spacing_mm: float) -> FloatMap:
    """Smoothed |x - S x|: the field's simplest asymmetry map; it marks both sides alike."""
    return np.abs(signed_mirror_difference(image, spacing_mm=spacing_mm))


def robust_z(image: NDArray[np.floating], brain: BoolMap, *, spacing_mm: float) -> FloatMap:
    """Smoothed intensity in robust SD from the median of the brain, 0 outside of it.

    Its upper tail is the threshold on bright voxels that beat trained anomaly detectors on FLAIR
    (Meissen et al., "Challenging Current Semi-Supervised Anomaly Segmentation Methods for Brain
    MRI", arXiv:2109.06023), its lower tail the same on dark ones.
    """
    smooth = smooth_inside(image, brain, spacing_mm=spacing_mm)
    if not brain.any():
        return smooth
    values = smooth[brain]
    middle = float(np.median(values))
    spread = _ROBUST_SD * float(np.median(np.abs(values - middle)))
    return np.where(brain, (smooth - middle) / max(spread, 1e-6), 0.0)
