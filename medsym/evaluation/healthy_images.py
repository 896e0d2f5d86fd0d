"""Healthy reference images: the voxelwise z-score and the asymmetry z-score, as baselines.

Mean and standard deviation over healthy scans, of the smoothed intensity and of the regional
difference from the own mirror image, in the brain coordinates of the deviation:
the most that a threshold on images alone can know. A z-score needs scans of one contrast, so every
contrast with enough healthy scans has its own statistics, and the others those of all.
"""

from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE, from_reference, to_reference
from medsym.calibration.normative import SMOOTHING_VOXELS
from medsym.evaluation.baselines import smooth_inside
from medsym.inference.maps import regional

#: Statistics of all contrasts together, for scans whose contrast is unknown or rare.
ANY_KIND = "any"
#: Healthy scans that a contrast needs for statistics of its own.
MIN_SCANS = 12
#: A standard deviation is never below this share of its root mean square over the brain.
FLOOR_SHARE = 0.25

BoolMap = NDArray[np.bool_]
FloatMap = NDArray[np.floating]
Moments = NDArray[np.float64]
_MEASURES = ("intensity", "asymmetry")


def regional_difference(image: FloatMap, brain: BoolMap, *, spacing_mm: float) -> Moments:
    """Difference x - S x averaged over 4.5 mm, antisymmetric, 0 where a side is not brain."""
    both = brain & brain[::-1]
    values = np.asarray(image, dtype=np.float64)
    return regional(np.where(both, values - values[::-1], 0.0), domain=both, spacing_mm=spacing_mm)


@dataclass(slots=True)
class HealthyMoments:
    """Sums over healthy scans, gathered one scan at a time.

    Attributes:
        spacing_mm: edge of a voxel of the scans.
        sums: by (contrast, measure): (3, reference grid) sums of weight, value and square.
        scans: number of scans of each contrast.
    """

    spacing_mm: float
    sums: dict[tuple[str, str], Moments] = field(default_factory=dict)
    scans: dict[str, int] = field(default_factory=dict)

    def add(self, image: FloatMap, brain: BoolMap, *, kind: str) -> None:
        """Add a healthy scan.

        Args:
            image: (x, y, z) normalised, 0 outside the brain.
            brain: (x, y, z) bool.
            kind: contrast of the scan.
        """
        both = brain & brain[::-1]
        measured = {
            "intensity": (smooth_inside(image, brain, spacing_mm=self.spacing_mm), brain),
            "asymmetry": (regional_difference(image, brain, spacing_mm=self.spacing_mm), both),
        }
        for measure, (values, inside) in measured.items():
            weight = to_reference(inside.astype(np.float64), brain)
            total = to_reference(np.where(inside, values, 0.0), brain)
            squares = to_reference(np.where(inside, values**2, 0.0), brain)
            for name in {kind, ANY_KIND}:
                empty = np.zeros((3, *REFERENCE_SHAPE))
                before = self.sums.get((name, measure), empty)
                self.sums[(name, measure)] = before + np.stack([weight, total, squares])
        for name in {kind, ANY_KIND}:
            self.scans[name] = self.scans.get(name, 0) + 1

    def finish(self) -> "HealthyImages":
        """Statistics of every contrast with enough scans, and of all scans."""
        kinds = [k for k, n in self.scans.items() if n >= MIN_SCANS or k == ANY_KIND]
        statistics = {
            (kind, measure): np.stack(_mean_and_sd(self.sums[(kind, measure)]))
            for kind in kinds
            for measure in _MEASURES
        }
        scans = {kind: self.scans[kind] for kind in kinds}
        return HealthyImages(statistics=statistics, scans=scans, spacing_mm=self.spacing_mm)


def _mean_and_sd(sums: Moments) -> tuple[Moments, Moments]:
    weight, total, squares = sums
    known = weight > 1e-3 * max(float(weight.max()), 1e-12)
    safe = np.where(known, weight, 1.0)
    mean = np.where(known, total / safe, 0.0)
    variance = np.where(known, np.maximum(squares / safe - mean**2, 0.0), 0.0)
    shared = gaussian_filter(np.where(known, weight, 0.0), SMOOTHING_VOXELS)
    smooth = gaussian_filter(variance * np.where(known, weight, 0.0), SMOOTHING_VOXELS)
    overall = float((variance * weight).sum()) / max(float(weight[known].sum()), 1e-12)
    local = np.where(shared > 1e-6, smooth / np.maximum(shared, 1e-12), overall)
    floor = max(FLOOR_SHARE * np.sqrt(overall), 1e-6)
    return mean, np.maximum(np.sqrt(np.maximum(local, 0.0)), floor)


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthyImages:
    """Healthy mean and standard deviation on the reference grid.

    Attributes:
        statistics: by (contrast, measure): (2, reference grid), mean and standard deviation.
        scans: healthy scans behind each contrast.
        spacing_mm: edge of a voxel of the scans.
    """

    statistics: Mapping[tuple[str, str], Moments]
    scans: Mapping[str, int]
    spacing_mm: float

    def kind_of(self, kind: str) -> str:
        """The contrast whose statistics a scan of a contrast is compared with."""
        return kind if kind in self.scans else ANY_KIND

    def voxel_z(self, image: FloatMap, brain: BoolMap, *, kind: str) -> Moments:
        """(x, y, z) smoothed intensity in healthy SD from the healthy mean, 0 outside the brain."""
        values = smooth_inside(image, brain, spacing_mm=self.spacing_mm)
        return self._z("intensity", values, brain, kind=kind, inside=brain)

    def asymmetry_z(self, image: FloatMap, brain: BoolMap, *, kind: str) -> Moments:
        """(x, y, z) regional x - S x in healthy SD from its healthy mean."""
        values = regional_difference(image, brain, spacing_mm=self.spacing_mm)
        return self._z("asymmetry", values, brain, kind=kind, inside=brain & brain[::-1])

    def _z(
        self, measure: str, values: Moments, brain: BoolMap, *, kind: str, inside: BoolMap
    ) -> Moments:
        mean, sd = (
            from_reference(part, brain) for part in self.statistics[(self.kind_of(kind), measure)]
        )
        return np.where(inside, (values - mean) / sd, 0.0)


def save_images(path: Path, images: HealthyImages) -> None:
    """Write the statistics as a safetensors file (tensors only, no code)."""
    from safetensors.numpy import save_file

    tensors = {f"{kind}.{measure}": v for (kind, measure), v in images.statistics.items()}
    tensors |= {f"{kind}.scans": np.array([n]) for kind, n in images.scans.items()}
    tensors["spacing_mm"] = np.array([images.spacing_mm])
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(".partial")
    save_file(tensors, partial)
    partial.replace(path)


def load_images(path: Path) -> HealthyImages:
    """Read what :func:`save_images` wrote."""
    from safetensors.numpy import load_file

    tensors = load_file(path)
    scans = {n.removesuffix(".scans"): int(v[0]) for n, v in tensors.items() if "scans" in n}
    statistics = {
        (kind, measure): tensors[f"{kind}.{measure}"] for kind in scans for measure in _MEASURES
    }
    spacing_mm = float(tensors["spacing_mm"][0])
    return HealthyImages(statistics=statistics, scans=scans, spacing_mm=spacing_mm)
