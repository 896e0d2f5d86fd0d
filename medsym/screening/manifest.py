"""What a run screens: one entry per scan, from files, folders or a table with a row per scan.

A row that cannot be used (a file that is not there, a name that stands twice) becomes an entry that
carries its refusal, so that the other rows are screened all the same.
"""

import os
from collections import Counter
from collections.abc import Mapping, Sequence, Set
from dataclasses import dataclass, field, replace
from pathlib import Path

from medsym.calibration.people import PERSON
from medsym.errors import MedsymError, OutputError, ScanError
from medsym.screening.cells import TABLE_ENDINGS
from medsym.screening.dicom.series import DicomSeries, find_series
from medsym.screening.inputs import expand_scans
from medsym.screening.manifest_table import Row, read_rows
from medsym.screening.naming import (
    CaseName,
    clean_label,
    name_cases,
    name_of,
    place_name,
    stated_name,
    stem_of,
    told_apart,
)


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanEntry:
    """One scan of a run, with what the user states about it.

    Attributes:
        path: scan file.
        name: identity of the case.
        brain_mask: mask to use instead of finding the brain.
        exclusion_mask: mask of what is left out of the comparison, with its mirror places.
        covariates: columns such as age, sex, site; numbers where the cell is one.
        series: DICOM series to convert; ``path`` is then no file but the name of the case.
        refusal: why this entry cannot be screened; whoever screens it raises this.
        origin: table or folder that names it; a later run over it knows which refusals are gone.
    """

    path: Path
    name: CaseName
    brain_mask: Path | None = None
    exclusion_mask: Path | None = None
    covariates: Mapping[str, str | float] = field(default_factory=dict)
    series: DicomSeries | None = None
    refusal: MedsymError | None = None
    origin: Path | None = None

    @property
    def person(self) -> str:
        """Whose scan it is, as far as anybody said: the column ``PERSON``, else the subject."""
        return str(self.covariates.get(PERSON, self.name.subject))


def entries_of(inputs: Sequence[Path]) -> tuple[ScanEntry, ...]:
    """Entries of files, folders and tables (.csv, .tsv), in their order; equal paths count once.

    Raises:
        ConfigError: MS-530 a table that cannot be used.
        OutputError: MS-150 two scans would be written under one name.
    """
    tables = [path for path in inputs if path.suffix.lower() in TABLE_ENDINGS]
    plain = [path for path in inputs if path not in tables]
    unopened: list[Path] = []
    scans = expand_scans(plain, unopened=unopened)
    entries = [ScanEntry(path=path, name=name) for path, name in name_cases(scans).items()]
    entries += [unopened_entry(folder, place=folder) for folder in unopened]
    for folder in dict.fromkeys(path for path in plain if path.is_dir()):
        entries += [
            replace(_entry_of_series(series), origin=folder) for series in find_series(folder)
        ]
    folders = set(plain)
    entries = [entry if entry.origin else _from(entry, folders) for entry in entries]
    for table in dict.fromkeys(tables):
        entries += [replace(entry, origin=table) for entry in _entries_of_table(table)]
    _refuse_one_name_twice(entries)
    return tuple(entries)


def entries_of_any(scans: Sequence[ScanEntry | Path]) -> tuple[ScanEntry, ...]:
    """Entries as given; paths among them stand for their entries.

    Raises:
        ConfigError: MS-530 a table that cannot be used.
        OutputError: MS-150 two scans would be written under one name.
    """
    ready = [scan for scan in scans if isinstance(scan, ScanEntry)]
    entries = (*ready, *entries_of([scan for scan in scans if not isinstance(scan, ScanEntry)]))
    _refuse_one_name_twice(entries)
    return entries


def _from(entry: ScanEntry, folders: Set[Path]) -> ScanEntry:
    """Entry with the folder, among those that were named, that it lies in."""
    around = (entry.path, *entry.path.parents)
    return replace(entry, origin=next((path for path in around if path in folders), None))


def unopened_entry(folder: Path, *, place: Path) -> ScanEntry:
    """A folder that cannot be opened: its scans are missing from the run, which has to be said.

    Args:
        folder: the folder.
        place: the same, from where the user can tell it.
    """
    refusal = ScanError(
        code="MS-548",
        subject=str(place),
        cause="the folder cannot be opened; whatever scans it holds were not screened",
        fix="ask for permission to read it, or name the folders to screen one by one",
    )
    return ScanEntry(path=folder, name=place_name(place), refusal=refusal)


def _entry_of_series(series: DicomSeries) -> ScanEntry:
    name = series.name
    return ScanEntry(path=Path(name.case), name=name, series=series, refusal=series.refusal)


def _entries_of_table(table: Path) -> list[ScanEntry]:
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
    if entry.refusal is None and os.path.isdir(row.scan):  # noqa: PTH112 - never raises
        return _with_series(entry, row)
    return entry


def _with_series(entry: ScanEntry, row: Row) -> ScanEntry:
    """The one DICOM series in the folder that a row names.

    Folders may be called like patients, so they and their parents lend no name by themselves.
    """
    has_name = row.case is not None or row.subject is not None
    usable = [s for s in find_series(row.scan, with_study=True) if s.refusal is None]
    if len(usable) == 1:
        name = entry.name if has_name else usable[0].name
        series = replace(usable[0], name=name)
        return replace(entry, name=name, path=Path(name.case), series=series)
    name = entry.name if has_name else place_name(row.scan / f"row{row.number}")
    refusal = ScanError(
        code="MS-534",
        subject=row.label,
        cause=f"is a folder with {len(usable)} series of DICOM images that may be scans",
        fix="name a scan file, or a folder with one series",
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
            label = clean_label(stem_of(row.scan))
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


def _refuse_one_name_twice(entries: Sequence[ScanEntry]) -> None:
    counts = Counter(entry.name.case.casefold() for entry in entries)
    clashes = [entry for entry in entries if counts[entry.name.case.casefold()] > 1]
    if clashes:
        shown = ", ".join(str(entry.path) for entry in clashes[:4])
        raise OutputError(
            code="MS-150",
            subject=clashes[0].name.case,
            cause=f"{len(clashes)} scans would be written under the same name: {shown}",
            fix="give them names of their own in the column 'case' of a table",
        )
