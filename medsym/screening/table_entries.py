"""Entries of a table: a row may name a scan file, or a folder or archive that holds one scan."""

import os
from collections import Counter
from collections.abc import Sequence
from dataclasses import replace
from pathlib import Path

from medsym.datasets.nifti_files import scan_stem
from medsym.errors import ScanError
from medsym.screening.archives import is_archive
from medsym.screening.dicom.series import find_series
from medsym.screening.entry import ScanEntry, entry_of_series
from medsym.screening.manifest_table import Row, read_rows
from medsym.screening.naming import (
    CaseName,
    clean_label,
    name_of,
    place_name,
    stated_name,
    told_apart,
)
from medsym.screening.packed import look_into


def entries_of_table(table: Path) -> list[ScanEntry]:
    """Entries of a table's rows; those of rows that cannot be used carry their refusal.

    Raises:
        ConfigError: MS-530 a table that cannot be used.
    """
    rows = read_rows(table)
    seen: dict[str, int] = {}
    entries = []
    for row, name in zip(rows, _names(rows), strict=True):
        entry = _entry_of_row(row, name=name)
        case = entry.name.case
        first = seen.setdefault(case.casefold(), row.number)
        if first != row.number:
            refusal = ScanError(
                code="MS-532",
                subject=row.label,
                cause=f"has the same name, {case}, as row {first}",
                fix="remove one of the rows, or tell them apart in the column 'case'",
            )
            unique = replace(entry.name, case=f"{case}-row{row.number}")
            entry = replace(entry, name=unique, series=None, refusal=refusal)
        entries.append(entry)
    return entries


def _entry_of_row(row: Row, *, name: CaseName) -> ScanEntry:
    entry = ScanEntry(
        path=row.scan,
        name=name,
        brain_mask=row.brain_mask,
        exclusion_mask=row.exclusion_mask,
        covariates=row.covariates,
        refusal=row.problem or _missing_file(row),
    )
    if entry.refusal is None:
        if is_archive(row.scan):
            return _the_one_in_archive(entry, row)
        if os.path.isdir(row.scan):  # noqa: PTH112 - never raises
            found = find_series(row.scan, with_study=True)
            return _the_one(entry, row, [entry_of_series(series) for series in found])
    return entry


def _the_one_in_archive(entry: ScanEntry, row: Row) -> ScanEntry:
    try:
        contents = look_into(row.scan, with_study=True)
    except ScanError as error:
        return replace(entry, refusal=error)
    series = [entry_of_series(series, archive=row.scan) for series in contents.series]
    names = told_apart(list(contents.files))
    files = [
        ScanEntry(path=path, name=names[path], packed=packed)
        for path, packed in contents.files.items()
    ]
    return _the_one(entry, row, [*files, *series])


def _the_one(entry: ScanEntry, row: Row, found: Sequence[ScanEntry]) -> ScanEntry:
    """The one scan in the folder or archive that a row names.

    Folders may be called like patients, so they and their parents lend no name by themselves.
    """
    has_name = row.case is not None or row.subject is not None
    usable = [inside for inside in found if inside.refusal is None]
    if len(usable) == 1:
        given = usable[0].name.given
        name = replace(entry.name, given=given) if has_name else usable[0].name
        series = usable[0].series and replace(usable[0].series, name=name)
        path = usable[0].path if series is None else Path(name.case)
        return replace(entry, name=name, path=path, series=series, packed=usable[0].packed)
    name = entry.name if has_name else place_name(row.scan / f"row{row.number}")
    what = "an archive" if is_archive(row.scan) else "a folder"
    listed = ": " + ", ".join(inside.name.case for inside in usable[:9]) if usable else ""
    refusal = ScanError(
        code="MS-534",
        subject=row.label,
        cause=f"is {what} with {len(usable)} files or series that may be scans{listed}",
        fix="name a scan file, or a folder or archive that holds one scan",
    )
    return replace(entry, name=name, path=Path(name.case), refusal=refusal)


def _missing_file(row: Row) -> ScanError | None:
    named = (
        ("scan", row.scan),
        ("brain mask", row.brain_mask),
        ("exclusion mask", row.exclusion_mask),
    )
    for what, path in named:
        if path is not None and not os.path.exists(path):  # noqa: PTH110 - never raises
            return ScanError(
                code="MS-531",
                subject=row.label,
                cause=f"the {what} {path} is not there or cannot be reached",
                fix="correct the path; it is relative to the table",
            )
    return None


def _names(rows: Sequence[Row]) -> list[CaseName]:
    """Name of every row: its case, its subject and session, or what its scan file is called."""
    own = [row.scan for row in rows if row.case is None and row.subject is None]
    by_file = told_apart(own)
    names = [
        by_file[row.scan] if row.case is None and row.subject is None else _stated_name(row)
        for row in rows
    ]
    counts = Counter(name.case.casefold() for name in names)
    for number, row in enumerate(rows):
        clashes = counts[names[number].case.casefold()] > 1
        if clashes and row.case is None and row.subject is not None:
            label = clean_label(scan_stem(row.scan))
            names[number] = replace(names[number], case=f"{names[number].case}_acq-{label}")
    return names


def _stated_name(row: Row) -> CaseName:
    of_file = name_of(row.scan)
    subject = None if row.subject is None else clean_label(row.subject.removeprefix("sub-"))
    session = None if row.session is None else clean_label(row.session.removeprefix("ses-"))
    if row.case is not None:
        name = stated_name(row.case)
        return replace(
            name,
            subject=subject or name.subject,
            session=session or name.session,
            subject_stated=name.subject_stated or subject is not None,
        )
    assert subject is not None
    if of_file.subject == subject and of_file.session == session and "_" in of_file.case:
        return of_file
    case = f"sub-{subject}" + (f"_ses-{session}" if session else "")
    return CaseName(case=case, subject=subject, session=session)
