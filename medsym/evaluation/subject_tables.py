"""One TSV line per subject and method, so that every statistic can be made again by others."""

import csv
import io
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsym.volumes.output_file import write_atomically

TABLE = "subjects.tsv"
_LISTS = ("counts", "froc_found", "froc_false")  # in the JSON lines only


def write_subject_tables(folder: Path, rows: Mapping[str, Sequence[Mapping[str, Any]]]) -> Path:
    """Write every scalar of every subject; an empty cell is undefined or not measured.

    Args:
        folder: of the evaluation.
        rows: by group, subjects in order.
    """
    lines: list[dict[str, Any]] = []
    for group, subjects in rows.items():
        for index, row in enumerate(subjects):
            for method, scores in row.get("methods", {}).items():
                scalars = {k: v for k, v in scores.items() if k not in _LISTS}
                who = {"group": group, "subject": index, "method": method}
                lines.append(who | row.get("facts", {}) | scalars)
    columns = list(dict.fromkeys(name for line in lines for name in line))
    text = io.StringIO(newline="")
    writer = csv.DictWriter(text, columns, delimiter="\t", lineterminator="\n")
    writer.writeheader()
    writer.writerows(lines)
    path = folder / TABLE
    write_atomically(path, text.getvalue().encode())
    return path
