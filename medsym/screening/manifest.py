"""What a run screens: one entry per scan, from files, folders, ZIP archives or a table of scans.

A row that cannot be used (a file that is not there, a name that stands twice) becomes an entry that
carries its refusal, so that the other rows are screened all the same.
"""

from collections import Counter
from collections.abc import Sequence, Set
from dataclasses import replace
from pathlib import Path

from medsym.errors import OutputError, ScanError
from medsym.screening.archives import is_archive
from medsym.screening.cells import TABLE_ENDINGS
from medsym.screening.dicom.series import find_series
from medsym.screening.entry import ScanEntry, entry_of_series
from medsym.screening.inputs import expand_scans
from medsym.screening.naming import name_cases, place_name
from medsym.screening.packed import Packed, look_into
from medsym.screening.table_entries import entries_of_table


def entries_of(inputs: Sequence[Path]) -> tuple[ScanEntry, ...]:
    """Entries of files, folders, archives (.zip) and tables (.csv, .tsv); equal paths count once.

    Raises:
        ConfigError: MS-530 a table that cannot be used.
        OutputError: MS-150 two scans would be written under one name.
    """
    tables = [path for path in inputs if path.suffix.lower() in TABLE_ENDINGS]
    archives = [path for path in inputs if is_archive(path)]
    plain = [path for path in inputs if path not in tables and path not in archives]
    unopened: list[Path] = []
    files, entries = _packed_entries(archives)
    scans = [*expand_scans(plain, unopened=unopened), *files]
    entries += [
        ScanEntry(
            path=path, name=name, packed=packed, origin=None if packed is None else packed.archive
        )
        for path, name in name_cases(scans).items()
        for packed in [files.get(path)]
    ]
    entries += [unopened_entry(folder, place=folder) for folder in unopened]
    for folder in dict.fromkeys(path for path in plain if path.is_dir()):
        entries += [
            replace(entry_of_series(series), origin=folder) for series in find_series(folder)
        ]
    folders = set(plain)
    entries = [entry if entry.origin else _from(entry, folders) for entry in entries]
    for table in dict.fromkeys(tables):
        entries += [replace(entry, origin=table) for entry in entries_of_table(table)]
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


def _packed_entries(archives: Sequence[Path]) -> tuple[dict[Path, Packed], list[ScanEntry]]:
    """Scan files in archives, still to be named; entries of DICOM series and of what is refused."""
    files: dict[Path, Packed] = {}
    entries = []
    for archive in dict.fromkeys(archives):
        try:
            contents = look_into(archive)
        except ScanError as error:
            name = place_name(archive)
            entries.append(ScanEntry(path=archive, name=name, refusal=error, origin=archive))
            continue
        files |= contents.files
        for series in contents.series:
            entry = entry_of_series(series, archive=archive)
            entries.append(replace(entry, origin=archive))
    return files, entries


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
