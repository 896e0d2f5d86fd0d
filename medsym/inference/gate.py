"""Not assessable: reasons to withhold every number of a case, instead of a number that misleads."""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from medsym.inference.maps import BoolMap, CaseMaps
from medsym.models.structures import STRUCTURES
from medsym.volumes.intensity import background_level
from medsym.volumes.prepared import PreparedScan
from medsym.volumes.resampling import FWHM_PER_SIGMA

#: Plausible brain volume with ventricles, ml. Healthy adults: about 950 to 1800 ml; widened for
#: children above infancy, atrophy and mask error. Outside it, it is no whole human brain.
BRAIN_ML = (600.0, 2200.0)
#: Least share of the brain whose mirror voxel is in the field of view. Below it a hemisphere or a
#: slab was scanned and most of the brain cannot be compared.
MIN_COVERAGE = 0.7
#: Least overlap (Dice) of the network's brain with the weight-free rule's; 0.76 to 0.93 in 34 real
#: scans with the shipped network.
MIN_BRAIN_DICE = 0.6
#: Largest ratio of the two hemispheres' volumes. Hemispherectomy and worse is beyond the method,
#: and noise read as anatomy is rarely balanced.
MAX_HEMISPHERE_RATIO = 1.8
#: Least share of the structures of the table that must have been found, and the volume from which
#: a structure counts as found: less than a voxel of a 3 mm grid.
MIN_STRUCTURES = 0.5
MIN_STRUCTURE_ML = 0.025
#: Least mid-plane score; the score's range is [0, 1], higher is better. 0.63 to 0.77 in those
#: scans, 0.47 to 0.74 when axes of the file were exchanged. Noise and spheres score high.
MIN_PLANE_SCORE = 0.5
#: Least length (front to back) of the brain over its width: 1.12 to 1.30 in those scans, 0.74 to
#: 0.88 when the axes x and y of the file were exchanged. Such a file is aligned on a plane across
#: the head and shows strong differences. Not every exchange of axes is recognised.
MIN_LENGTH_OVER_WIDTH = 1.0
#: Least share of the intensity variance inside the brain that the structures explain. Tissues
#: differ in every contrast, so anatomy that explains nothing was imagined. 0.21 to 0.53 in those
#: scans; below 0.01 in objects filled with noise or water, 0.06 to 0.21 in smooth random blobs,
#: 0.02 to 0.24 in heads with exchanged axes: it does not recognise everything that is not a head.
MIN_EXPLAINED = 0.1
#: Least range (1st to 99th percentile) of the intensities inside the brain, relative to their
#: median over the background. A noisy bottle of water has 0.05; 1.1 to 6.4 in 11 MR heads.
MIN_CONTRAST = 0.3
#: Intensities are judged at this resolution, at which the limits were measured: detail and noise
#: that only a finer grid shows would lower the share that structures explain.
RESOLUTION_MM = 3.0
#: A background below this many Hounsfield units is the air of a CT scan.
AIR_HU = -500.0


@dataclass(frozen=True, kw_only=True, slots=True)
class GateValues:
    """What the gate looks at, kept with the case so that a refusal can be understood.

    Attributes:
        brain_ml: volume of the brain mask.
        coverage: share of the brain whose mirror voxel is in the field of view.
        brain_dice: overlap of the two brain masks.
        hemisphere_ratio: larger hemisphere over smaller, >= 1, inf if one is missing.
        structures_found: share of the structures with at least ``MIN_STRUCTURE_ML``.
        plane_score: mid-plane score in [0, 1].
        explained: share of the intensity variance that the structures explain, in [0, 1].
        contrast: range of the brain's intensities over their height above the background.
        length_over_width: extent of the brain from back to front over that from side to side.
        excluded: share of the brain that an exclusion mask leaves out, mirror places included.
    """

    brain_ml: float
    coverage: float
    brain_dice: float
    hemisphere_ratio: float
    structures_found: float
    plane_score: float
    explained: float
    contrast: float
    length_over_width: float
    excluded: float = 0.0


def length_over_width(brain: BoolMap) -> float:
    """Extent of the brain along y over that along x, outermost percent ignored; inf if empty."""
    if not brain.any():
        return float("inf")
    x, y, _ = np.nonzero(brain)
    (left, right), (back, front) = np.percentile(x, [1, 99]), np.percentile(y, [1, 99])
    return float(front - back + 1.0) / float(right - left + 1.0)


def explained_variance(
    image: NDArray[np.floating], *, labels: NDArray[np.integer], mask: BoolMap
) -> float:
    """Between-structure share of the variance of an image inside a mask, in [0, 1]."""
    values, groups = image[mask].astype(np.float64), labels[mask]
    total = float(np.var(values)) * values.size if values.size else 0.0
    if total == 0.0:
        return 0.0
    counts = np.bincount(groups)
    sums = np.bincount(groups, weights=values)
    present = counts > 0
    means = sums[present] / counts[present]
    return float((counts[present] * (means - values.mean()) ** 2).sum()) / total


