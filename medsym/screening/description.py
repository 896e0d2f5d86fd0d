"""Who made an output folder and from what: dataset_description.json and .bidsignore of BIDS."""

import json
import os
from pathlib import Path
from typing import Any

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.volumes.writer import write_json, write_text

DESCRIPTION = "dataset_description.json"
BIDS_VERSION = "1.10.0"
IGNORED = ".bidsignore"
#: What BIDS has no names for: pages, tables of the cohort, records, and statistical maps.
_NOT_BIDS = (
    "*.html",
    "logs/",
    "reviews/",
    "screening.*",
    "failures.tsv",
    "*_case.json",
    "*_statmap.*",
    "*_thumbnail.*",
)


def write_description(out: Path, *, source: Path | None = None) -> None:
    """Write both files.

    Args:
        out: output folder.
        source: BIDS data set that was screened; by default what the folder states already.
    """
    sources = read_object(out / DESCRIPTION).get("SourceDatasets")
    if source is not None:
        sources = [_source(source, out=out)]
    described: dict[str, Any] = {
        "Name": "medsym screening",
        "BIDSVersion": BIDS_VERSION,
        "DatasetType": "derivative",
        "GeneratedBy": [
            {
                "Name": "medsym",
                "Version": __version__,
                "Description": "Left-right asymmetry of brain scans",
            }
        ],
        "ResearchUseOnly": RESEARCH_USE_ONLY,
    }
    if sources:
        described["SourceDatasets"] = sources
    write_json(out / DESCRIPTION, described)
    write_text(out / IGNORED, "\n".join(_NOT_BIDS) + "\n")


def version_of(out: Path) -> str | None:
    """Version of medsym that wrote the tables of an output folder; None: not stated."""
    makers = read_object(out / DESCRIPTION).get("GeneratedBy")
    maker = makers[0] if isinstance(makers, list) and makers else None
    version = maker.get("Version") if isinstance(maker, dict) else None
    return version if isinstance(version, str) else None


def read_object(path: Path) -> dict[str, Any]:
    """A JSON object; empty if there is none."""
    try:
        value = json.loads(path.read_text(encoding="utf-8"))
    except (OSError, ValueError, RecursionError):
        return {}
    return value if isinstance(value, dict) else {}


def _source(root: Path, *, out: Path) -> dict[str, str]:
    """A data set's DOI and version if it states them, and where it lies seen from the output."""
    stated = read_object(root / DESCRIPTION)
    try:
        place = Path(os.path.relpath(root.resolve(), out.resolve())).as_posix()
    except ValueError:  # another drive of Windows
        place = root.name
    entry = {"URL": place}
    if isinstance(stated.get("DatasetDOI"), str):
        entry["DOI"] = stated["DatasetDOI"]
    return entry
