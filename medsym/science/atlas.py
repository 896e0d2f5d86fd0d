"""The tolerance atlas: learned tolerance averaged over healthy subjects in brain coordinates.

Beside it stand the natural asymmetry that the synthesis drew into the same subjects, and the rank
correlation of the maps. A softly symmetric network was given the tolerance for what is lateralised
in the population; the maps show whether it is spent there.
"""

from dataclasses import dataclass, field

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE, REFERENCE_SPAN, to_reference
from medsym.calibration.normative import FLOOR_NATS
from medsym.models.structures import STRUCTURES, ventricle_indices
from medsym.science.intervals import (
    Numbers,
    mean_over_subjects,
    rank_correlations,
    subject_weights,
    with_interval,
)
from medsym.science.subjects import Seen

TOLERANCE, ASYMMETRY, TORQUE = "tolerance", "asymmetry", "torque_mm"
MAPS = (TOLERANCE, ASYMMETRY, TORQUE)
#: A place belongs to the atlas if it is brain in at least this share of the subjects.
COMMON_SHARE = 0.5

Map = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True)
class Atlas:
    """Mean maps on the reference grid of brain coordinates, x growing to the patient's right.

    Attributes:
        means: by name of ``MAPS``, (x, y, z); 0 where no subject has brain.
        brain: (x, y, z) bool, brain in at least half of the subjects.
        white, ventricles: (x, y, z) share of the subjects with that tissue, for orientation.
        numbers: what is written down.
    """

    means: dict[str, Map]
    brain: NDArray[np.bool_]
    white: Map
    ventricles: Map
    numbers: Numbers

    @property
    def place(self) -> tuple[int, int, int]:
        """Where the atlas is cut: the largest mean tolerance, the middle if it is nowhere."""
        inside = np.where(self.brain, self.means[TOLERANCE], 0.0)
        if self.numbers["practically_zero"]:
            x, y, z = REFERENCE_SHAPE
            return x // 4, y // 2, z // 2
        x, y, z = (int(i) for i in np.unravel_index(int(inside.argmax()), inside.shape))
        return x, y, z


@dataclass(slots=True)
class AtlasCollector:
    """Takes healthy subjects one by one and averages them at the end."""

    shares: list[Map] = field(default_factory=list)
    sums: dict[str, list[Map]] = field(default_factory=lambda: {name: [] for name in MAPS})
    white: list[Map] = field(default_factory=list)
    ventricles: list[Map] = field(default_factory=list)
    in_brain: dict[str, list[float]] = field(
        default_factory=lambda: {name: [] for name in ("all", "left", "right", "largest")}
    )

    def add(self, seen: Seen) -> None:
        """Carry the maps of a subject into brain coordinates."""
        brain, domain = seen.maps.brain, seen.maps.domain
        maps = {
            TOLERANCE: seen.maps.tolerance,
            ASYMMETRY: seen.normal_asymmetry,
            TORQUE: seen.torque_mm,
        }
        self.shares.append(to_reference(domain.astype(np.float64), brain))
        for name, values in maps.items():
            self.sums[name].append(to_reference(np.where(domain, values, 0.0), brain))
        white = [s.index for s in STRUCTURES if s.name == "cerebral-white-matter"]
        for kept, indices in ((self.white, white), (self.ventricles, ventricle_indices())):
            tissue = np.isin(seen.structures, indices).astype(np.float64)
            kept.append(to_reference(tissue, brain))
        half = domain.shape[0] // 2  # low x is the patient's left
        for name, part in (
            ("all", slice(None)),
            ("left", slice(half)),
            ("right", slice(half, None)),
        ):
            inside = seen.maps.tolerance[part][domain[part]]
            self.in_brain[name].append(float(inside.mean()) if inside.size else float("nan"))
        self.in_brain["largest"].append(float(seen.maps.tolerance.max(initial=0.0)))

    def finish(self) -> Atlas:
        """Average over the subjects."""
        shares = np.stack(self.shares)
        total = shares.sum(axis=0)
        brain = total >= COMMON_SHARE * len(shares)
        divisor = np.maximum(total, 1e-9)
        means = {
            name: np.where(total > 0, np.stack(values).sum(axis=0) / divisor, 0.0)
            for name, values in self.sums.items()
        }
        return Atlas(
            means=means,
            brain=brain,
            white=np.stack(self.white).mean(axis=0),
            ventricles=np.stack(self.ventricles).mean(axis=0),
            numbers=self._numbers(means, brain=brain, shares=shares),
        )

    def _numbers(self, means: dict[str, Map], *, brain: NDArray[np.bool_], shares: Map) -> Numbers:
        weights = subject_weights(len(shares))
        rows = {name: np.asarray(values) for name, values in self.in_brain.items()}
        difference = rows["left"] - rows["right"]
        tolerance = np.where(brain, means[TOLERANCE], 0.0)
        at = tuple(int(i) for i in np.unravel_index(int(tolerance.argmax()), tolerance.shape))
        largest = float(tolerance.max())
        folded = {name: self._folded(name, shares, brain, weights) for name in MAPS}
        return {
            "subjects": len(shares),
            "mean": with_interval(mean_over_subjects(rows["all"], weights)),
            "left": with_interval(mean_over_subjects(rows["left"], weights)),
            "right": with_interval(mean_over_subjects(rows["right"], weights)),
            "left_minus_right": with_interval(mean_over_subjects(difference, weights)),
            "largest_of_mean_map": largest,
            "largest_at": brain_place(at),
            "largest_voxel": float(rows["largest"].max()),
            "practically_zero": 2.0 * largest < FLOOR_NATS,
            "places_compared": int(_half(brain & brain[::-1]).sum()),
            "correlation": {
                name: with_interval(rank_correlations(folded[TOLERANCE], folded[name]))
                for name in (ASYMMETRY, TORQUE)
            },
        }

    def _folded(
        self, name: str, shares: Map, brain: NDArray[np.bool_], weights: NDArray[np.float64]
    ) -> NDArray[np.float64]:
        """(r, places) means of the two sides: a map against its mirror is the same on both."""
        places = _half(brain & brain[::-1])
        flat = [
            np.stack([_half(v + v[::-1])[places] for v in values])
            for values in (self.sums[name], shares)
        ]
        with np.errstate(invalid="ignore", divide="ignore"):
            return np.asarray((weights @ flat[0]) / (weights @ flat[1]))


def _half(values: NDArray[np.generic]) -> NDArray[np.generic]:
    """The patient's right half."""
    return values[values.shape[0] // 2 :]


def brain_place(index: tuple[int, ...]) -> Numbers:
    """A voxel of the reference grid as brain coordinates, in half extents of the brain.

    Returns:
        side, the patient's; outward from the mid-plane, front and up from the middle.
    """
    x, y, z = (
        ((i + 0.5) / n * 2.0 - 1.0) * REFERENCE_SPAN
        for i, n in zip(index, REFERENCE_SHAPE, strict=True)
    )
    return {"side": "left" if x < 0 else "right", "outward": abs(x), "front": y, "up": z}
