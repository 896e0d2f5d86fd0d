"""Read the folder that `medsym screen` wrote; nothing here writes, computes or guesses.

Every path from a file of the folder is checked to lie inside it, and a map is shown only when its
bytes still have the hash that its case recorded.
"""

import csv
import functools
import hashlib
import json
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.screening.records import SEAL

CASE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,254}$")
CASE_SUFFIX = "_case.json"
NOTHING = "n/a"  # an empty cell of a BIDS table


@dataclass(frozen=True, kw_only=True, slots=True)
class Case:
    """One screened scan: its case.json and where its files are."""

    name: str
    record: Mapping[str, Any]
    root: Path
    scan_path: Path | None = None
    structures: Mapping[int, str] = field(default_factory=dict)

    @property
    def assessable(self) -> bool:
        """Whether maps of this case may be shown."""
        return bool(self.record.get("assessable", False))


def read_case(root: Path, name: str) -> Case:
    """Read one case by name.

    Args:
        root: result folder.
        name: case name, as in screening.tsv.

    Returns:
        The case; `scan_path` is None where this site did not keep it.

    Raises:
        OutputError: unknown case, or a case.json that cannot be read.
    """
    path = case_file(root, name)
    if path is None:
        raise unknown_case(name)
    record = read_json_object(path)
    return Case(
        name=name,
        record=record,
        root=root,
        scan_path=_scan_path(root, name),
        structures=_structures(root, record),
    )


def case_file(root: Path, name: str) -> Path | None:
    """The case.json of a case; None if there is none, or if it lies outside the folder."""
    if not CASE_NAME.match(name):
        return None
    parts = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
    usual = root.joinpath(*parts[:2], "anat", name + CASE_SUFFIX)  # no search through a big folder
    places = [usual] if usual.is_file() else sorted(root.glob(f"sub-*/**/{name}{CASE_SUFFIX}"))
    return next((path for path in places if is_inside(path, root)), None)


def record_seal(root: Path, name: str) -> str:
    """Seal of a case's record, "" without one; kept in memory until the record changes."""
    path = case_file(root, name)
    return "" if path is None else _seal_of(path, path.stat().st_mtime_ns)


@functools.lru_cache(maxsize=10_000)
def _seal_of(path: Path, mtime_ns: int) -> str:  # noqa: ARG001
    try:
        return seal_of(read_json_object(path))
    except OutputError:
        return ""


def seal_of(record: Mapping[str, Any]) -> str:
    """The hash that a record has of itself; what a reader saw is named by it."""
    return str(record.get(SEAL, ""))


def compared_with(record: Mapping[str, Any]) -> str:
    """Name of the calibration and how many healthy cases it holds; "" where the record has none."""
    used = record.get("calibration") or {}
    if not used.get("name"):
        return ""
    cases = "drawn heads" if used.get("kind") == "synthetic" else "healthy people"
    group = f", {used['group']}" if used.get("group") else ""
    return f"{used['name']} ({used.get('n', 0)} {cases}{group})"


def unknown_case(name: str) -> OutputError:
    """The error for a case that the folder does not hold."""
    return OutputError(
        code="MS-161",
        subject=name[:255],
        cause="no such case in this result folder",
        fix="Choose a case of the work list",
    )


def map_path(case: Case, kind: str) -> Path | None:
    """Path of a map whose bytes are what the case recorded, or None where it has no such map.

    Raises:
        OutputError: the file is missing, lies outside the folder, or has changed.
    """
    entry = case.record.get("files", {}).get(kind)
    if entry is None:
        return None
    path = _locate(case.root, str(entry["path"]))
    found = path.stat()
    if _sha256_of(path, found.st_mtime_ns, found.st_size) != entry.get("sha256"):
        raise OutputError(
            code="MS-163",
            subject=path.name,
            cause="the file is not the one that was written with this case",
            fix="Screen the scan again, with --recompute",
        )
    return path


@functools.lru_cache(maxsize=1000)
def _sha256_of(path: Path, mtime_ns: int, size: int) -> str:  # noqa: ARG001
    """SHA-256 of a file, hexadecimal; computed again when the file changes."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def is_inside(path: Path, root: Path) -> bool:
    """Whether a path, links followed, lies inside a folder."""
    return path.resolve().is_relative_to(root.resolve())


def _locate(root: Path, relative: str) -> Path:
    path = root / relative
    if is_inside(path, root) and path.is_file():
        return path
    raise OutputError(
        code="MS-162",
        subject=Path(relative).name,
        cause="the file is missing from the result folder",
        fix="Screen the scan again, with --recompute",
    )


def read_table(path: Path) -> list[dict[str, str]]:
    """Rows of a tab-separated table, empty cells as ""; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            {key: "" if value in (None, NOTHING) else value for key, value in row.items() if key}
            for row in table
        ]


def read_json_object(path: Path) -> dict[str, Any]:
    """A JSON object of the folder; {} if the file holds something else.

    Raises:
        OutputError: MS-164 it cannot be read as JSON.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError) as error:
        raise OutputError(
            code="MS-164",
            subject=path.name,
            cause="the file cannot be read as JSON",
            fix="Screen the scan again, with --recompute",
        ) from error
    return record if isinstance(record, dict) else {}


def _scan_path(root: Path, name: str) -> Path | None:
    sources = root / "logs" / "sources.json"
    text = read_json_object(sources).get(name) if sources.is_file() else None
    return Path(text) if isinstance(text, str) and Path(text).is_file() else None


def _structures(root: Path, record: Mapping[str, Any]) -> dict[int, str]:
    entry = record.get("files", {}).get("anatomy_table")
    if entry is None:
        return {}
    table = read_table(_locate(root, str(entry["path"])))
    return {
        int(row["index"]): row["name"]
        for row in table
        if row.get("index", "").strip().isdigit() and row.get("name")
    }
