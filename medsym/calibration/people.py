"""Healthy people as units: their moments, and how far each deviates from all the others.

Exchangeable are people, not scans: several scans of a person are one unit, with the largest value
of them. Nobody is wasted on the spread alone: every person is compared with the spread of all
*others*, and a new scan with the spread of all of them. In the exact construction (full conformal
prediction: Vovk, Gammerman and Shafer, 2005) the others include the new scan, which nobody has seen
yet. So each person is compared with the least spread that the others and any new scan could have
(``least_spread``), and where a mean is taken off, the largest move of it is added
(``largest_move``). That makes a person's score at least the one of the exact construction, for
every new scan, so the p-values are valid for every number of people. It costs a factor of about
sqrt(1 + 1 / n) in the deviation.
"""

import hashlib
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass, field
from functools import reduce

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.brain_coordinates import (
    BoolMap,
    places_in_reference,
    sample_reference,
)
from medsym.calibration.normative import (
    FloatMap,
    Map,
    Moments,
    largest_move,
    least_spread,
    mean_of,
    spread_of,
)

Covariates = Mapping[str, str | float]

#: Covariate that says whose scan it is.
PERSON = "person"


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthyScan:
    """What is kept of one healthy scan while a calibration is made; nothing of it is stored.

    Attributes:
        person: whose scan it is.
        sha256: of the scan's file.
        content_sha256: of its voxels and affine; the same for a file packed anew.
        values: (m,) regional asymmetry of the compared voxels of one half, nats.
        places: (3, m) where on the reference grid they lie.
        moments: of this scan.
        features: what the test of exchangeability looks at.
        covariates: columns such as age, sex, site.
    """

    person: str
    sha256: str
    values: FloatMap
    places: NDArray[np.float32]
    moments: Moments
    features: Mapping[str, float] = field(default_factory=dict)
    covariates: Covariates = field(default_factory=dict)
    content_sha256: str = ""

    @property
    def hashes(self) -> tuple[str, ...]:
        """By which the scan is recognised."""
        return tuple(known for known in (self.sha256, self.content_sha256) if known)

    @classmethod
    def of(
        cls,
        averaged: Map,
        *,
        domain: BoolMap,
        brain: BoolMap,
        person: str,
        sha256: str = "",
        features: Mapping[str, float] | None = None,
        covariates: Covariates | None = None,
        content_sha256: str = "",
    ) -> "HealthyScan":
        """Keep a scan.

        Args:
            averaged: (x, y, z) regional asymmetry on the symmetric grid, antisymmetric, nats.
            domain: voxels that were compared; mirror-symmetric.
            brain: brain mask.
            person: whose scan it is.
            sha256: of the scan's file.
            features: for the test of exchangeability.
            covariates: columns such as age, sex, site.
            content_sha256: of its voxels and affine.
        """
        half = domain.copy()
        half[domain.shape[0] // 2 :] = False
        places = np.stack([axis[half] for axis in places_in_reference(brain)])
        return cls(
            person=person,
            sha256=sha256,
            values=averaged[half].astype(np.float32),
            places=places.astype(np.float32),
            moments=Moments.of_case(averaged, domain=domain, brain=brain),
            features=features or {},
            covariates=covariates or {},
            content_sha256=content_sha256,
        )

    def largest_deviation(
        self, spread: FloatMap, *, mean: FloatMap | None = None, move: Map | None = None
    ) -> float:
        """Largest deviation anywhere in the scan, SD.

        Args:
            spread: ``REFERENCE_SHAPE``, nats.
            mean: healthy mean to take off, nats.
            move: deviations that are added everywhere, SD.
        """
        if not self.values.size:
            return 0.0
        values = self.values.astype(np.float64)
        if mean is not None:
            values = values - sample_reference(mean.astype(np.float64), self.places)
        sizes = np.abs(values) / sample_reference(spread.astype(np.float64), self.places)
        if move is not None:
            sizes = sizes + sample_reference(move, self.places)
        return float(sizes.max())


def person_sha256(person: str, *, salt: str) -> str:
    """By which a person is recognised; who can guess the label can check the guess."""
    return hashlib.sha256(f"{salt} {person}".encode("utf-8", "surrogateescape")).hexdigest()


def by_person(scans: Iterable[HealthyScan]) -> dict[str, list[HealthyScan]]:
    """Scans of each person, in the order of the names, so that the order of files is no matter."""
    people: dict[str, list[HealthyScan]] = {}
    for scan in sorted(scans, key=lambda scan: (scan.person, scan.sha256)):
        people.setdefault(scan.person, []).append(scan)
    return people


def moments_of(people: Mapping[str, Sequence[HealthyScan]]) -> Moments:
    """Moments in which every person counts once, however many scans there are."""
    return reduce(Moments.plus, (person_moments(scans) for scans in people.values()))


def person_moments(scans: Sequence[HealthyScan]) -> Moments:
    """Moments of one person: the mean over the scans."""
    return reduce(Moments.plus, (scan.moments for scan in scans)).scaled(1.0 / len(scans))


def deviations_from_others(
    people: Mapping[str, Sequence[HealthyScan]], *, minus_mean: bool = False
) -> dict[str, list[float]]:
    """Largest deviation of every scan from all other people, bounded for any new scan, SD.

    Args:
        people: two or more.
        minus_mean: take off the mean of the others.
    """
    everyone = moments_of(people)
    found = {}
    for person, scans in people.items():
        others = everyone.plus(person_moments(scans), times=-1.0)
        spread = least_spread(others, about_mean=minus_mean)
        mean = mean_of(others) if minus_mean else None
        move = largest_move(others) if minus_mean else None
        found[person] = [s.largest_deviation(spread, mean=mean, move=move) for s in scans]
    return found


def deviations_from(
    people: Mapping[str, Sequence[HealthyScan]], moments: Moments, *, minus_mean: bool = False
) -> dict[str, list[float]]:
    """Largest deviation of every scan from people who are all other ones, SD.

    Args:
        people: whose scans are compared.
        moments: of people that none of them is among.
        minus_mean: take off their mean.
    """
    spread = spread_of(moments, about_mean=minus_mean)
    mean = mean_of(moments) if minus_mean else None
    return {
        person: [scan.largest_deviation(spread, mean=mean) for scan in scans]
        for person, scans in people.items()
    }