def relative_contrast(image: NDArray[np.floating], *, brain: BoolMap) -> float:
    """Range of the brain's intensities over the distance of their median from the background."""
    if not brain.any():
        return 0.0
    low, middle, high = np.percentile(image[brain], [1, 50, 99])
    level, _ = background_level(image)
    if level < AIR_HU:
        level = 0.0  # CT: water is 0, and air is no measure of what differs inside the brain
    return float(high - low) / max(abs(float(middle) - level), 1e-12)


def at_resolution(image: NDArray[np.floating], *, spacing_mm: float) -> NDArray[np.floating]:
    """The image as a grid of ``RESOLUTION_MM`` would see it; unchanged on grids as coarse as that.

    Args:
        image: (x, y, z) intensities.
        spacing_mm: edge of a voxel.
    """
    if spacing_mm >= RESOLUTION_MM:
        return image
    sigma_mm = math.sqrt(RESOLUTION_MM**2 - spacing_mm**2) / FWHM_PER_SIGMA
    return np.asarray(gaussian_filter(image, sigma_mm / spacing_mm, mode="nearest"))


def gate_values(maps: CaseMaps, *, prepared: PreparedScan, brain_dice: float) -> GateValues:
    """Measure what the gate needs.

    Args:
        maps: maps of the case.
        prepared: the scan on the symmetric grid.
        brain_dice: overlap of the two brain masks.
    """
    seen = maps.brain & prepared.coverage & prepared.coverage[::-1]
    voxel_ml = prepared.grid.spacing_mm**3 / 1000.0
    counts = np.bincount(maps.anatomy.ravel(), minlength=len(STRUCTURES))
    named = [s.index for s in STRUCTURES if s.side != "none"]
    found = int((counts[named] * voxel_ml >= MIN_STRUCTURE_ML).sum())
    image = at_resolution(prepared.raw, spacing_mm=prepared.grid.spacing_mm)
    num_brain = int(maps.brain.sum())
    sides = [
        int(counts[[s.index for s in STRUCTURES if s.side == side]].sum())
        for side in ("left", "right")
    ]
    return GateValues(
        brain_ml=num_brain * voxel_ml,
        coverage=float(seen.sum()) / num_brain if num_brain else 0.0,
        brain_dice=brain_dice,
        hemisphere_ratio=max(sides) / min(sides) if min(sides) else float("inf"),
        structures_found=found / len(named),
        plane_score=prepared.plane.score,
        explained=explained_variance(
            image, labels=maps.anatomy, mask=maps.brain & (maps.anatomy > 0)
        ),
        contrast=relative_contrast(image, brain=maps.brain),
        length_over_width=length_over_width(maps.brain),
        excluded=float((seen & ~maps.domain).sum()) / num_brain if num_brain else 0.0,
    )


def reasons_not_assessable(values: GateValues) -> tuple[str, ...]:
    """Sentences that say why a case is not assessable; empty if it is."""
    low, high = BRAIN_ML
    reasons = []
    if not low <= values.brain_ml <= high:
        reasons.append(
            f"the brain measures {values.brain_ml:.0f} ml, outside {low:.0f} to {high:.0f} ml"
        )
    reasons += _not_compared(values)
    if values.brain_dice < MIN_BRAIN_DICE:
        reasons.append(
            f"two ways of finding the brain overlap by only {values.brain_dice:.2f} (Dice)"
        )
    if values.hemisphere_ratio > MAX_HEMISPHERE_RATIO:
        reasons.append(f"one hemisphere measures {values.hemisphere_ratio:.1f} times the other")
    if values.structures_found < MIN_STRUCTURES:
        reasons.append(f"only {values.structures_found:.0%} of the expected structures were found")
    if values.plane_score < MIN_PLANE_SCORE:
        reasons.append(f"no clear mid-plane was found (score {values.plane_score:.2f})")
    if values.explained < MIN_EXPLAINED:
        reasons.append(
            f"the structures explain only {values.explained:.0%} of the intensities: is it a brain?"
        )
    if values.contrast < MIN_CONTRAST:
        reasons.append(f"hardly any contrast inside the brain ({values.contrast:.2f})")
    if values.length_over_width < MIN_LENGTH_OVER_WIDTH:
        reasons.append(
            "the brain is wider than long "
            f"(length / width {values.length_over_width:.2f}): are the axes of the file right?"
        )
    return tuple(reasons)


def _not_compared(values: GateValues) -> list[str]:
    """Reasons from the share of the brain that can be compared."""
    reasons = []
    if values.coverage < MIN_COVERAGE:
        reasons.append(
            f"only {values.coverage:.0%} of the brain has its mirror place in the field of view"
        )
    if values.excluded > 1.0 - MIN_COVERAGE:
        reasons.append(f"the exclusion mask leaves out {values.excluded:.0%} of the brain")
    return reasons
