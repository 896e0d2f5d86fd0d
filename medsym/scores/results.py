"""scores.tsv and scores.json beside the results of screening."""

from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from medsym import RESEARCH_USE_ONLY
from medsym.scores.features import WHOLE_BRAIN
from medsym.scores.identity import read_results, refuse_other
from medsym.scores.labels import match
from medsym.scores.score import BASE, CaseScore, SubjectScore, score_case
from medsym.scores.words import top_regions, words_of
from medsym.screening.table import tsv
from medsym.volumes.writer import write_json, write_text

COLUMNS = (
    "case",
    "assessable",
    "probability",
    "other_probability",
    "asymmetry_p",
    "laterality_p",
    "bilateral_p",
    "in_fit",
    "regions",
    "words",
)
TABLE, DETAILS = "scores.tsv", "scores.json"


def apply_score(
    folder: Path,
    score: SubjectScore,
    *,
    rows: Sequence[Mapping[str, str]] | None = None,
    path: Path | None = None,
) -> list[dict[str, Any]]:
    """Score every case of an output folder and write the tables; returns their rows.

    Args:
        folder: of ``medsym screen``; two files are written into it, nothing else.
        score: fitted on results of the same model.
        rows: lines of the user's table, for age, sex, scanner; None without one.
        path: of that table.

    Raises:
        OutputError: MS-614, MS-615 the cases are of another model; MS-153 a record is damaged.
    """
    records = read_results(folder)
    refuse_other(records[0], score.made_from, whose="the score")
    values: dict[str, Mapping[str, str]] = {}
    if rows is not None and path is not None:
        entries = match(records, rows, path=path).entries
        values = {str(entry.record["case"]): entry.values for entry in entries}
    found = [score_case(score, r, values=values.get(str(r["case"]), {})) for r in records]
    table = [row_of(case, score) for case in found]
    write_json(folder / DETAILS, _details(score, found, table))
    write_text(folder / TABLE, tsv(table, columns=COLUMNS))
    return table


def row_of(found: CaseScore, score: SubjectScore) -> dict[str, Any]:
    """Row of the table."""
    return {
        "case": found.case,
        "assessable": not found.not_assessable,
        "probability": found.probability,
        "other_probability": found.other_probability,
        "asymmetry_p": found.asymmetry_p,
        "laterality_p": found.laterality_p,
        "bilateral_p": found.bilateral_p,
        "in_fit": found.in_fit,
        "regions": top_regions(found),
        "words": words_of(found, score),
    }


def _details(
    score: SubjectScore, found: Sequence[CaseScore], table: Sequence[Mapping[str, Any]]
) -> dict[str, Any]:
    cases = [
        {
            **row,
            "logit": case.logit,
            "contributions": dict(case.contributions),
            "regions": dict(case.regions),
        }
        for case, row in zip(found, table, strict=True)
    ]
    return {
        "cases": cases,
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
        "asymmetry_p": "of the largest deviation from the mirror place among healthy scans",
        "laterality_p": "of all differences of left and right structures among healthy people",
        "bilateral_p": "of what both sides have in common among healthy people; sees what is "
        "equal on both sides, which the other two cannot",
        "in_fit": "the scan was used in the fit, so that its numbers flatter",
        "regions": "largest parts of the logit, by structure of both sides",
        "contributions": f"parts of the logit by feature; '{BASE}' is the same for everybody and "
        f"'{WHOLE_BRAIN}' belongs to no structure; their exactly rounded sum is the logit",
    }
