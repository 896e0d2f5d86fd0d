"""participants.tsv: what is known of people (age, sex, site), one row each, as in BIDS."""

from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medsym.errors import ConfigError
from medsym.screening.cells import UnreadableTableError, covariate, read_cells
from medsym.screening.entry import ScanEntry

#: Column that names the subject; else the first one does.
SUBJECT = "participant_id"

Covariates = Mapping[str, str | float]


def read_participants(path: Path, *, prefix: str = "sub-") -> dict[str, Covariates]:
    """Columns of every subject, by label without "sub-"; empty cells and blank rows are left out.

    Args:
        path: the table; of sessions, its first column names them.
        prefix: what labels may begin with; "ses-" for a table of sessions.

    Raises:
        ConfigError: MS-509 the table cannot be read without guessing, or a subject stands in it
            twice.
    """
    try:
        header, rows = read_cells(path)
    except UnreadableTableError as error:
        raise _refused(path, str(error)) from None
    key = header.index(SUBJECT) if SUBJECT in header else 0
    people: dict[str, Covariates] = {}
    for number, cells in rows:
        if len(cells) > len(header):
            raise _refused(
                path, f"has {len(cells)} cells for {len(header)} columns in row {number}"
            )
        label = cells[key].removeprefix(prefix) if len(cells) > key else ""
        if label in people:
            raise _refused(path, f"names the subject '{label}' twice")
        stated = {
            column: value
            for place, (column, text) in enumerate(zip(header, cells, strict=False))
            if place != key and column and (value := covariate(text)) is not None
        }
        people[label] = stated
    return people


def with_participants(
    entries: Sequence[ScanEntry], people: Mapping[str, Covariates], *, table: Path
) -> tuple[ScanEntry, ...]:
    """Entries with the columns of their subject; what an entry states itself comes first.

    Raises:
        ConfigError: MS-509 no scan belongs to anybody in the table.
    """
    if entries and not any(entry.name.subject in people for entry in entries):
        known = ", ".join(sorted(people)[:3])
        seen = ", ".join(sorted({entry.name.subject for entry in entries})[:3])
        raise _refused(table, f"knows {known}, but the scans belong to {seen}")
    return tuple(
        replace(
            entry,
            name=replace(
                entry.name,
                subject_stated=entry.name.subject_stated or entry.name.subject in people,
            ),
            covariates={**people.get(entry.name.subject, {}), **entry.covariates},
        )
        for entry in entries
    )


def with_table(entries: Sequence[ScanEntry], table: Path | None) -> tuple[ScanEntry, ...]:
    """Entries with the columns of a table of participants, if one was named.

    Raises:
        ConfigError: MS-509.
    """
    if table is None:
        return tuple(entries)
    return with_participants(entries, read_participants(table), table=table)


def _refused(path: Path, cause: str) -> ConfigError:
    fix = (
        f"give a table with the column {SUBJECT}, one row per subject (visits: sub-01_sessions.tsv)"
    )
    return ConfigError(code="MS-509", subject=path.name, cause=cause, fix=fix)
