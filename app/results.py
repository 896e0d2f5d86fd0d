"""Read the folder that `medsym screen` wrote; nothing here writes, computes or guesses.

Every path from a file of the folder is checked to lie inside it, and a map is shown only when its
bytes still have the hash that its case recorded.
"""

import csv
import hashlib
import json
import math
import re
from collections.abc import Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsym.errors import OutputError

CASE_NAME = re.compile(r"^[A-Za-z0-9][A-Za-z0-9_.+-]{0,254}$")
CASE_SUFFIX = "_case.json"
NOTHING = "n/a"  # an empty cell of a BIDS table
NUMBERS = (
    "num_findings",
    "deviation_max",
    "pathology_ml",
    "share_beyond_bound",
    "bound_max",
    "measured_defect_max",
    "symmetric_score",
    "midplane_score",
)
ABOUT_THE_RUN = ("midplane_score",)  # all that is said of a scan that is not assessable


@dataclass(frozen=True, kw_only=True, slots=True)
class WorklistRow:
    """One scan of the cohort, screened or refused."""

    case: str
    file: str
    status: str  # "assessed" | "not assessable" | "refused"
    side: str
    numbers: Mapping[str, float]
    reason: str


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


def read_worklist(root: Path) -> list[WorklistRow]:
    """All scans of a result folder, highest deviation first, refused ones last.

    Args:
        root: result folder.

    Returns:
        Rows of screening.tsv and failures.tsv.

    Raises:
        OutputError: the folder holds no screening.tsv.
    """
    if not (root / "screening.tsv").is_file():
        raise OutputError(
            code="MS-160",
            subject=str(root),
            cause="no screening.tsv in this folder",
            fix="Give the folder that was named by --out of medsym screen",
        )
    rows = [_assessed_row(record) for record in _read_table(root / "screening.tsv")]
    rows += [_refused_row(record) for record in _read_table(root / "failures.tsv")]
    return sorted(rows, key=_rank)


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
    for path in sorted(root.glob(f"sub-*/**/*{CASE_SUFFIX}")) if CASE_NAME.match(name) else []:
        if path.name == name + CASE_SUFFIX and is_inside(path, root):
            record = _read_json(path)
            return Case(
                name=name,
                record=record,
                root=root,
                scan_path=_scan_path(root, name),
                structures=_structures(root, record),
            )
    raise unknown_case(name)


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
    if hashlib.sha256(path.read_bytes()).hexdigest() != entry.get("sha256"):
        raise OutputError(
            code="MS-163",
            subject=path.name,
            cause="the file is not the one that was written with this case",
            fix="Screen the scan again, with --recompute",
        )
    return path


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


def _read_table(path: Path) -> list[dict[str, str]]:
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", newline="") as stream:
        table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [
            {key: "" if value in (None, NOTHING) else value for key, value in row.items() if key}
            for row in table
        ]


def _assessed_row(record: Mapping[str, str]) -> WorklistRow:
    assessable = record.get("assessable", "").strip().lower() in {"true", "1", "yes"}
    shown = NUMBERS if assessable else ABOUT_THE_RUN
    return WorklistRow(
        case=record.get("case", ""),
        file=record.get("file", ""),
        status="assessed" if assessable else "not assessable",
        side=record.get("deviation_side", "") if assessable else "",
        numbers={name: _number(record.get(name, "") if name in shown else "") for name in NUMBERS},
        reason=record.get("reasons", ""),
    )


def _refused_row(record: Mapping[str, str]) -> WorklistRow:
    parts = (record.get("code", ""), record.get("cause", ""), record.get("fix", ""))
    return WorklistRow(
        case="",
        file=record.get("file", ""),
        status="refused",
        side="",
        numbers=dict.fromkeys(NUMBERS, math.nan),
        reason=" ".join(part for part in parts if part),
    )


def _rank(row: WorklistRow) -> tuple[int, float, str]:
    order = {"assessed": 0, "not assessable": 1, "refused": 2}[row.status]
    deviation = row.numbers["deviation_max"]
    return order, math.inf if math.isnan(deviation) else -deviation, row.case or row.file


def _number(text: str) -> float:
    try:
        return float(text)
    except ValueError:
        return math.nan


def _read_json(path: Path) -> dict[str, Any]:
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
    text = _read_json(sources).get(name) if sources.is_file() else None
    return Path(text) if isinstance(text, str) and Path(text).is_file() else None


def _structures(root: Path, record: Mapping[str, Any]) -> dict[int, str]:
    entry = record.get("files", {}).get("anatomy_table")
    if entry is None:
        return {}
    table = _read_table(_locate(root, str(entry["path"])))
    return {
        int(row["index"]): row["name"]
        for row in table
        if row.get("index", "").strip().isdigit() and row.get("name")
    }
