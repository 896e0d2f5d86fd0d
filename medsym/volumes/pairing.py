"""Where a place of one scan lies in another scan of the same person.

Each scan has a mid-plane, and a brain whose centre, carried onto that plane, fixes a frame. What no
mirror can tell is left: the pitch, and a shift within the plane. These three numbers are searched
by the similarity of the two brains, which may differ in contrast: normalised mutual information
(Studholme, Hill & Hawkes, Pattern Recognition 32, 1999). As the mid-planes are matched, and the
map is a rotation with a shift, left stays left whatever the search finds.
"""

import math
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage, optimize

from medsym.volumes.frame import SymmetricGrid, frame_to_world
from medsym.volumes.midplane import MidPlane
from medsym.volumes.prepared import mask_centre
from medsym.volumes.resampling import resample
from medsym.volumes.volume import Volume

SPACING_MM = 3.0
BINS = 32
PERCENTILES = (1.0, 99.0)  # of the brain's values, to which the bins reach
PITCHES_DEG = np.arange(-30.0, 31.0, 6.0)  # between two positions of a head in a scanner
COARSE_SHARE = 8  # one voxel of so many takes part in the first search
FIRST_STEPS = np.array([3.0, 4.0, 4.0])  # degrees, mm, mm
TOLERANCE = 0.05  # degrees and mm, where the search ends

Array = NDArray[np.float64]


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class PosedScan:
    """A scan with what is known of its position.

    Attributes:
        image: the scan, any contrast.
        brain: mask on any lattice of the same world; above 0.5 is brain.
        plane: its mid-sagittal plane.
    """

    image: Volume
    brain: Volume
    plane: MidPlane

    def frame_to_world(self) -> Array:
        """Frame mm to world mm, (4, 4); the origin is the brain's centre on the mid-plane."""
        centre = mask_centre(self.brain.voxels > 0.5, affine=self.brain.affine)
        return frame_to_world(self.plane, centre_mm=centre)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class ScanPair:
    """How two scans of a person are matched.

    Attributes:
        matrix: (4, 4) world mm of the first scan to world mm of the second; rigid.
        pitch_deg: nod of the second against the first that the search added to the frames.
        front_mm: shift to the front that it added.
        up_mm: shift to the top that it added.
        similarity: normalised mutual information of the brains, from 1 (none) to 2 (the same).
        start_similarity: the same before the search.
        overlap: Dice coefficient of the two brain masks, from 0 to 1.
    """

    matrix: Array
    pitch_deg: float
    front_mm: float
    up_mm: float
    similarity: float
    start_similarity: float
    overlap: float


def pair_scans(first: PosedScan, second: PosedScan) -> ScanPair:
    """Match a second scan of a person to the first.

    Args:
        first: the scan whose places are asked for.
        second: the scan in which they are looked up; its contrast may be another one.

    Returns:
        The map and how well the brains agree under it.
    """
    from_frame, to_world = first.frame_to_world(), second.frame_to_world()
    matcher = _Matcher.of(first, second, from_frame=from_frame, to_frame=to_world)
    coarse = matcher.thinned()
    starts = [np.array([pitch, 0.0, 0.0]) for pitch in PITCHES_DEG]
    start = max((_climb(coarse, at, tolerance=1.0) for at in starts), key=coarse.similarity)
    found = _climb(matcher, start, tolerance=TOLERANCE)
    moved = to_world @ in_plane(found) @ np.linalg.inv(from_frame)
    return ScanPair(
        matrix=moved,
        pitch_deg=float(found[0]),
        front_mm=float(found[1]),
        up_mm=float(found[2]),
        similarity=matcher.similarity(found),
        start_similarity=matcher.similarity(np.zeros(3)),
        overlap=_overlap(first.brain, second.brain, moved=moved),
    )


