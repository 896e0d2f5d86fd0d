"""scores.tsv and scores.json beside the results of screening."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import numpy as np

from medsym import RESEARCH_USE_ONLY
from medsym.calibration.conformal import benjamini_hochberg
from medsym.errors import OutputError
from medsym.scores.features import WHOLE_BRAIN
from medsym.scores.identity import paths_of, refuse_other
from medsym.scores.labels import Labels
from medsym.scores.score import (
    BASE,
    CaseScore,
    SubjectScore,
    nothing_known,
    score_case,
)
from medsym.scores.words import top_regions, words_of
from medsym.screening.records import SEAL, read_record
from medsym.screening.table import tsv
from medsym.upwards import kept_up
from medsym.volumes.writer import write_json, write_text

COLUMNS = (
    "case",
    "assessable",
    "probability",
    "other_probability",
    "asymmetry_p",
    "laterality_p",
    "laterality_q",
    "bilateral_p",
    "bilateral_q",
    "in_fit",
    "regions",
    "words",
)
TABLE, DETAILS = "scores.tsv", "scores.json"


def apply_score(
    folder: Path, score: SubjectScore, *, labels: Labels | None = None
) -> tuple[list[dict[str, Any]], list[OutputError]]:
    """Score every case of an output folder and write the tables.

    Args:
        folder: of ``medsym screen``; two files are written into it, nothing else.
        score: fitted on results of the same model.
        labels: the user's table, for age, sex, scanner; None without one.

    Returns:
        Rows of the table, and what is wrong with records that cannot be read: they get a row
        without numbers.

    Raises:
        OutputError: MS-614 there is no case, MS-615 one is of another model.
    """
    rows, details, damaged = [], [], []
    for path in paths_of(folder):
        try:
            record = read_record(path)
        except OutputError as error:
            damaged.append(error)
            name = path.name.removesuffix("_case.json")
            found, seal = nothing_known(name, reasons=(str(error),)), None
        else:
            refuse_other(record, score.made_from, whose="the score")
            values = {} if labels is None else labels.values_of(record)
            found, seal = score_case(score, record, values=values), record[SEAL]
        rows.append(row_of(found, score))
        details.append(
            {
                "record_sha256": seal,
                "logit": found.logit,
                "contributions": dict(found.contributions),
                "regions": dict(found.regions),
            }
        )
    for name in ("laterality", "bilateral"):
        _add_q_values(rows, name)
    cases = [{**row, **more} for row, more in zip(rows, details, strict=True)]
    write_json(folder / DETAILS, {"cases": cases, **_explanation(score)})
    write_text(folder / TABLE, tsv(rows, columns=COLUMNS))
    return rows, damaged


def _add_q_values(rows: Sequence[dict[str, Any]], name: str) -> None:
    """Benjamini and Hochberg over the cases that have a p-value and were not fitted on."""
    tested = [row for row in rows if row[f"{name}_p"] is not None and not row["in_fit"]]
    q = benjamini_hochberg(np.array([row[f"{name}_p"] for row in tested], dtype=np.float64))
    for row, value in zip(tested, q, strict=True):
        row[f"{name}_q"] = kept_up(value)


def row_of(found: CaseScore, score: SubjectScore) -> dict[str, Any]:
    """Row of the table."""
    return {
        "case": found.case,
        "assessable": not found.not_assessable,
        "probability": found.probability,
        "other_probability": found.other_probability,
        "asymmetry_p": found.asymmetry_p,
        "laterality_p": found.laterality_p,
        "laterality_q": None,
        "bilateral_p": found.bilateral_p,
        "bilateral_q": None,
        "in_fit": found.in_fit,
        "regions": top_regions(found),
        "words": words_of(found, score),
    }


def _explanation(score: SubjectScore) -> dict[str, Any]:
    return {
        "columns": column_help(score),
        "made_from": dict(score.made_from),
        "absent": dict(score.absent),
        "numbers_of_the_fit": dict(score.numbers),
        "research_use_only": RESEARCH_USE_ONLY,
    }


def column_help(score: SubjectScore) -> dict[str, str]:
    """What each column is."""
    yes, no = (score.target.yes, score.target.no) if score.target else ("no question", "none")
    return {
        "probability": f"of {yes}, calibrated on persons outside the fit, 0 to 1",
        "other_probability": f"of {no}, 0 to 1",
        "asymmetry_p": "of the largest deviation from the mirror place among the healthy cases "
        "that screening compared with; without a calibration those are drawn heads, not people",
        "laterality_p": "of all differences of left and right structures among healthy people",
        "bilateral_p": "of what both sides have in common among healthy people; sees what is "
        "equal on both sides, which the other two cannot",
        "laterality_q": "smallest false-discovery rate over these cases at which it is a "
        "discovery, if they are of different persons like the healthy ones; none for scans of the "
        "fit",
        "bilateral_q": "the same for bilateral_p",
        "record_sha256": "of the record that was scored; another one there now: apply again",
        "in_fit": "the scan was used in the fit, so that its numbers flatter",
        "regions": "largest parts of the logit, by structure of both sides",
        "contributions": f"parts of the logit by feature; '{BASE}' is the same for everybody and "
        f"'{WHOLE_BRAIN}' belongs to no structure; their exactly rounded sum is the logit",
    }
