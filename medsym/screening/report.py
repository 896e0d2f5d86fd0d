"""Self-contained pages: one per case and an index; no script, nothing loaded from elsewhere."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

from jinja2 import Environment, PackageLoader, StrictUndefined

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.screening.case_pictures import CasePictures, words_of
from medsym.screening.case_words import (
    calibration_of,
    calibration_rows,
    direction,
    headline,
    limits,
    provenance_rows,
    quality_rows,
)
from medsym.screening.cohort import Cohort, cohort_of
from medsym.upwards import beside_threshold, bound_text, p_text, percent_text, threshold_text
from medsym.volumes.writer import write_text


def _number(value: float | None, decimals: int = 2) -> str:
    """Number for reading; a dash where there is none."""
    return "-" if value is None else f"{value:.{decimals}f}"


def _figures(value: float | None) -> str:
    """Number with two figures, however small."""
    return "-" if value is None else f"{value:.2g}"


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
    environment.filters["bound"] = bound_text
    environment.filters["p"] = p_text
    environment.filters["percent"] = percent_text
    environment.filters["threshold"] = threshold_text
    environment.filters["beside"] = beside_threshold
    environment.filters["place"] = place_text
    environment.filters["words"] = words_of
    environment.filters["direction"] = direction
    environment.globals["research_use_only"] = RESEARCH_USE_ONLY
    environment.globals["version"] = __version__
    return environment


def report_name(case: str) -> str:
    """File name of a case's page."""
    return f"{case}.html"


def write_report(out: Path, *, record: dict[str, Any], pictures: CasePictures | None) -> str:
    """Write the page of a case; returns its SHA-256.

    Args:
        out: output folder.
        record: of the case.
        pictures: of the case; None if it is not assessable.
    """
    page = (
        _environment()
        .get_template("case.html.j2")
        .render(
            record=record,
            pictures=pictures,
            headline=headline(record),
            limits=limits(record),
            quality=quality_rows(record),
            comparison=calibration_rows(record),
            calibration=calibration_of(record),
            provenance=provenance_rows(record),
        )
    )
    return write_text(out / report_name(record["case"]), page)


def write_index(
    out: Path, *, records: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> None:
    """Write the page that lists every case, smallest p-value first, and every refused scan."""
    write_text(out / "index.html", index_text(out, records=records, failures=failures))


def index_text(
    out: Path, *, records: Sequence[dict[str, Any]], failures: Sequence[dict[str, str]]
) -> str:
    """What ``write_index`` writes; pictures and scores are read from the output folder."""
    cohort: Cohort = cohort_of(records, out=out, page_of=report_name)
    page = _environment().get_template("index.html.j2")
    return page.render(cohort=cohort, failures=failures)
