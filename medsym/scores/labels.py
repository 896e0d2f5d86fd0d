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


def read_labels(path: Path) -> list[dict[str, str]]:
    """Lines of a table: tabs between columns, or commas if the file ends in .csv.

    Raises:
        ConfigError: MS-610 it cannot be read or says of no case which one is meant.
    """
    comma = path.suffix.lower() == ".csv"
    try:
        with path.open(newline="", encoding="utf-8-sig") as stream:
            rows = list(csv.DictReader(stream, delimiter="," if comma else "\t"))
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is no such text"
        raise _refused(path, f"cannot be read ({reason})") from None
    if not rows or not set(_KEYS) & set(rows[0]):
        raise _refused(path, f"has no lines or none of the columns {', '.join(_KEYS)}")
    return [{k: (v or "").strip() for k, v in row.items() if k is not None} for row in rows]


def _refused(path: Path, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-610",
        subject=str(path),
        cause=cause,
        fix="give a .tsv (tabs) or .csv (commas) with a column case, file or participant_id and "
        "one line per case",
    )


def require_columns(rows: Sequence[Mapping[str, str]], names: Sequence[str], path: Path) -> None:
    """Refuse a table that lacks a column (MS-611)."""
    lacking = [name for name in names if name not in rows[0]]
    if lacking:
        raise ConfigError(
            code="MS-611",
            subject=str(path),
            cause=f"has no column {', '.join(lacking)}",
            fix=f"its columns are {', '.join(rows[0])}",
        )


def match(records: Sequence[Record], rows: Sequence[Mapping[str, str]], *, path: Path) -> Matched:
    """Bring cases and lines together.

    Args:
        records: case records.
        rows: lines of ``read_labels``; by the first of the columns case, file (of the scan) and
            participant_id (with session_id if there is one) that the table has.
        path: of the table, for messages.

    Raises:
        ConfigError: MS-612 two lines, or two files, have the same name.
    """
    key = next(name for name in _KEYS if name in rows[0])
    with_session = key == "participant_id" and "session_id" in rows[0]
    lines = _by_key([_row_key(row, key, with_session) for row in rows], rows, path=path)
    names = [_record_key(record, key, with_session) for record in records]
    if key == "file":
        _refuse_twice(names, path, what="cases come from files")
    entries = [
        Entry(record=record, person=_person(lines[name], record), values=known(lines[name]))
        for name, record in zip(names, records, strict=True)
        if name in lines
    ]
    entries.sort(key=lambda entry: (entry.person, str(entry.record["case"])))
    pairs = zip(names, records, strict=True)
    return Matched(
        entries=tuple(entries),
        unlisted=tuple(str(record["case"]) for name, record in pairs if name not in lines),
        unused=tuple(" ".join(name) for name in lines if name not in set(names)),
    )


def known(row: Mapping[str, str]) -> dict[str, str]:
    """What a line says, without the cells that say nothing."""
    return {name: value for name, value in row.items() if value.casefold() not in MISSING}


def _by_key(
    keys: Sequence[tuple[str, ...]], rows: Sequence[Mapping[str, str]], *, path: Path
) -> dict[tuple[str, ...], Mapping[str, str]]:
    _refuse_twice(keys, path, what="lines are for")
    return dict(zip(keys, rows, strict=True))


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


def _record_key(record: Record, key: str, with_session: bool) -> tuple[str, ...]:
    if key == "participant_id":
        session = (str(record["session"] or ""),) if with_session else ()
        return (str(record["subject"]), *session)
    return (str(record["case"] if key == "case" else record["scan"]["file"]),)


def _person(row: Mapping[str, str], record: Record) -> str:
    named = row.get("person") or row.get("participant_id", "").removeprefix("sub-")
    return named or str(record["subject"])
