"""Self-contained pages: one per case and an index; no script, nothing loaded from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np
from jinja2 import Environment, PackageLoader, StrictUndefined

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.inference.case import CaseResult
from medsym.screening.figures import data_uri, picture_of, three_planes
from medsym.screening.table import screening_row
from medsym.volumes.writer import write_text

#: Findings with pictures of their own; the table lists all of them.
MAX_PICTURES = 3


def _number(value: float | None, decimals: int = 2) -> str:
    """Number for reading; a dash where there is none."""
    return "-" if value is None else f"{value:.{decimals}f}"


def _figures(value: float | None) -> str:
    """Number with two figures, however small: a bound printed as 0 would claim too much."""
    return "-" if value is None else f"{value:.2g}"


def _words(name: str) -> str:
    """Name of a structure as it is read: "ventral diencephalon"."""
    return name.replace("-", " ")


def place_text(point_mm: Sequence[float]) -> str:
    """World coordinates as numbers: where the scanner's zero lies says nothing about the head."""
    return ", ".join(f"{round(float(value)):+d}" for value in point_mm)


def _environment() -> Environment:
    environment = Environment(
        loader=PackageLoader("medsym.screening", "templates"),
        autoescape=True,
        undefined=StrictUndefined,
        trim_blocks=True,
        lstrip_blocks=True,
    )
    environment.filters["number"] = _number
    environment.filters["figures"] = _figures
    environment.filters["place"] = place_text
    environment.filters["words"] = _words
    environment.globals["research_use_only"] = RESEARCH_USE_ONLY
    environment.globals["version"] = __version__
    return environment


def case_pictures(result: CaseResult, *, radiological: bool = True) -> list[dict[str, str]]:
    """Pictures of the leading findings, or of the largest deviation if there is none."""
    picture = picture_of(result)
    to_grid = np.linalg.inv(result.prepared.grid_to_world)
    places = [
        (f"Finding {f.rank}: {f.side} {_words(f.structure)}", f.peak_mm)
        for f in result.findings[:MAX_PICTURES]
    ] or [("Largest deviation (no finding)", result.summary.deviation_max_mm)]
    sheets = []
    for title, peak_mm in places:
        at = picture.index_of((to_grid @ np.array([*peak_mm, 1.0]))[:3])
        plain, coloured = (
            data_uri(three_planes(picture, at=at, radiological=radiological, overlay=overlay))
            for overlay in (False, True)
        )
        side = "right" if at[0] >= picture.scan.shape[0] // 2 else "left"
        sheets.append({"title": title, "plain": plain, "coloured": coloured, "cut": side})
    return sheets


def report_name(case: str) -> str:
    """File name of a case's page."""
    return f"{case}.html"


def write_report(
    out: Path, *, record: dict[str, Any], result: CaseResult, radiological: bool = True
) -> str:
    """Write the page of a case; returns its SHA-256."""
    pictures = case_pictures(result, radiological=radiological) if result.is_assessable else []
    convention = "radiological" if radiological else "neurological"
    page = (
        _environment()
        .get_template("case.html.j2")
        .render(record=record, pictures=pictures, convention=convention)
    )
    return write_text(out / report_name(record["case"]), page)


def write_index(
    out: Path, *, records: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> None:
    """Write the page that lists every case, largest deviation first, and every refused scan."""
    rows = [{**screening_row(record), "page": report_name(record["case"])} for record in records]
    rows.sort(key=lambda row: -(row["deviation_max"] or 0.0))
    page = _environment().get_template("index.html.j2").render(rows=rows, failures=failures)
    write_text(out / "index.html", page)
