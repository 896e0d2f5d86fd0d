"""Normative maps: spread and mean of the healthy asymmetry, from moments of brain coordinates.

Every rule here is monotone: more asymmetry among the cases never makes the spread smaller, and one
more case that is perfectly symmetric never makes it larger. ``medsym.calibration.people`` needs
that: it bounds what a scan that nobody has seen yet could do to the maps.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy.ndimage import gaussian_filter, maximum_filter

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE, BoolMap, to_reference

FloatMap = NDArray[np.float32]
Map = NDArray[np.float64]

#: Gaussian smoothing of the moments, in reference voxels: neighbours share their few cases.
SMOOTHING_VOXELS = 1.5
#: The spread is never below this share of the root mean square over the brain: a place where few
#: healthy cases happened to be quiet must not turn noise into a large deviation. Measured with the
#: shipped network by `medsym evaluate --synthetic` on 150 subjects, 0.5 against 1: AUPRC 0.456 and
#: 0.478, false alarms on healthy ones 19 and 24; on 26 scans of elderly people none with either.
FLOOR_SHARE = 1.0
#: ... nor below this many nats, the size of evidence that nobody would act on.
FLOOR_NATS = 0.02
#: At the rim few cases have brain: this many cases with the overall spread and no mean are added
#: everywhere.
PRIOR_CASES = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Moments:
    """Sums over cases of what spread and mean are made of.

    Attributes:
        squares: ``REFERENCE_SHAPE``, nats^2: sum of the squared regional asymmetry.
        firsts: ``REFERENCE_SHAPE``, nats: sum of the asymmetry itself.
        weights: ``REFERENCE_SHAPE``: sum of the share of each reference voxel that was compared.
        levels: nats^2: sum over cases of the mean square over their brain.
        count: number of cases.
    """

    squares: Map
    firsts: Map
    weights: Map
    levels: float
    count: float

    @classmethod
    def none(cls) -> "Moments":
        """Of no case."""
        empty = np.zeros(REFERENCE_SHAPE)
        return cls(squares=empty, firsts=empty, weights=empty, levels=0.0, count=0.0)

    @classmethod
    def of_case(cls, averaged: Map, *, domain: BoolMap, brain: BoolMap) -> "Moments":
        """Of one case.

        Args:
            averaged: (x, y, z) regional asymmetry on the symmetric grid, nats.
            domain: voxels that were compared.
            brain: brain mask, which says where in the brain a voxel lies.
        """
        squares = to_reference(averaged**2, brain)
        weights = to_reference(domain.astype(np.float64), brain)
        firsts = to_reference(averaged, brain)
        return cls(
            squares=(squares + squares[::-1]) / 2,
            firsts=(firsts - firsts[::-1]) / 2,
            weights=(weights + weights[::-1]) / 2,
            levels=float(squares.sum() / max(float(weights.sum()), 1e-12)),
            count=1.0,
        )

    def with_symmetric_case(self) -> "Moments":
        """And one more case, without any asymmetry, compared everywhere: the least a case adds."""
        empty = np.zeros_like(self.squares)
        symmetric = Moments(squares=empty, firsts=empty, weights=empty + 1.0, levels=0.0, count=1.0)
        return self.plus(symmetric)

    def plus(self, other: "Moments", *, times: float = 1.0) -> "Moments":
        """Sum; ``times`` -1 takes cases out again."""
        return Moments(
            squares=self.squares + times * other.squares,
            firsts=self.firsts + times * other.firsts,
            weights=self.weights + times * other.weights,
            levels=self.levels + times * other.levels,
            count=self.count + times * other.count,
        )

    def scaled(self, factor: float) -> "Moments":
        """The same cases, each counted ``factor`` times."""
        return self.plus(self, times=factor - 1.0)


def spread_of(moments: Moments, *, about_mean: bool = False) -> FloatMap:
    """Smoothed, floored, mirror-symmetric spread, ``REFERENCE_SHAPE``, nats.

    Args:
        moments: of healthy cases.
        about_mean: about ``mean_of`` instead of about zero.
    """
    level = max(moments.levels, 0.0) / max(moments.count, 1e-12)
    variance = (_smooth(moments.squares) + PRIOR_CASES * level) / cases_at(moments)
    if about_mean:
        variance = variance - mean_of(moments).astype(np.float64) ** 2
    floor = max(FLOOR_SHARE * math.sqrt(level), FLOOR_NATS)
    spread = np.maximum(np.sqrt(np.maximum(variance, 0.0)), floor)
    return ((spread + spread[::-1]) / 2).astype(np.float32)


def mean_of(moments: Moments) -> FloatMap:
    """Smoothed mean asymmetry, exactly antisymmetric under the mirror, nats."""
    mean = _smooth(moments.firsts) / cases_at(moments)
    return ((mean - mean[::-1]) / 2).astype(np.float32)


def least_spread(moments: Moments, *, about_mean: bool = False) -> FloatMap:
    """Below every spread that these cases and any one more case could have.

    Without a mean that is the spread of the cases and a perfectly symmetric one. A case that also
    moves the mean adds its distance from the mean to the variance, so it widens the spread about
    the new mean by at least as much as it would by agreeing with the old one.
    """
    more = moments.with_symmetric_case()
    if not about_mean:
        return spread_of(more)
    level = max(more.levels, 0.0) / more.count
    before, after = cases_at(moments), cases_at(more)
    variance = (_smooth(moments.squares) + PRIOR_CASES * level) / before
    variance = (variance - mean_of(moments).astype(np.float64) ** 2) * before / after
    floor = max(FLOOR_SHARE * math.sqrt(level), FLOOR_NATS)
    spread = np.maximum(np.sqrt(np.maximum(variance, 0.0)), floor)
    return ((spread + spread[::-1]) / 2).astype(np.float32)


def largest_move(moments: Moments) -> Map:
    """How far one more case can move the mean, at most, in spreads that it makes; symmetric.

    With K cases behind a place, a case at distance d from their mean moves it by d / (K + 1) and
    makes a spread of at least d sqrt(K) / (K + 1): the move is at most 1 / sqrt(K) spreads. Between
    the reference voxels the larger of the neighbours holds.
    """
    move = maximum_filter(1.0 / np.sqrt(cases_at(moments)), size=3, mode="nearest")
    return np.maximum(move, move[::-1])


def cases_at(moments: Moments) -> Map:
    """Number of cases behind each reference voxel, the added ones included."""
    return np.maximum(_smooth(moments.weights), 0.0) + PRIOR_CASES


def _smooth(values: Map) -> Map:
    return np.asarray(gaussian_filter(values, SMOOTHING_VOXELS))
