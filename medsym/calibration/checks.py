"""What a calibration is asked for, and whether the healthy people can give it."""

import math
from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass

from medsym.calibration.adjustment import refuse_too_few, width_of
from medsym.calibration.groups import GroupColumn, missing_columns
from medsym.calibration.people import Covariates, HealthyScan
from medsym.errors import ConfigError

#: Two people are each other's healthy people; below that there is nothing to compare with.
FEWEST_PEOPLE = 2


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


def check_people(
    people: Mapping[str, Mapping[str, Covariates]],
    settings: CalibrationSettings,
    *,
    folds: int | None = None,
) -> None:
    """Find out before anything is measured whether these people can make the calibration.

    Scans that turn out not to be usable may still leave too few; ``build_calibration`` says so.

    Args:
        people: covariates of each scan, by name, of each person.
        settings: what is asked for.
        folds: of a cross-validation; None without one.

    Raises:
        ConfigError: as ``check_columns``, MS-799 nobody has a column that is asked for, MS-502 too
            few people for the adjustment, MS-503 too few people, MS-508 fewer people than folds,
            MS-515 a column holds numbers and words.
    """
    rows = {name: row for scans in people.values() for name, row in scans.items()}
    _refuse_unknown(rows.values(), settings)
    check_columns(rows, settings)
    check_number(len(people))
    kept = len(people)
    if folds is not None:
        check_folds(folds, people=kept)
        kept -= math.ceil(kept / folds)
        check_number(kept, where="healthy scans outside a fold")
    if settings.adjust:
        width = width_of(list(rows.values()), columns=settings.adjust)
        refuse_too_few((kept + 1) // 2, width=width)


def _refuse_unknown(rows: Iterable[Covariates], settings: CalibrationSettings) -> None:
    """Refuse a column that is stated of nobody: the fault is in the command, not in a person."""
    known = sorted({column for row in rows for column in row})
    asked = [("--group-by", group.column) for group in settings.group_by]
    asked += [("--adjust", column) for column in settings.adjust]
    for option, column in asked:
        if column not in known:
            has = f"the tables have {', '.join(known)}" if known else "no table states anything"
            raise ConfigError(
                code="MS-799",
                subject=option,
                cause=f"no scan has a column '{column}'; {has}",
                fix="name a column as it is written there, or give a table that has it with "
                "--participants",
            )


def check_columns(covariates: Mapping[str, Covariates], settings: CalibrationSettings) -> None:
    """Refuse people who do not state what is asked for.

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


def check_number(people: int, *, where: str = "healthy scans") -> None:
    """Refuse too few people (MS-503)."""
    if people < FEWEST_PEOPLE:
        raise ConfigError(
            code="MS-503",
            subject=where,
            cause=f"{people} people with a usable scan",
            fix=f"give scans of {FEWEST_PEOPLE} or more people; 19 for a false-alarm rate of 5 %",
        )


def check_folds(folds: int, *, people: int) -> None:
    """Refuse a number of folds that people cannot be shared out to (MS-508)."""
    if not 2 <= folds <= people:
        raise ConfigError(
            code="MS-508",
            subject="--cross-validate",
            cause=f"{people} people do not make {folds} folds",
            fix=f"give a number from 2 to {people}",
        )


def check_scans(people: Mapping[str, Sequence[HealthyScan]], settings: CalibrationSettings) -> None:
    """Refuse measured scans that cannot make the calibration.

    Raises:
        ConfigError: as ``check_columns``, MS-503 too few people, MS-510 a scan belongs to two.
    """
    check_number(len(people))
    owners: dict[str, str] = {}
    for person, scans in people.items():
        for scan in scans:
            check_columns({person: scan.covariates}, settings)
            for known in scan.hashes:
                other = owners.setdefault(known, person)
                if other != person:
                    cause = f"has the same scan as {other}: one person under two names?"
                    _refuse("MS-510", person, cause)


def _refuse(code: str, subject: str, cause: str) -> None:
    fix = "correct the table of participants, or leave this person out"
    raise ConfigError(code=code, subject=subject, cause=cause, fix=fix)
