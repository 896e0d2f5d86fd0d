"""Reading a table of scans: CSV or TSV with a column 'scan' and whatever else is known of them."""

import csv
import difflib
import re
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsym.errors import ConfigError, MedsymError, ScanError

TABLE_ENDINGS = frozenset({".csv", ".tsv"})
#: Column -> what it is; every other column is a covariate.
_COLUMNS = {
    "scan": "scan",
    "case": "case",
    "subject": "subject",
    "participant_id": "subject",
    "session": "session",
    "session_id": "session",
    "brain_mask": "brain_mask",
    "exclusion_mask": "exclusion_mask",
    "lesion_mask": "exclusion_mask",
}
#: How alike a column has to be to a known one to be taken for a slip of the pen.
_ALIKE = 0.8
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_EMPTY = frozenset({"", "n/a"})
#: A covariate that states a number, or a word such as a site.
Covariates = Mapping[str, str | float]


@dataclass(frozen=True, kw_only=True, slots=True)
class Row:
    """One row of the table.

    Attributes:
        number: line of the file, the header being 1.
        label: "row N of TABLE (SCAN)", for messages.
        scan: file; the other paths are None where the cell is empty.
        case: name of the case as stated, or None; also subject and session.
        covariates: the other columns, without empty cells.
        problem: why the row cannot be used.
    """

    number: int
    label: str
    scan: Path
    case: str | None
    subject: str | None
    session: str | None
    brain_mask: Path | None
    exclusion_mask: Path | None
    covariates: Covariates
    problem: MedsymError | None


def read_rows(table: Path) -> list[Row]:
    """Rows of a table; paths are relative to it.

    Raises:
        ConfigError: MS-530 unreadable, no column 'scan', no row, or a column that is nearly a known
            one.
    """
    header, lines = _read(table)
    kinds = _kinds(header, table=table)
    return [_row(number, cells, header=header, kinds=kinds, table=table) for number, cells in lines]


def covariate(text: str) -> str | float:
    """A number where the cell is one; "01" is a label.

    Example:
        >>> covariate("71.5"), covariate("01"), covariate("siteA")
        (71.5, '01', 'siteA')
    """
    return float(text) if _NUMBER.fullmatch(text) else text


def _read(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            reader = csv.reader(stream, delimiter=_delimiter(table, first), strict=True)
            lines = [(reader.line_num, [cell.strip() for cell in cells]) for cells in reader]
    except (OSError, UnicodeDecodeError, csv.Error) as error:
        reason = "it is not UTF-8 text" if isinstance(error, UnicodeDecodeError) else str(error)
        if isinstance(error, OSError):
            reason = error.strerror or "unreadable"
        raise _refused(table, f"cannot be read ({reason})") from None
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if len(filled) < 2:
        raise _refused(table, "has no row below its header")
    return filled[0][1], filled[1:]


def _delimiter(table: Path, header: str) -> str:
    if table.suffix.lower() == ".tsv":
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _kinds(header: Sequence[str], *, table: Path) -> dict[str, int]:
    """Known columns -> their place; refuses what could silently be taken for something else."""
    kinds: dict[str, int] = {}
    for place, column in enumerate(header):
        kind = _COLUMNS.get(column.lower())
        if kind is None:
            near = difflib.get_close_matches(column.lower(), _COLUMNS, n=1, cutoff=_ALIKE)
            if near:
                raise _refused(table, f"has a column '{column}'; did you mean '{near[0]}'?")
        elif kind in kinds:
            raise _refused(table, f"states the {kind} in two columns")
        else:
            kinds[kind] = place
    doubled = [column for column in header if header.count(column) > 1]
    if doubled:
        raise _refused(table, f"has the column '{doubled[0]}' twice")
    if "scan" not in kinds:
        raise _refused(table, "has no column 'scan'")
    return kinds


def _row(
    number: int, cells: list[str], *, header: Sequence[str], kinds: Mapping[str, int], table: Path
) -> Row:
    padded = cells + [""] * (len(header) - len(cells))
    stated = {kind: padded[place] for kind, place in kinds.items() if padded[place] not in _EMPTY}
    others = {
        column: covariate(padded[place])
        for place, column in enumerate(header)
        if place not in kinds.values() and column and padded[place] not in _EMPTY
    }
    scan = stated.get("scan", "")
    label = f"row {number} of {table.name}" + (f" ({Path(scan).name})" if scan else "")
    problem = None
    if len(cells) > len(header) or not scan:
        cause = "names no scan" if not scan else f"has {len(cells)} cells for {len(header)} columns"
        fix = "give every row a scan and one cell per column"
        problem = ScanError(code="MS-533", subject=label, cause=cause, fix=fix)
    folder = table.parent
    masks = {
        kind: folder / stated[kind] if kind in stated else None
        for kind in ("brain_mask", "exclusion_mask")
    }
    return Row(
        number=number,
        label=label,
        scan=folder / (scan or f"row{number}"),
        case=stated.get("case"),
        subject=stated.get("subject"),
        session=stated.get("session"),
        **masks,
        covariates=others,
        problem=problem,
    )


def _refused(table: Path, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-530",
        subject=str(table),
        cause=cause,
        fix="give a CSV or TSV file with a column 'scan' and, if wanted, case or subject, session, "
        "brain_mask, exclusion_mask and covariates such as age",
    )
