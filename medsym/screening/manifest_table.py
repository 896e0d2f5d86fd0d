"""Reading a table of scans: CSV or TSV with a column 'scan' and whatever else is known of them."""

import difflib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsym.errors import ConfigError, MedsymError, ScanError
from medsym.screening.cells import UnreadableTableError, covariate, is_empty, read_cells

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
#: Columns that other tables use for files; here they would be covariates without a word.
_NO_COVARIATES = frozenset({"mask", "brain", "lesion", "roi"})
_FILES = (".nii", ".nii.gz", ".hdr", ".img", ".mgz", ".mgh")
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
        ConfigError: MS-530 unreadable, no column 'scan', no row, a column that is nearly a known
            one, or one with files that is none.
    """
    try:
        header, lines = read_cells(table)
    except UnreadableTableError as error:
        raise _refused(table, str(error)) from None
    kinds = _kinds(header, table=table)
    _refuse_unknown_files(header, lines, kinds=kinds, table=table)
    return [_row(number, cells, header=header, kinds=kinds, table=table) for number, cells in lines]


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
    if "scan" not in kinds:
        raise _refused(table, "has no column 'scan'")
    return kinds


def _refuse_unknown_files(
    header: Sequence[str],
    lines: Sequence[tuple[int, list[str]]],
    *,
    kinds: Mapping[str, int],
    table: Path,
) -> None:
    """A mask under another name would be left out of the analysis and become a covariate."""
    for place, column in enumerate(header):
        cells = [cells[place] for _, cells in lines if len(cells) > place]
        files = [cell for cell in cells if cell.lower().endswith(_FILES)]
        if place not in kinds.values() and (files or column.lower() in _NO_COVARIATES):
            what = f" with the file '{files[0]}'" if files else ""
            raise _refused(
                table,
                f"has a column '{column}'{what}: call it brain_mask or exclusion_mask, or leave "
                "it out",
            )


def _row(
    number: int, cells: list[str], *, header: Sequence[str], kinds: Mapping[str, int], table: Path
) -> Row:
    padded = cells + [""] * (len(header) - len(cells))
    stated = {kind: padded[place] for kind, place in kinds.items() if not is_empty(padded[place])}
    others = {
        column: value
        for place, column in enumerate(header)
        if place not in kinds.values() and column
        if (value := covariate(padded[place])) is not None
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
