"""participants.tsv: what is known of people (age, sex, site), one row each, as in BIDS."""

import csv
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from medsym.errors import ConfigError
from medsym.screening.manifest import ScanEntry
from medsym.screening.manifest_table import covariate

#: Column that names the subject; else the first one does.
SUBJECT = "participant_id"
_EMPTY = frozenset({"", "n/a"})

Covariates = Mapping[str, str | float]


def read_participants(path: Path, *, prefix: str = "sub-") -> dict[str, Covariates]:
    """Columns of every subject, by label without "sub-"; empty cells are left out.

    Args:
        path: the table; of sessions, its first column names them.
        prefix: what labels may begin with; "ses-" for a table of sessions.

    Raises:
        ConfigError: MS-509 the table cannot be read, or a subject stands in it twice.
    """
    try:
        with path.open(encoding="utf-8-sig", newline="") as stream:
            delimiter = "," if path.suffix.lower() == ".csv" else "\t"
            rows = list(csv.DictReader(stream, delimiter=delimiter, strict=True))
    except (OSError, UnicodeDecodeError, csv.Error):
        raise _refused(path, "cannot be read as a table in UTF-8") from None
    if not rows:
        raise _refused(path, "has no row below its header")
    key = SUBJECT if SUBJECT in rows[0] else next(iter(rows[0]))
    people: dict[str, Covariates] = {}
    for row in rows:
        label = (row[key] or "").strip().removeprefix(prefix)
        if label in people:
            raise _refused(path, f"names the subject '{label}' twice")
        cells = {name: (value or "").strip() for name, value in row.items() if name and name != key}
        people[label] = {n: covariate(text) for n, text in cells.items() if text not in _EMPTY}
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
    fix = f"give a tab-separated table with the column {SUBJECT}, one row per subject"
    return ConfigError(code="MS-509", subject=path.name, cause=cause, fix=fix)
