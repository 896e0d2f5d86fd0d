"""Rows of scores.tsv for the cohort page: what a score of persons says about screened cases."""

import csv
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

SCORES = "scores.tsv"
NUMBERS = ("probability", "laterality_p", "bilateral_p")


def read_scores(path: Path, *, pages: Mapping[str, str]) -> tuple[dict[str, Any], ...]:
    """Rows of the cases that are shown, in the order of the page; none without such a file.

    Args:
        path: of scores.tsv.
        pages: file name of the page by case.
    """
    try:
        with path.open(encoding="utf-8", errors="replace", newline="") as stream:
            table = csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE)
            found = {row.get("case") or "": row for row in table}
    except OSError:
        return ()
    return tuple(
        {
            "case": case,
            "page": page,
            "words": found[case].get("words") or "",
            **{key: _number(found[case].get(key)) for key in NUMBERS},
        }
        for case, page in pages.items()
        if case in found
    )


def _number(text: str | None) -> float | None:
    try:
        value = float(text or "")
    except ValueError:
        return None
    return value if math.isfinite(value) else None
