"""Brain mask without trained weights, on the symmetric grid.

A scan that comes stripped is recognised by its constant background and brain-sized foreground and
keeps its own outline. Otherwise an average brain is posed in the head and bent to its edge
(brain_surface). The network refines the mask later, so being roughly right on every head matters
more than the last percent.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

from medsym.volumes.brain_surface import HeadImage, bend, fill_surface, fit_pose
from medsym.volumes.intensity import background_level, foreground_mask

LARGEST_BRAIN_ML = 2000.0  # filled foreground above this is a head; adult brains end near 1900 ml
CUT_SHARE = 0.1  # of the outline at the border of view: a cropped head, not a stripped brain
CORE_RADIUS_MM = 45.0  # around the centre of the head this is nearly all brain
BRAIN_HEIGHT_MM = 140.0


def volume_ml(mask: NDArray[np.bool_], *, spacing_mm: float) -> float:
    """Volume of a mask in ml."""
    return float(mask.sum()) * spacing_mm**3 / 1000.0


def is_stripped(
    image: NDArray[np.floating],
    *,
    foreground: NDArray[np.bool_],
    spacing_mm: float,
    view: NDArray[np.bool_] | None = None,
) -> bool:
    """Whether a scan shows the brain only: constant surroundings, a brain-sized, uncut foreground.

    Args:
        image: (x, y, z) values on the symmetric grid, not normalised.
        foreground: its foreground_mask.
        spacing_mm: grid spacing.
        view: voxels inside the field of view of the scan; default all.
    """
    level, constant = background_level(image)
    if not constant or volume_ml(foreground, spacing_mm=spacing_mm) > LARGEST_BRAIN_ML:
        return False
    surface = foreground & ~ndimage.binary_erosion(foreground, border_value=1)
    seen = np.ones_like(foreground) if view is None else view
    border = seen & ~ndimage.binary_erosion(seen, iterations=2)
    cut = float((foreground & border).sum()) / max(int(surface.sum()), 1)
    outside = seen & ~ndimage.binary_dilation(foreground, iterations=2)
    tolerance = 0.01 * float(np.ptp(image))
    quiet = float((np.abs(image[outside] - level) < tolerance).mean()) if outside.any() else 0.0
    return cut < CUT_SHARE and quiet > 0.98


def upper_head(foreground: NDArray[np.bool_], *, spacing_mm: float) -> NDArray[np.bool_]:
    """The part of the head that can hold the brain: the top 140 mm."""
    area = foreground.sum(axis=(0, 1)) * spacing_mm**2
    top = int(np.flatnonzero(area >= min(2000.0, 0.25 * float(area.max()))).max())
    upper = foreground.copy()
    upper[:, :, : max(top + 1 - round(BRAIN_HEIGHT_MM / spacing_mm), 0)] = False
    return upper


def estimate_brain_mask(
    image: NDArray[np.floating],
    *,
    spacing_mm: float,
    view: NDArray[np.bool_] | None = None,
    foreground: NDArray[np.bool_] | None = None,
) -> NDArray[np.bool_]:
    """Brain with its inner and outer CSF; bool (x, y, z).

    Args:
        image: (x, y, z) values on the symmetric grid, not normalised.
        spacing_mm: grid spacing.
        view: voxels inside the field of view of the scan; default all.
        foreground: the image's foreground_mask where it is known.

    Returns:
        One solid piece.

    Raises:
        ScanError: MS-121 when the image is constant.
    """
    foreground = foreground_mask(image) if foreground is None else foreground
    if is_stripped(image, foreground=foreground, spacing_mm=spacing_mm, view=view):
        return foreground
    upper = upper_head(foreground, spacing_mm=spacing_mm)
    middle = 0.5 * (np.array(image.shape) - 1.0)
    centre = (np.array(ndimage.center_of_mass(upper)) - middle) * spacing_mm
    head = HeadImage(
        tissue=_tissue_scale(image, head=upper, spacing_mm=spacing_mm, centre_mm=centre),
        depth_mm=_skin_depth(foreground, view=view, spacing_mm=spacing_mm),
        spacing_mm=spacing_mm,
    )
    pose = fit_pose(head, centre_mm=centre)
    mask = fill_surface(
        bend(head, pose=pose),
        centre_mm=np.array([0.0, pose[0], pose[1]]),
        shape=image.shape,
        spacing_mm=spacing_mm,
    )
    return mask & foreground if view is None else mask & foreground & view


def _tissue_scale(
    image: NDArray[np.floating],
    *,
    head: NDArray[np.bool_],
    spacing_mm: float,
    centre_mm: NDArray[np.float64],
) -> NDArray[np.float64]:
    """Background 0, median of the middle of the head 1, clipped to [0, 1]."""
    axes = [(np.arange(n) - 0.5 * (n - 1)) * spacing_mm for n in image.shape]
    offsets = np.meshgrid(*[a - c for a, c in zip(axes, centre_mm, strict=True)], indexing="ij")
    core = head & (np.sqrt(sum(o**2 for o in offsets)) < CORE_RADIUS_MM)
    low = background_level(image)[0]
    scale = float(np.median(image[core])) - low
    return np.clip((np.asarray(image, dtype=np.float64) - low) / scale, 0.0, 1.0)


def _skin_depth(
    foreground: NDArray[np.bool_], *, view: NDArray[np.bool_] | None, spacing_mm: float
) -> NDArray[np.float64]:
    """Distance to the air that the scan shows, mm; a cut by the view is no skin."""
    air = ~foreground if view is None else view & ~foreground
    if not air.any():
        return np.full(foreground.shape, np.inf)
    return np.asarray(ndimage.distance_transform_edt(~air)) * spacing_mm
