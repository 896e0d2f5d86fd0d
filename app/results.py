"""Read the folder that `medsym screen` wrote; nothing here writes, computes or guesses.

Every path from a file of the folder is checked to lie inside it, and a map is shown only when its
bytes still have the hash that its case recorded.
"""

import functools
import hashlib
import os
import re
from collections.abc import Mapping
from contextlib import suppress
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from app.folder_files import read_case_record, read_json_object, read_table
from medsym.errors import OutputError
from medsym.screening.records import SEAL
from medsym.screening.reviews import Verdict

CASE_NAME = re.compile(r"[A-Za-z0-9][A-Za-z0-9_.+-]{0,254}")
CASE_SUFFIX = "_case.json"


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
        OutputError: MS-161 unknown case, MS-164 its case.json cannot be read or is no record,
            MS-162 or MS-686 its table of structures.
    """
    path = case_file(root, name)
    if path is None:
        raise unknown_case(name)
    record = read_case_record(path)
    return Case(
        name=name,
        record=record,
        root=root,
        scan_path=_scan_path(root, name),
        structures=_structures(root, record),
    )


def case_file(root: Path, name: str) -> Path | None:
    """The case.json of a case; None if there is none, or if it lies outside the folder."""
    if not CASE_NAME.fullmatch(name):
        return None
    parts = [part for part in name.split("_") if part.startswith(("sub-", "ses-"))]
    usual = root.joinpath(*parts[:2], "anat", name + CASE_SUFFIX)  # no search through a big folder
    places = [usual] if usual.is_file() else sorted(root.glob(f"sub-*/**/{name}{CASE_SUFFIX}"))
    return next((path for path in places if path.is_file() and is_inside(path, root)), None)


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


def is_of_present(root: Path, verdict: Verdict) -> bool:
    """Whether the record that a reader judged is still the one of the folder."""
    return record_seal(root, verdict.case) == verdict.record_sha256


def compared_with(record: Mapping[str, Any]) -> str:
    """Name of the calibration and how many healthy cases it holds; "" where the record has none."""
    used = record.get("calibration") or {}
    if not used.get("name"):
        return ""
    known = {"synthetic": "drawn heads", "healthy scans": "healthy people"}
    cases = known.get(str(used.get("kind")), "cases")
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
    entry = (case.record.get("files") or {}).get(kind)
    if entry is None:
        return None
    path = _locate(case.root, entry["path"])
    found = path.stat()
    if _sha256_of(path, found.st_mtime_ns, found.st_size) != recorded_hash(case, kind):
        raise changed_file(path)
    return path


def recorded_hash(case: Case, kind: str) -> str:
    """SHA-256 that a map of the case had when it was written, hexadecimal; "" without one."""
    entry = (case.record.get("files") or {}).get(kind) or {}
    return str(entry.get("sha256", ""))


def changed_file(path: Path) -> OutputError:
    """The error for a file that does not have the bytes that its record names."""
    return OutputError(
        code="MS-163",
        subject=path.name,
        cause="the file is not the one that was written with this case",
        fix="Open the case again; if that does not help, screen the scan again, with --recompute",
    )


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
    with suppress(OSError, ValueError, RuntimeError):  # names that no file can have, rings of links
        if is_inside(path, root) and path.is_file():
            return path
    raise OutputError(
        code="MS-162",
        subject=Path(relative).name,
        cause="the file is missing from the result folder",
        fix="Screen the scan again, with --recompute",
    )


def _scan_path(root: Path, name: str) -> Path | None:
    sources = root / "logs" / "sources.json"
    text = read_json_object(sources).get(name) if sources.is_file() else None
    if isinstance(text, str) and os.path.isfile(text):  # noqa: PTH113 - never raises
        return Path(text)
    return None


def _structures(root: Path, record: Mapping[str, Any]) -> dict[int, str]:
    entry = (record.get("files") or {}).get("anatomy_table")
    if entry is None:
        return {}
    table = read_table(_locate(root, entry["path"]))
    return {
        int(row["index"]): row["name"]
        for row in table
        if row.get("index", "").strip().isdecimal() and len(row["index"]) < 10 and row.get("name")
    }
