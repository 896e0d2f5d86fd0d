"""Healthy scans -> calibration."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.adjustment import Adjustment, fit_adjustment
from medsym.calibration.calibration import Calibration
from medsym.calibration.groups import GroupColumn, group_of, missing_columns
from medsym.calibration.mean_test import mean_asymmetry_p_value
from medsym.calibration.normative import Moments, mean_of, spread_of
from medsym.calibration.people import (
    Covariates,
    HealthyScan,
    by_person,
    deviations_from,
    deviations_from_others,
    moments_of,
)
from medsym.errors import ConfigError

#: Two people are each other's healthy people; below that there is nothing to compare with.
FEWEST_PEOPLE = 2
_SPLIT_SEED = 0

People = Mapping[str, Sequence[HealthyScan]]


@dataclass(frozen=True, kw_only=True, slots=True)
class CalibrationSettings:
    """What a user chooses.

    Attributes:
        name: as it is shown.
        group_by: columns that make the groups.
        adjust: covariates that the scores are adjusted for; half of the people are fitted on.
        minus_mean: take the mean asymmetry off.
    """

    name: str = "healthy scans"
    group_by: tuple[GroupColumn, ...] = ()
    adjust: tuple[str, ...] = ()
    minus_mean: bool = False


def build_calibration(
    scans: Sequence[HealthyScan],
    settings: CalibrationSettings,
    *,
    model: Mapping[str, str],
    left_out: int = 0,
    test_mean: bool = True,
) -> Calibration:
    """Make a calibration.

    Args:
        scans: of healthy people, all measured with one model.
        settings: see ``CalibrationSettings``.
        model: name, version and sha256 of the model.
        left_out: scans that could not be used, for the record.
        test_mean: also test whether there is a mean asymmetry.

    Raises:
        ConfigError: MS-501, MS-504 as ``check_columns``, MS-502 as ``fit_adjustment``, MS-503 too
            few people, MS-510 a scan belongs to two people.
    """
    people = by_person(scans)
    _check(people, settings)
    parts = _with_adjustment(people, settings) if settings.adjust else _all_of(people, settings)
    ordered = [scan for person in people.values() for scan in person]
    numbers = {person: number for number, person in enumerate(people)}
    names = tuple(sorted(ordered[0].features))
    return Calibration(
        name=settings.name,
        model=dict(model),
        spread=spread_of(parts.moments, about_mean=settings.minus_mean),
        mean=mean_of(parts.moments),
        minus_mean=settings.minus_mean,
        mean_p_value=mean_asymmetry_p_value(people) if test_mean else None,
        num_spread=round(parts.moments.count),
        scores=parts.scores,
        groups=parts.groups,
        group_by=settings.group_by,
        adjustment=parts.adjustment,
        features=np.array([[s.features[n] for n in names] for s in ordered], dtype=np.float64),
        feature_names=names,
        owners=np.array([numbers[scan.person] for scan in ordered], dtype=np.int64),
        feature_groups=tuple(str(group_of(s.covariates, settings.group_by)) for s in ordered),
        scan_hashes=tuple(sorted(scan.sha256 for scan in ordered)),
        counts={"people": len(people), "scans": len(ordered), "left_out": left_out},
    )


@dataclass(frozen=True, kw_only=True, slots=True)
class _Parts:
    moments: Moments
    scores: NDArray[np.float32]
    groups: tuple[str, ...]
    adjustment: Adjustment | None = None


def _all_of(people: People, settings: CalibrationSettings) -> _Parts:
    """Every person against all others."""
    deviations = deviations_from_others(people, minus_mean=settings.minus_mean)
    scores, groups = _per_group(people, deviations, settings.group_by)
    return _Parts(moments=moments_of(people), scores=scores, groups=groups)


def _with_adjustment(people: People, settings: CalibrationSettings) -> _Parts:
    """One half gives maps and regression, the other half is scored with both."""
    fitted, scored = split(people)
    moments = moments_of(fitted)
    known = deviations_from_others(fitted, minus_mean=settings.minus_mean)
    rows = [(max(known[person]), fitted[person][0].covariates) for person in fitted]
    adjustment = fit_adjustment(
        [score for score, _ in rows], [row for _, row in rows], columns=settings.adjust
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
    return _Parts(moments=moments, scores=scores, groups=groups, adjustment=adjustment)


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


def check_columns(covariates: Mapping[str, Covariates], settings: CalibrationSettings) -> None:
    """Find out before anything is measured whether everybody states what is asked for.

    Args:
        covariates: of each person or scan, by name.
        settings: what is asked for.

    Raises:
        ConfigError: MS-501 a column of the adjustment is missing, MS-504 one of the groups.
    """
    for name, row in covariates.items():
        missing = missing_columns(row, settings.group_by)
        if missing:
            _refuse("MS-504", name, f"states no usable '{missing[0]}', which groups are made by")
        for column in settings.adjust:
            if row.get(column) in (None, ""):
                _refuse("MS-501", name, f"states no '{column}', which is adjusted for")


def _check(people: People, settings: CalibrationSettings) -> None:
    if len(people) < FEWEST_PEOPLE:
        raise ConfigError(
            code="MS-503",
            subject="healthy scans",
            cause=f"{len(people)} people with a usable scan",
            fix=f"give scans of {FEWEST_PEOPLE} or more people; 19 for a false-alarm rate of 5 %",
        )
    owners: dict[str, str] = {}
    for person, scans in people.items():
        for scan in scans:
            check_columns({person: scan.covariates}, settings)
            other = owners.setdefault(scan.sha256 or f"{person} {len(owners)}", person)
            if other != person:
                cause = f"has the same scan as {other}: one person under two names?"
                _refuse("MS-510", person, cause)


def _refuse(code: str, subject: str, cause: str) -> None:
    fix = "correct the table of participants, or leave this person out"
    raise ConfigError(code=code, subject=subject, cause=cause, fix=fix)
