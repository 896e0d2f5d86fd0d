"""Tables of a screening folder: screening.tsv/json, failures.tsv, dataset_description.json."""

import csv
import math
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.conformal import benjamini_hochberg
from medsym.screening.case_words import sides_of
from medsym.screening.description import write_description
from medsym.upwards import MOST_DECIMALS, UPWARDS, kept_up, plain_text, rounded_up
from medsym.volumes.writer import json_text, write_text

COLUMNS = (
    "case",
    "file",
    "assessable",
    "deviation_max",
    "deviation_side",
    "p_value",
    "q_value",
    "calibration",
    "group",
    "warning",
    "pathology_ml",
    "share_beyond_bound",
    "bound_max",
    "measured_defect_max",
    "symmetric_score",
    "midplane_score",
    "num_findings",
    "finding_sides",
    "reasons",
)
#: A file name may occur in several folders; the case tells its rows apart.
FAILURE_COLUMNS = ("file", "case", "code", "cause", "fix")
#: Files of an output folder that are written anew by every run.
TOP_FILES = ("screening.tsv", "screening.json", "failures.tsv", "index.html")
#: A spreadsheet reads text that begins like this as a formula.
_FORMULA_STARTS = ("=", "+", "-", "@", "\t", "\r")


def screening_row(record: dict[str, Any]) -> dict[str, Any]:
    """Row of the cohort table from a case record."""
    summary = record["summary"]
    row = {key: summary.get(key) for key in COLUMNS}
    row.update(
        case=record["case"],
        file=record["scan"]["file"],
        assessable=record["assessable"],
        calibration=record["calibration"]["name"],
        group=record["calibration"]["group"],
        warning="; ".join(_warnings(record["calibration"])),
        midplane_score=record["midplane"]["score"],
        num_findings=len(record["findings"]) if record["assessable"] else None,
        finding_sides=",".join(sides_of(record)) if record["assessable"] else None,
        reasons="; ".join(record["reasons"]),
    )
    return row


def _warnings(use: dict[str, Any]) -> list[str]:
    """What speaks against a p-value, or why there is none."""
    reason = use.get("reason")
    said = (f"no p-value: {reason}" if reason else None, use.get("warning"))
    return [sentence for sentence in said if sentence]


def with_q_values(rows: Sequence[dict[str, Any]]) -> list[dict[str, Any]]:
    """Rows with q-values: Benjamini and Hochberg over the rows that have a p-value."""
    tested = [row for row in rows if row["p_value"] is not None]
    q = benjamini_hochberg(np.array([row["p_value"] for row in tested], dtype=np.float64))
    found = {row["case"]: kept_up(value) for row, value in zip(tested, q, strict=True)}
    return [{**row, "q_value": found.get(row["case"])} for row in rows]


def cell(value: Any) -> str:
    r"""One TSV cell: numbers stay numbers, text can neither break the row nor become a formula.

    Example:
        >>> cell(-1.5), cell("=1+1"), cell(None), cell("a" + chr(9) + "b")
        ('-1.5', "'=1+1", 'n/a', 'a b')
    """
    if value is None or (isinstance(value, float) and not math.isfinite(value)):
        return "n/a"
    if isinstance(value, bool):
        return "true" if value else "false"
    if isinstance(value, int | float):
        return f"{value:.6g}" if isinstance(value, float) else str(value)
    text = "".join(char if char.isprintable() else " " for char in str(value))
    if text.startswith(_FORMULA_STARTS):
        text = "'" + text
    return text or "n/a"


def _cell_of(row: Mapping[str, Any], column: str) -> str:
    """A cell; what is rounded up keeps the digits that it has in its record."""
    value = row.get(column)
    if column in UPWARDS and isinstance(value, float) and math.isfinite(value):
        return plain_text(rounded_up(value, decimals=MOST_DECIMALS))
    return cell(value)


def tsv(rows: Iterable[dict[str, Any]], *, columns: Sequence[str]) -> str:
    """Tab-separated text with a header line."""
    lines = ["\t".join(columns)]
    lines += ["\t".join(_cell_of(row, column) for column in columns) for row in rows]
    return "\n".join(lines) + "\n"


def write_tables(
    out: Path, *, records: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> None:
    """Write the tables of an output folder, first of all whose it is."""
    write_description(out)
    for name, text in table_texts(records=records, failures=failures).items():
        write_text(out / name, text)


def table_texts(
    *, records: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> dict[str, str]:
    """File name -> text of the tables; they depend on the arguments alone."""
    rows = with_q_values([screening_row(record) for record in records])
    whole = {"cases": rows, "research_use_only": RESEARCH_USE_ONLY, "columns": column_help()}
    return {
        "screening.tsv": tsv(rows, columns=COLUMNS),
        "screening.json": json_text(whole, target=Path("screening.json")),
        "failures.tsv": tsv(failures, columns=FAILURE_COLUMNS),
    }


def column_help() -> dict[str, str]:
    """What each number of the table is, with unit and direction."""
    return {
        "deviation_max": "largest deviation from healthy asymmetry, SD; higher is further",
        "deviation_side": "patient's side of it; it need not be a finding",
        "p_value": "probability that a healthy scan like those of the calibration deviates as far "
        "anywhere; never below 1 / (n + 1)",
        "q_value": "Benjamini-Hochberg over the p-values of this table: calling every case up to "
        "this value keeps the expected share of healthy ones among the called below it, if the "
        "scans are of different people like those of the calibration and the p-values positively "
        "dependent (proved for scores fixed before calibration, here seen in simulations only); "
        "not with a synthetic reference",
        "calibration": "healthy cases the p-value is measured against",
        "warning": "what speaks against the p-value, or why there is none",
        "group": "people of the calibration that the scan is compared with; n/a: all",
        "pathology_ml": "volume with a pathology probability above 0.5, ml",
        "share_beyond_bound": "share of the brain whose asymmetry exceeds the bound, 0 to 1",
        "bound_max": "largest bound on what the model itself may add, nats",
        "measured_defect_max": "largest measured defect of the model, nats; never above the bound",
        "symmetric_score": "pathology on both sides or the mid-line, 0 to 1; not seen by mirror",
        "midplane_score": "agreement of the head with its mirror image, 0 to 1; higher is better",
        "num_findings": "number of findings",
        "finding_sides": "patient's side of every finding, the leading one first: left, right, or "
        "several with commas between; n/a: no finding",
    }


def read_failures(path: Path) -> list[dict[str, str]]:
    """Rows of an earlier failures.tsv; none if there is no such file."""
    if not path.is_file():
        return []
    with path.open(encoding="utf-8", errors="replace", newline="") as stream:
        rows = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
        return [{column: row.get(column) or "" for column in FAILURE_COLUMNS} for row in rows]
