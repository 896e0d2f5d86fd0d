"""Conformal p-values and thresholds: exact for every number of exchangeable cases.

With the scores of n cases and one more, exchangeable with them, the p-value

    p = (1 + number of the n scores that are at least as large) / (n + 1)

is at most alpha with probability at most alpha (Vovk, Gammerman and Shafer, Algorithmic Learning in
a Random World, 2005). If the score of a case is the largest value of a map, then the same formula
at every voxel gives p-values that are at most alpha *anywhere* with probability at most alpha: the
rate is family-wise. The promise is an average over calibration sets: with one set of n cases, the
share of new cases that is kept follows a Beta law (``coverage_law``).
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

_DECIMALS = 6  # of the numbers in records


@dataclass(frozen=True, kw_only=True, slots=True)
class RarityStep:
    """A score that at most one in so many healthy cases reaches.

    Attributes:
        one_in: at most one in this many new exchangeable healthy cases reaches ``sd``.
        sd: the score, in the unit of the maxima; of deviations, standard deviations.
    """

    one_in: int
    sd: float


def p_values(maxima: NDArray[np.floating], scores: NDArray[np.floating]) -> NDArray[np.float64]:
    """Conformal p-values of scores; 1 everywhere without a case to compare with.

    Args:
        maxima: (n,) ascending scores of healthy cases.
        scores: any shape; higher is further from healthy.

    Returns:
        The shape of ``scores``, in [1 / (n + 1), 1].
    """
    smaller = np.searchsorted(maxima, scores, side="left")
    return np.asarray((1.0 + maxima.size - smaller) / (maxima.size + 1.0))


def conformal_threshold(maxima: NDArray[np.floating], alpha: float) -> float | None:
    """Smallest float32 score with a p-value of at most alpha; None if n is too small for alpha.

    It lies just above the ceil((n + 1)(1 - alpha))-th smallest of the n maxima: a score equal to
    that one is not rare enough.

    Args:
        maxima: (n,) ascending scores of healthy cases that entered nothing else.
        alpha: share of new exchangeable healthy cases that may reach it, in (0, 1).
    """
    rank = kept_rank(maxima.size, alpha)
    if rank > maxima.size:
        return None
    found = np.float32(maxima[max(rank, 1) - 1])
    return float(np.nextafter(found, np.float32(np.inf)))


def rarity_steps(maxima: NDArray[np.floating]) -> tuple[RarityStep, ...]:
    """Thresholds for "one in N", from N = 2 to the rarest that n cases can speak of, N = n + 1.

    With n cases a threshold lies just above one of them, so most N share it with their neighbours:
    only the largest N of each threshold is listed, about 2 sqrt(n) in all.

    Args:
        maxima: (n,) ascending scores of healthy cases that entered nothing else.

    Returns:
        Steps with ascending ``one_in``, and ``sd`` that never falls; none without a case.

    Example:
        >>> [step.one_in for step in rarity_steps(np.arange(9.0))]
        [2, 3, 5, 10]
    """
    places = maxima.size + 1
    rarest = {places // n: places // (places // n) for n in range(2, places + 1)}
    found = ((n, conformal_threshold(maxima, 1.0 / n)) for n in rarest.values())
    return tuple(RarityStep(one_in=n, sd=_rounded_up(sd)) for n, sd in found if sd is not None)


def _rounded_up(sd: float) -> float:
    """As records keep it, never below: a lower threshold would be passed by more than one in N."""
    near = round(sd, _DECIMALS)
    return near if near >= sd else round(near + 10.0**-_DECIMALS, _DECIMALS)


def kept_rank(n: int, alpha: float) -> int:
    """ceil((n + 1)(1 - alpha)), safe against the rounding of alpha."""
    return math.ceil((n + 1) * (1.0 - alpha) - 1e-9)


def fewest_cases(alpha: float) -> int:
    """Number of cases from which on a p-value can be as small as alpha.

    Example:
        >>> fewest_cases(0.05), fewest_cases(0.01)
        (19, 99)
    """
    return math.ceil(1.0 / alpha - 1.0 - 1e-9)


def coverage_law(n: int, alpha: float) -> tuple[int, int]:
    """(a, b): with n cases, the share of new cases below the threshold follows Beta(a, b).

    That is exact for scores without ties (Vovk, Conditional validity of inductive conformal
    predictors, 2012); its mean lies in [1 - alpha, 1 - alpha + 1 / (n + 1)].
    """
    kept = kept_rank(n, alpha)
    return kept, n + 1 - kept


def benjamini_hochberg(p: NDArray[np.floating]) -> NDArray[np.float64]:
    """q-values: the smallest false-discovery rate at which each of the p-values is a discovery.

    Benjamini and Hochberg, J. R. Stat. Soc. B 57:289, 1995. It controls the rate for independent
    p-values and for those with positive dependence (PRDS). Conformal p-values that share one
    calibration set are dependent in that way (Bates, Candes, Lei, Romano and Sesia, Testing for
    outliers with conformal p-values, Ann. Stat. 51:149, 2023) if the score was fixed before
    calibration and the tested cases are independent. Where people are scored against each other
    (``people.deviations_from_others``), where several scans are of one person, or where groups have
    calibrations of their own, that is not proved; tests simulate the first.

    Args:
        p: (m,) p-values.

    Returns:
        (m,) q-values in the order of ``p``, never below it.
    """
    count = p.size
    order = np.argsort(p, kind="stable")
    scaled = np.asarray(p, dtype=np.float64)[order] * count / np.arange(1, count + 1)
    values = np.empty(count)
    values[order] = np.minimum.accumulate(scaled[::-1])[::-1]
    return np.minimum(values, 1.0)
