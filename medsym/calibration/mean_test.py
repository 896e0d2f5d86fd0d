"""Is there a mean asymmetry in healthy people at all? A sign-flip test of the maximum statistic."""

from collections.abc import Mapping, Sequence

import numpy as np

from medsym.calibration.people import HealthyScan, person_moments

#: Random sign flips of the test; the p-value is a multiple of 1 / (FLIPS + 1).
FLIPS = 499
_SEED = 0


def mean_asymmetry_p_value(people: Mapping[str, Sequence[HealthyScan]]) -> float:
    """Family-wise p-value of "every healthy person is as likely as their mirror image".

    Under it the sign of each person's map is a coin, so flipping signs at random gives the law of
    the largest studentised mean. Exact for any number of people (Winkler et al., Permutation
    inference for the general linear model, NeuroImage 92:381, 2014).

    Args:
        people: scans of each person.
    """
    maps = []
    for scans in people.values():
        own = person_moments(scans)
        half = own.firsts.shape[0] // 2
        maps.append(own.firsts[:half].ravel().astype(np.float32))
    table = np.stack(maps)
    table = table[:, (table != 0.0).any(axis=0)]
    squares = (table**2).sum(axis=0)
    signs = np.random.default_rng(_SEED).choice([-1.0, 1.0], size=(FLIPS, len(maps)))
    signs = np.vstack([np.ones(len(maps)), signs]).astype(np.float32)
    largest = np.array([_largest(row @ table, squares) for row in signs])
    return float((largest >= largest[0]).mean())


def _largest(sums: np.ndarray, squares: np.ndarray) -> float:
    """Largest share of the sum of squares that the mean explains: grows with the t-value."""
    return float((sums**2 / np.maximum(squares, 1e-12)).max(initial=0.0))
