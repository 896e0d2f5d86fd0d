"""The user's table beside the results: who a case is of, what is known about the person."""

import csv
from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsym.errors import ConfigError

Record = Mapping[str, Any]
#: Spellings of "not known", in any case.
MISSING = frozenset({"", "n/a", "na", "nan"})
_KEYS = ("case", "file", "participant_id")


@dataclass(frozen=True, kw_only=True, slots=True)
class Entry:
    """A case with what its table says.

    Attributes:
        record: case.json.
        person: whose scan it is; all scans of a person stay together.
        values: known columns of the table by name.
    """

    record: Record
    person: str
    values: Mapping[str, str]


@dataclass(frozen=True, kw_only=True, slots=True)
class Matched:
    """Cases and lines that belong together.

    Attributes:
        entries: in an order that depends on persons and cases alone.
        unlisted: cases without a line.
        unused: lines without a case.
    """

    entries: tuple[Entry, ...]
    unlisted: tuple[str, ...]
    unused: tuple[str, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Labels:
    """The table, by the first of the columns case, file (of the scan), participant_id that it has.

    Attributes:
        path: where it is, for messages.
        key: that column.
        with_session: participant_id is completed by a column session_id.
        columns: all of them.
        lines: by what stands in the key columns.
    """

    path: Path
    key: str
    with_session: bool
    columns: tuple[str, ...]
    lines: Mapping[tuple[str, ...], Mapping[str, str]]

    @classmethod
    def of(cls, rows: Sequence[Mapping[str, str]], *, path: Path) -> "Labels":
        """Lines by their case.

        Raises:
            ConfigError: MS-610 there is none, or no column says which case; MS-612 two lines are
                for one case.
        """
        if not rows or not set(_KEYS) & set(rows[0]):
            raise _refused(path, f"has no lines or none of the columns {', '.join(_KEYS)}")
        key = next(name for name in _KEYS if name in rows[0])
        with_session = key == "participant_id" and "session_id" in rows[0]
        keys = [_row_key(row, key, with_session) for row in rows]
        _refuse_twice(keys, path, what="lines are for")
        return cls(
            path=path,
            key=key,
            with_session=with_session,
            columns=tuple(rows[0]),
            lines=dict(zip(keys, rows, strict=True)),
        )

    def key_of(self, record: Record) -> tuple[str, ...]:
        """What stands in the key columns of a case's line."""
        if self.key == "participant_id":
            session = (str(record["session"] or ""),) if self.with_session else ()
            return (str(record["subject"]), *session)
        return (str(record["case"] if self.key == "case" else record["scan"]["file"]),)

    def values_of(self, record: Record) -> dict[str, str]:
        """What the table says of a case; empty without a line."""
        return known(self.lines.get(self.key_of(record), {}))

    def require(self, names: Sequence[str]) -> None:
        """Refuse a table that lacks a column (MS-611)."""
        lacking = [name for name in names if name not in self.columns]
        if lacking:
            raise ConfigError(
                code="MS-611",
                subject=str(self.path),
                cause=f"has no column {', '.join(lacking)}",
                fix=f"its columns are {', '.join(self.columns)}",
            )


def read_labels(path: Path) -> Labels:
    """Read a table: tabs between columns, or commas if the file ends in .csv.

    Raises:
        ConfigError: MS-610 it cannot be read; otherwise as ``Labels.of``.
    """
    comma = path.suffix.lower() == ".csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, delimiter="," if comma else "\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no such text"
        raise _refused(path, f"cannot be read ({reason})") from None
    stripped = [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in rows]
    return Labels.of(stripped, path=path)


def _refused(path: Path, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-610",
        subject=str(path),
        cause=cause,
        fix="give a .tsv (tabs) or .csv (commas) with a column case, file or participant_id and "
        "one line per case",
    )


def match(records: Sequence[Record], labels: Labels) -> Matched:
    """Bring cases and lines together.

    Raises:
        ConfigError: MS-612 two cases have the file name that the table goes by, MS-623 nothing says
            whose scan one is.
    """
    keys = [labels.key_of(record) for record in records]
    if labels.key == "file":
        _refuse_twice(keys, labels.path, what="cases come from files")
    pairs = list(zip(keys, records, strict=True))
    entries = [
        Entry(
            record=record,
            person=_person(labels.lines[key], record),
            values=known(labels.lines[key]),
        )
        for key, record in pairs
        if key in labels.lines
    ]
    entries.sort(key=lambda entry: (entry.person, str(entry.record["case"])))
    return Matched(
        entries=tuple(entries),
        unlisted=tuple(str(record["case"]) for key, record in pairs if key not in labels.lines),
        unused=tuple(" ".join(key) for key in labels.lines if key not in set(keys)),
    )


def known(row: Mapping[str, str]) -> dict[str, str]:
    """What a line says, without the cells that say nothing."""
    return {name: value for name, value in row.items() if value.casefold() not in MISSING}


def _refuse_twice(keys: Sequence[tuple[str, ...]], path: Path, *, what: str) -> None:
    twice = [" ".join(key) for key, count in Counter(keys).items() if count > 1]
    if twice:
        raise ConfigError(
            code="MS-612",
            subject=str(path),
            cause=f"several {what} {twice[0]}",
            fix="name every case once, in a column case",
        )


def _row_key(row: Mapping[str, str], key: str, with_session: bool) -> tuple[str, ...]:
    session = (row["session_id"].removeprefix("ses-"),) if with_session else ()
    return (row[key].removeprefix("sub-") if key == "participant_id" else row[key], *session)


def _person(row: Mapping[str, str], record: Record) -> str:
    said = known(row)
    named = said.get("person") or said.get("participant_id", "").removeprefix("sub-")
    if not named and record["case"] == f"sub-{record['subject']}":
        raise ConfigError(
            code="MS-623",
            subject=str(record["case"]),
            cause="nothing says whose scan this is: its file has a name of its own, and two visits "
            "of somebody would count as two persons",
            fix="give the table a column person",
        )
    return named or str(record["subject"])
