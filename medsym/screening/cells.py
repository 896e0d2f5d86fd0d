"""Cells of users' tables: CSV with commas or semicolons, TSV without quoting, as in BIDS."""

import csv
import re
from collections.abc import Sequence
from pathlib import Path

TABLE_ENDINGS = frozenset({".csv", ".tsv"})
_NUMBER = re.compile(r"[+-]?(0|[1-9][0-9]*)(\.[0-9]+)?([eE][+-]?[0-9]+)?")
_DECIMAL_COMMA = re.compile(r"[+-]?[0-9]+,[0-9]+")
_EMPTY = frozenset({"", "n/a", "na", "nan"})


class UnreadableTableError(Exception):
    """A table cannot be read without guessing; the text says why, as after "the table"."""


def read_cells(table: Path) -> tuple[list[str], list[tuple[int, list[str]]]]:
    """Header and the rows that are not blank, each with the line of the file it ends on.

    Raises:
        UnreadableTableError: it cannot be opened, is no UTF-8 text or has a quote without its end,
            has no row below its header, a column twice, or a decimal comma where commas part cells.
    """
    try:
        with table.open(encoding="utf-8-sig", newline="") as stream:
            first = stream.readline()
            stream.seek(0)
            mark = _delimiter(table, first)
            reader = csv.reader(
                stream,
                delimiter=mark,
                quoting=csv.QUOTE_NONE if mark == "\t" else csv.QUOTE_MINIMAL,
                strict=True,
            )
            lines = [(reader.line_num, [_bare(cell) for cell in cells]) for cells in reader]
    except UnicodeDecodeError:
        raise UnreadableTableError("cannot be read (it is not UTF-8 text)") from None
    except (OSError, csv.Error) as error:
        reason = error.strerror if isinstance(error, OSError) else str(error)
        raise UnreadableTableError(f"cannot be read ({reason})") from None
    filled = [(number, cells) for number, cells in lines if any(cells)]
    if len(filled) < 2:
        raise UnreadableTableError("has no row below its header")
    header, rows = filled[0][1], filled[1:]
    doubled = [column for column in header if column and header.count(column) > 1]
    if doubled:
        raise UnreadableTableError(f"has the column '{doubled[0]}' twice")
    return header, [(number, _with_points(number, cells, mark=mark)) for number, cells in rows]


def covariate(text: str) -> str | float | None:
    """A number where the cell is one, None where it is empty, "n/a", "NA" or "NaN".

    Example:
        >>> covariate("71.5"), covariate("01"), covariate("siteA"), covariate("NA")
        (71.5, '01', 'siteA', None)
    """
    if is_empty(text):
        return None
    return float(text) if _NUMBER.fullmatch(text) else text


def is_empty(text: str) -> bool:
    """Whether a cell states nothing."""
    return text.casefold() in _EMPTY


def _delimiter(table: Path, header: str) -> str:
    if table.suffix.lower() != ".csv":
        return "\t"
    return ";" if ";" in header and "," not in header else ","


def _bare(cell: str) -> str:
    """Without the spaces around it, and without the quotes that some programs put into TSV."""
    cell = cell.strip()
    quoted = len(cell) > 1 and cell[0] == cell[-1] == '"' and '"' not in cell[1:-1]
    return cell[1:-1].strip() if quoted else cell


def _with_points(number: int, cells: Sequence[str], *, mark: str) -> list[str]:
    """Numbers with a decimal point; where semicolons part cells, a comma is one."""
    commas = [cell for cell in cells if _DECIMAL_COMMA.fullmatch(cell)]
    if commas and mark != ";":
        raise UnreadableTableError(f"says '{commas[0]}' in row {number}: write a decimal point")
    return [cell.replace(",", ".") if cell in commas else cell for cell in cells]
