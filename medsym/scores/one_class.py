"""How unusual a person is among healthy ones, as a p-value that holds for any distribution.

Split conformal: some healthy persons give centre, spread and covariance (the shrunken estimate of
Ledoit and Wolf, "A well-conditioned estimator for large-dimensional covariance matrices", Journal
of Multivariate Analysis 88, 2004, as in scikit-learn), others one Mahalanobis distance each. With m
of the latter, the p-value of ``medsym.calibration.conformal`` holds for a new person exchangeable
with them. Which person is in which part is decided by a hash of the name.
"""

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.conformal import fewest_cases, p_values
from medsym.scores.features import Array
from medsym.scores.folds import shuffled_persons
from medsym.scores.scaling import Scaling, even_scaling, odd_scaling

#: Largest p-value that is called unusual, and the healthy persons needed to be able to reach it.
LEVEL = 0.05
FEWEST_COMPARED = fewest_cases(LEVEL)
#: Persons behind a covariance; below that shrinkage leaves hardly anything but the diagonal.
FEWEST_FITTED = 20


@dataclass(frozen=True, kw_only=True, slots=True)
class Healthy:
    """Healthy cases.

    Attributes:
        values: (n, f) features, NaN if missing.
        nuisance: (n, k).
        persons: (n,).
        is_odd: the features change sign with the mirror: distances are then from 0, so that a scan
            and its mirror image are equally unusual.
    """

    values: Array
    nuisance: Array
    persons: NDArray[np.str_]
    is_odd: bool


@dataclass(frozen=True, kw_only=True, slots=True)
class OneClass:
    """What healthy persons are like.

    Attributes:
        scaling: of the features.
        precision: (f, f) inverse covariance of the scaled features.
        distances: (m,) ascending, of persons who entered neither.
        fitted: number of persons behind scaling and precision.
    """

    scaling: Scaling
    precision: Array
    distances: Array
    fitted: int

    def distance(self, values: Array, nuisance: Array) -> float:
        """Squared Mahalanobis distance of one case.

        Args:
            values: (f,).
            nuisance: (k,).
        """
        scaled = self.scaling.apply(values[None], nuisance[None])[0]
        return float(scaled @ self.precision @ scaled)

    def p_value(self, values: Array, nuisance: Array) -> float:
        """Share of healthy persons at least as unusual, this one included; in (0, 1]."""
        return float(p_values(self.distances, np.array(self.distance(values, nuisance))))

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "scaling": self.scaling.as_dict(),
            "precision": self.precision.tolist(),
            "distances": self.distances.tolist(),
            "fitted": self.fitted,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "OneClass":
        """Inverse of ``as_dict``."""
        return cls(
            scaling=Scaling.from_dict(plain["scaling"]),
            precision=np.asarray(plain["precision"], dtype=np.float64),
            distances=np.asarray(plain["distances"], dtype=np.float64),
            fitted=int(plain["fitted"]),
        )


def too_few(persons: int) -> str | None:
    """Why so many healthy persons are not enough; None if they are."""
    needed = FEWEST_FITTED + FEWEST_COMPARED
    if persons >= needed:
        return None
    if not persons:
        return "no healthy persons; --healthy names their word in the column"
    return (
        f"{persons} healthy persons; {needed} are needed: {FEWEST_FITTED} say what is usual, and "
        f"with fewer than {FEWEST_COMPARED} others no p-value can be {LEVEL:g} or below"
    )


def fit_one_class(healthy: Healthy) -> OneClass:
    """Half of the persons say what is usual, the others how far away healthy ones are.

    Args:
        healthy: of enough persons (``too_few``).
    """
    from sklearn.covariance import LedoitWolf

    names = shuffled_persons(healthy.persons)
    compared = set(names[: max(FEWEST_COMPARED, len(names) // 2)])
    first = _first_scans(healthy.persons)
    fitted = np.array([row for row in first if healthy.persons[row] not in compared])
    others = np.array([row for row in first if healthy.persons[row] in compared])
    values, nuisance = healthy.values[fitted], healthy.nuisance[fitted]
    weights = np.ones(len(fitted))
    if healthy.is_odd:
        scaling = odd_scaling(values, nuisance_width=nuisance.shape[1], weights=weights)
    else:
        scaling = even_scaling(values, nuisance, weights=weights)
    scaled = scaling.apply(values, nuisance)
    covariance = LedoitWolf(assume_centered=True).fit(scaled).covariance_
    found = OneClass(
        scaling=scaling,
        precision=_inverse(covariance),
        distances=np.zeros(0),
        fitted=len(fitted),
    )
    distances = [found.distance(healthy.values[row], healthy.nuisance[row]) for row in others]
    return OneClass(
        scaling=scaling,
        precision=found.precision,
        distances=np.sort(np.asarray(distances)),
        fitted=len(fitted),
    )


def _inverse(covariance: Array) -> Array:
    inverse = np.linalg.pinv(covariance, hermitian=True)
    return np.asarray((inverse + inverse.T) / 2.0)


def _first_scans(persons: NDArray[np.str_]) -> list[int]:
    """One row per person: persons are exchangeable, scans of one person are not."""
    seen: dict[str, int] = {}
    for row, person in enumerate(persons):
        seen.setdefault(str(person), row)
    return sorted(seen.values())
