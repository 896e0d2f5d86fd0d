"""Healthy scans -> calibration."""

import hashlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.adjustment import Adjustment, fit_adjustment
from medsym.calibration.calibration import Calibration
from medsym.calibration.checks import CalibrationSettings, check_scans
from medsym.calibration.groups import GroupColumn, group_of
from medsym.calibration.mean_test import mean_asymmetry_p_value
from medsym.calibration.normative import Moments, mean_of, spread_of
from medsym.calibration.people import (
    HealthyScan,
    by_person,
    deviations_from,
    deviations_from_others,
    moments_of,
    person_sha256,
)

_SPLIT_SEED = 0

People = Mapping[str, Sequence[HealthyScan]]


def build_calibration(
    scans: Sequence[HealthyScan],
    settings: CalibrationSettings,
    *,
    model: Mapping[str, str],
    left_out: int = 0,
    options: Mapping[str, Any] | None = None,
    test_mean: bool = True,
) -> Calibration:
    """Make a calibration.

    Args:
        scans: of healthy people, all measured with one model.
        settings: see ``CalibrationSettings``.
        model: name, version and sha256 of the model.
        left_out: scans that could not be used, for the record.
        options: of reading and analysis that the scans were measured with.
        test_mean: also test whether there is a mean asymmetry.

    Raises:
        ConfigError: as ``check_scans``, and MS-502 as ``fit_adjustment``.
    """
    people = by_person(scans)
    check_scans(people, settings)
    parts = _with_adjustment(people, settings) if settings.adjust else _all_of(people, settings)
    ordered = [scan for person in people.values() for scan in person]
    numbers = {person: number for number, person in enumerate(people)}
    names = tuple(sorted(ordered[0].features))
    hashes = tuple(sorted({known for scan in ordered for known in scan.hashes}))
    salt = hashlib.sha256(" ".join(hashes).encode("ascii", "replace")).hexdigest()
    return Calibration(
        name=settings.name,
        model=dict(model),
        spread=spread_of(parts.moments, about_mean=settings.minus_mean),
        mean=mean_of(parts.moments),
        minus_mean=settings.minus_mean,
        mean_p_value=mean_asymmetry_p_value(people) if test_mean else None,
        num_spread=round(parts.moments.count),
        scores=parts.scores,
        largest=parts.largest,
        groups=parts.groups,
        group_by=settings.group_by,
        adjustment=parts.adjustment,
        features=np.array([[s.features[n] for n in names] for s in ordered], dtype=np.float64),
        feature_names=names,
        owners=np.array([numbers[scan.person] for scan in ordered], dtype=np.int64),
        feature_groups=tuple(str(group_of(s.covariates, settings.group_by)) for s in ordered),
        scan_hashes=hashes,
        salt=salt,
        person_hashes=tuple(sorted(person_sha256(person, salt=salt) for person in people)),
        counts={"people": len(people), "scans": len(ordered), "left_out": left_out},
        options=dict(options or {}),
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    moments: Moments
    scores: NDArray[np.float32]
    largest: NDArray[np.float32]
    groups: tuple[str, ...]
    adjustment: Adjustment | None = None


def _all_of(people: People, settings: CalibrationSettings) -> _Parts:
    """Every person against all others."""
    deviations = deviations_from_others(people, minus_mean=settings.minus_mean)
    scores, groups = _per_group(people, deviations, settings.group_by)
    return _Parts(
        moments=moments_of(people), scores=scores, largest=_largest(deviations), groups=groups
    )


def _with_adjustment(people: People, settings: CalibrationSettings) -> _Parts:
    """One half gives maps and regression, the other half is scored with both."""
    fitted, scored = split(people)
    moments = moments_of(fitted)
    known = deviations_from_others(fitted, minus_mean=settings.minus_mean)
    worst = [max(zip(known[p], fitted[p], strict=True), key=_deviation) for p in fitted]
    adjustment = fit_adjustment(
        [score for score, _ in worst],
        [scan.covariates for _, scan in worst],
        columns=settings.adjust,
    )
    raw = deviations_from(scored, moments, minus_mean=settings.minus_mean)
    kept = {person: scans for person, scans in scored.items() if _usable(scans, adjustment)}
    divided = {
        person: [
            value / adjustment.factor(scan.covariates)
            for value, scan in zip(raw[person], scans, strict=True)
        ]
        for person, scans in kept.items()
    }
    scores, groups = _per_group(kept, divided, settings.group_by)
    return _Parts(
        moments=moments,
        scores=scores,
        largest=_largest({**known, **raw}),
        groups=groups,
        adjustment=adjustment,
    )


def _deviation(pair: tuple[float, HealthyScan]) -> float:
    return pair[0]


def _largest(deviations: Mapping[str, Sequence[float]]) -> NDArray[np.float32]:
    """(people,) ascending largest deviation of each person, SD."""
    return np.sort(np.array([max(found) for found in deviations.values()], dtype=np.float32))


def _usable(scans: Sequence[HealthyScan], adjustment: Adjustment) -> bool:
    """A new scan that cannot be adjusted gets no p-value, so neither do such people give one."""
    return all(adjustment.problem(scan.covariates) is None for scan in scans)


def split(people: People) -> tuple[People, People]:
    """Two halves, by a chance that depends on the hashes of the scans alone; first is larger."""
    ordered = sorted(people, key=lambda person: people[person][0].sha256 or person)
    order = np.random.default_rng(_SPLIT_SEED).permutation(len(ordered))
    first = {ordered[i] for i in order[: (len(ordered) + 1) // 2]}
    return (
        {person: scans for person, scans in people.items() if person in first},
        {person: scans for person, scans in people.items() if person not in first},
    )


def _per_group(
    people: People, deviations: Mapping[str, Sequence[float]], columns: Sequence[GroupColumn]
) -> tuple[NDArray[np.float32], tuple[str, ...]]:
    """The largest value of each person in each of their groups."""
    largest: dict[tuple[str, str], float] = {}
    for person, scans in people.items():
        for scan, value in zip(scans, deviations[person], strict=True):
            key = (person, str(group_of(scan.covariates, columns)))
            largest[key] = max(value, largest.get(key, 0.0))
    scores = np.array(list(largest.values()), dtype=np.float32)
    return scores, tuple(group for _, group in largest)