def in_plane(motion: Array) -> Array:
    """Rigid motion of a frame that keeps its mid-plane, (4, 4).

    Args:
        motion: pitch in degrees (front rises when positive), shift to the front, shift up; mm.
    """
    turn = math.radians(float(motion[0]))
    moved = np.eye(4)
    moved[1:3, 1:3] = [[math.cos(turn), -math.sin(turn)], [math.sin(turn), math.cos(turn)]]
    moved[1:3, 3] = motion[1:]
    return moved


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class _Matcher:
    """Brain voxels of the first scan, and the second scan around its own frame.

    Attributes:
        points: (4, n) places of the brain of the first scan in its frame, homogeneous, mm.
        bins: (n,) their values, as bins.
        other: (x, y, z) the second scan on a lattice of its frame, in bins, not rounded.
        to_other: (4, 4) frame mm to voxels of `other`.
    """

    points: Array
    bins: NDArray[np.intp]
    other: NDArray[np.float32]
    to_other: NDArray[Any]

    @classmethod
    def of(
        cls, first: PosedScan, second: PosedScan, *, from_frame: Array, to_frame: Array
    ) -> "_Matcher":
        lattice = SymmetricGrid.spanning(SPACING_MM)
        affine = lattice.frame_affine
        one, brain = _on_lattice(first, lattice=lattice, affine=from_frame @ affine)
        two, other_brain = _on_lattice(second, lattice=lattice, affine=to_frame @ affine)
        index = np.array(np.nonzero(brain))
        points = affine @ np.vstack([index, np.ones(index.shape[1])])
        return cls(
            points=points,
            bins=np.rint(_in_bins(one, within=brain)[brain]).astype(np.intp),
            other=_in_bins(two, within=other_brain),
            to_other=np.linalg.inv(affine),
        )

    def thinned(self) -> "_Matcher":
        """The same with a part of the voxels, drawn without order so that no pattern is met."""
        kept = np.random.default_rng(0).permutation(self.bins.size)[::COARSE_SHARE]
        return _Matcher(
            points=self.points[:, kept],
            bins=self.bins[kept],
            other=self.other,
            to_other=self.to_other,
        )

    def similarity(self, motion: Array) -> float:
        """Normalised mutual information, (H(a) + H(b)) / H(a, b), under an in-plane motion."""
        index = (self.to_other @ in_plane(motion) @ self.points)[:3]
        values = ndimage.map_coordinates(self.other, index, order=1, mode="nearest")
        low = np.floor(values).astype(np.intp)
        share = values - low
        high = np.minimum(low + 1, BINS - 1)
        cells, size = self.bins * BINS, BINS * BINS
        joint = np.bincount(cells + low, weights=1.0 - share, minlength=size).astype(np.float64)
        joint += np.bincount(cells + high, weights=share, minlength=size)
        joint = joint.reshape(BINS, BINS)
        both = _entropy(joint)
        apart = _entropy(joint.sum(axis=0)) + _entropy(joint.sum(axis=1))
        return apart / both if both > 0 else 1.0


def _on_lattice(
    posed: PosedScan, *, lattice: SymmetricGrid, affine: Array
) -> tuple[NDArray[np.float32], NDArray[np.bool_]]:
    image = resample(posed.image, to_shape=lattice.shape, affine_to=affine)
    brain = resample(posed.brain, to_shape=lattice.shape, affine_to=affine) > 0.5
    return image, brain


def _in_bins(values: NDArray[np.float32], *, within: NDArray[np.bool_]) -> NDArray[np.float32]:
    """Values as places between 0 and BINS - 1, by the percentiles of the brain."""
    low, high = np.percentile(values[within], PERCENTILES)
    scaled = (values - low) / max(float(high - low), 1e-12) * (BINS - 1)
    return np.clip(scaled, 0.0, BINS - 1).astype(np.float32)


def _entropy(counts: Array) -> float:
    share = counts[counts > 0] / counts.sum()
    return float(-(share * np.log(share)).sum())


def _climb(matcher: _Matcher, start: Array, *, tolerance: float) -> Array:
    """The motion of largest similarity near a start."""
    simplex = np.vstack([start, start + np.diag(FIRST_STEPS)])
    options: dict[str, Any] = {"initial_simplex": simplex, "xatol": tolerance, "fatol": 1e-5}
    found = optimize.minimize(
        lambda motion: -matcher.similarity(motion), start, method="Nelder-Mead", options=options
    )
    return np.asarray(found.x, dtype=np.float64)


def _overlap(first: Volume, second: Volume, *, moved: Array) -> float:
    there = resample(second, to_shape=first.shape, affine_to=moved @ first.affine) > 0.5
    here = first.voxels > 0.5
    return float(2 * (here & there).sum() / max(int(here.sum() + there.sum()), 1))
