"""Tables and JSON files of a folder that others can write too: read once, in bounds, and checked.

Whatever stands in such a file, its reader gets the values it may rely on or an OutputError.
"""

import json
import os
import re
import stat
from collections.abc import Mapping
from itertools import zip_longest
from pathlib import Path
from typing import Any

from medsym.errors import OutputError

NOTHING = "n/a"  # an empty cell of a BIDS table
#: Far more than medsym writes: a record has some 10 kB, a table of 100,000 scans some 50 MB.
MAX_JSON_BYTES = 16 * 1024**2
MAX_TABLE_BYTES = 256 * 1024**2
_LINE = re.compile(r"\r\n|\r|\n")
#: What a record holds where it holds it; older versions lack some.
_OBJECTS = (
    *("files", "scan", "grid", "options", "calibration", "threshold", "summary", "midplane"),
    *("model", "software", "quality"),
)
_LISTS = ("findings", "reasons")
_OF_A_FINDING = ("peak_mm", "deviation", "bound", "asymmetry")
_NUMBERS = ("deviation", "bound", "asymmetry", "p_value")
_THRESHOLDS = ("peak_sd", "extent_sd", "false_alarm_rate")


def read_bytes(path: Path, *, longest: int) -> bytes:
    """Bytes of a plain file; a pipe or a device in its place is not waited for.

    Raises:
        OSError: it cannot be read, is no plain file or longer than that.
    """
    flags = os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | getattr(os, "O_BINARY", 0)
    with os.fdopen(os.open(path, flags), "rb") as stream:
        found = os.fstat(stream.fileno())
        if not stat.S_ISREG(found.st_mode) or found.st_size > longest:
            raise OSError(0, "no plain file of the usual size")
        return stream.read(longest)


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table, empty cells as ""; none if there is no such file.

    Bytes that are no UTF-8 are replaced: one bad name must not hide the other scans.

    Raises:
        OutputError: MS-686 it cannot be read, or is endless.
    """
    if not os.path.isfile(path):  # noqa: PTH113 - never raises
        return []
    try:
        text = read_bytes(path, longest=MAX_TABLE_BYTES).decode("utf-8", "replace")
    except OSError as error:
        raise OutputError(
            code="MS-686",
            subject=path.name,
            cause=f"the table cannot be read ({error.strerror})",
            fix="Ask for permission to read it, or screen the scans again",
        ) from error
    names, *rows = [line.split("\t") for line in _LINE.split(text) if line] or [[]]
    return [
        {
            name: "" if value == NOTHING else value
            for name, value in zip_longest(names, row[: len(names)], fillvalue="")
            if name
        }
        for row in rows
    ]


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object of the folder; {} if the file holds something else.

    Raises:
        OutputError: MS-164 it cannot be read as JSON.
    """
    try:
        found = json.loads(read_bytes(path, longest=MAX_JSON_BYTES).decode("utf-8"))
    except (OSError, ValueError, RecursionError) as error:
        raise _unreadable(path, "the file cannot be read as JSON") from error
    return found if isinstance(found, dict) else {}


def read_case_record(path: Path) -> dict[str, Any]:
    """The record of a case, whose parts have the kinds that the pages rely on; no part is null.

    Raises:
        OutputError: MS-164 it cannot be read, or is no record of a case.
    """
    known = (*_OBJECTS, *_LISTS)
    found = read_json_object(path).items()
    record = {key: value for key, value in found if value is not None or key not in known}
    objects = all(isinstance(record.get(key, {}), dict) for key in _OBJECTS) and all(
        isinstance(record.get(key, []), list) for key in _LISTS
    )
    parts = (_has_files, _has_findings, _has_grid, _has_thresholds)
    if not (objects and all(has(record) for has in parts)):
        raise _unreadable(path, "the file is no record of a case")
    return record


def _has_files(record: Mapping[str, Any]) -> bool:
    return all(
        isinstance(entry, Mapping) and isinstance(entry.get("path"), str) and entry["path"]
        for entry in record.get("files", {}).values()
    )


def _has_findings(record: Mapping[str, Any]) -> bool:
    return all(
        isinstance(finding, dict)
        and isinstance(finding.get("basis") or {}, dict)
        and all(_is_list(finding.get(key), (3,)) for key in ("peak_mm", "mirror_mm"))
        and all(_is_list(finding.get(key), ()) for key in _NUMBERS)
        and all(finding.get(key) is not None for key in _OF_A_FINDING)
        for finding in record.get("findings", [])
    )


def _has_thresholds(record: Mapping[str, Any]) -> bool:
    return all(_is_list(record.get("threshold", {}).get(key), ()) for key in _THRESHOLDS)


def _has_grid(record: Mapping[str, Any]) -> bool:
    spacing = record.get("grid", {}).get("spacing_mm", 1.0)
    return (
        isinstance(spacing, int | float)
        and 0.0 < spacing < 1000.0
        and _is_list(record.get("mirror_world"), (4, 4))
        and _is_list(record.get("midplane", {}).get("normal"), (3,))
        and _is_list(record.get("summary", {}).get("deviation_max_mm"), (3,))
    )


def _is_list(value: object, shape: tuple[int, ...]) -> bool:
    """Whether it is missing, or nested lists of that shape of numbers."""
    if value is None:
        return True
    if not shape:
        return isinstance(value, int | float) and abs(value) < 1e6
    inner = shape[1:]
    return (
        isinstance(value, list)
        and len(value) == shape[0]
        and all(item is not None and _is_list(item, inner) for item in value)
    )


def _unreadable(path: Path, cause: str) -> OutputError:
    return OutputError(
        code="MS-164",
        subject=path.name,
        cause=cause,
        fix="Screen the scan again, with --recompute",
    )
