"""The scans of a result folder in the order in which they should be read; from its tables alone."""

import functools
import math
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from app.folder_files import read_table
from medsym.datasets.nifti_files import scan_stem
from medsym.errors import OutputError

NUMBERS = (
    "p_value",
    "q_value",
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
    side: str  # patient's, of the largest deviation, which need not be a finding
    finding_sides: tuple[str, ...]  # patient's, of every finding; () also where the table is older
    numbers: Mapping[str, float]
    calibration: str
    remarks: str  # why it is not assessable or was refused, what speaks against its p-value

    @property
    def names(self) -> str:
        """The case, and below it the file that it was made from, where that is called otherwise."""
        is_same = not self.case or scan_stem(Path(self.file)) == self.case
        return (self.case or self.file) if is_same else f"{self.case}\n{self.file}"


def read_worklist(root: Path) -> list[WorklistRow]:
    """All scans of a result folder, smallest p-value first (then largest deviation), refused last.

    Args:
        root: result folder.

    Returns:
        Rows of screening.tsv and failures.tsv.

    Raises:
        OutputError: MS-160 the folder holds no screening.tsv, MS-686 a table cannot be read.
    """
    screened, refused = root / "screening.tsv", root / "failures.tsv"
    if not screened.is_file():
        raise OutputError(
            code="MS-160",
            subject=str(root),
            cause="no screening.tsv in this folder",
            fix="Give the folder that was named by --out of medsym screen",
        )
    return list(_read_tables(screened, refused, (_stamp(screened), _stamp(refused))))


def _stamp(path: Path) -> tuple[int, int]:
    """What changes when a file does; (0, 0) without the file."""
    if not path.is_file():
        return 0, 0
    found = path.stat()
    return found.st_mtime_ns, found.st_size


@functools.lru_cache(maxsize=4)
def _read_tables(
    screened: Path,
    refused: Path,
    stamps: tuple[tuple[int, int], ...],  # noqa: ARG001
) -> tuple[WorklistRow, ...]:
    """Rows of both tables in their order, kept in memory until one of the tables changes."""
    rows = [_assessed_row(record) for record in read_table(screened)]
    rows += [_refused_row(record) for record in read_table(refused)]
    return tuple(sorted(rows, key=_rank))


def _assessed_row(record: Mapping[str, str]) -> WorklistRow:
    assessable = record.get("assessable", "").strip().lower() in {"true", "1", "yes"}
    shown = NUMBERS if assessable else ABOUT_THE_RUN
    return WorklistRow(
        case=record.get("case", ""),
        file=record.get("file", ""),
        status="assessed" if assessable else "not assessable",
        side=record.get("deviation_side", "") if assessable else "",
        finding_sides=_sides(record.get("finding_sides", "") if assessable else ""),
        calibration=record.get("calibration", "") if assessable else "",
        numbers={name: _number(record.get(name, "") if name in shown else "") for name in NUMBERS},
        remarks="; ".join(filter(None, (record.get("reasons"), record.get("warning")))),
    )


def _refused_row(record: Mapping[str, str]) -> WorklistRow:
    parts = (record.get("code", ""), record.get("cause", ""), record.get("fix", ""))
    return WorklistRow(
        case="",
        file=record.get("file", ""),
        status="refused",
        side="",
        finding_sides=(),
        calibration="",
        numbers=dict.fromkeys(NUMBERS, math.nan),
        remarks=" ".join(part for part in parts if part),
    )


def _rank(row: WorklistRow) -> tuple[int, float, float, str]:
    order = {"assessed": 0, "not assessable": 1, "refused": 2}[row.status]
    p, deviation = row.numbers["p_value"], row.numbers["deviation_max"]
    return (
        order,
        math.inf if math.isnan(p) else p,
        math.inf if math.isnan(deviation) else -deviation,
        row.case or row.file,
    )


def _sides(text: str) -> tuple[str, ...]:
    """Sides of findings; none where the cell is empty or holds anything else."""
    sides = tuple(text.split(","))
    return sides if {"left", "right"}.issuperset(sides) else ()


def _number(text: str) -> float:
    try:
        number = float(text)
    except ValueError:
        return math.nan
    return number if math.isfinite(number) else math.nan
