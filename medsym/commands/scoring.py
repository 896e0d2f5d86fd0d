"""score: fit a score of persons on screened scans, and apply it to others."""

import argparse
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any

from medsym import RESEARCH_USE_ONLY
from medsym.commands.console import EXIT_OK, EXIT_REFUSED, complain, say, write_numbers
from medsym.errors import ConfigError
from medsym.text_table import aligned

if TYPE_CHECKING:
    from medsym.scores.score import SubjectScore, Target

#: Cases that are printed; the table has all of them.
_SHOWN_CASES = 50


def fit(arguments: argparse.Namespace) -> int:
    """Fit and write a score folder."""
    from medsym.scores.fit import fit_score
    from medsym.scores.identity import read_results
    from medsym.scores.labels import read_labels
    from medsym.scores.question import Question
    from medsym.scores.store import as_dict, save_score

    question = Question(
        column=arguments.column,
        positive=arguments.positive,
        is_side=arguments.side,
        healthy=tuple(arguments.healthy),
        nuisance=tuple(arguments.nuisance),
    )
    if question.positive is None and not question.is_side and not question.healthy:
        raise ConfigError(
            code="MS-621",
            subject="score fit",
            cause="nothing is asked",
            fix="name a word of the column with --positive, or --side, or --healthy",
        )
    say(RESEARCH_USE_ONLY)
    labels = read_labels(arguments.labels)
    fitted = fit_score(read_results(arguments.results), labels, question=question)
    path = save_score(arguments.out, fitted)
    for line in _fit_lines(fitted.score):
        say(line)
    write_numbers(as_dict(fitted.score), path=arguments.json)
    say(f"score in {path}")
    return EXIT_OK


def apply(arguments: argparse.Namespace) -> int:
    """Score the cases of an output folder."""
    from medsym.scores.labels import read_labels
    from medsym.scores.results import TABLE, apply_score
    from medsym.scores.store import load_score

    say(RESEARCH_USE_ONLY)
    score = load_score(arguments.score)
    if arguments.labels is None and score.nuisance:
        names = ", ".join(column.name for column in score.nuisance)
        raise ConfigError(
            code="MS-622",
            subject="score apply",
            cause=f"the score needs {names} of every person",
            fix="name the table that holds them with --labels",
        )
    labels = None if arguments.labels is None else read_labels(arguments.labels)
    table, damaged = apply_score(arguments.results, score, labels=labels)
    for line in _case_lines(table):
        say(line)
    for name, reason in score.absent.items():
        say(f"no {name} score: {reason}")
    write_numbers(table, path=arguments.json)
    for error in damaged:
        complain(str(error))
    say(f"{len(table)} cases in {arguments.results / TABLE}")
    return EXIT_REFUSED if damaged else EXIT_OK


def _fit_lines(score: "SubjectScore") -> list[str]:
    lines = [*(column.words() for column in score.nuisance), *_left_out(score.numbers)]
    if score.target is not None:
        if score.nuisance and score.target.is_side:
            lines.append("--nuisance has no part in the side: no shift may favour left or right")
        lines += ["", *_question_lines(score.target, score.numbers)]
    for name, part in (("bilateral", score.bilateral), ("laterality", score.laterality)):
        if part is not None:
            lines.append(
                f"{name}: {part.fitted} healthy persons say what is usual, "
                f"{part.distances.size} others give p-values down to "
                f"{1 / (part.distances.size + 1):.3g}"
            )
    return lines + [f"no {name} score: {reason}" for name, reason in score.absent.items()]


def _left_out(numbers: Mapping[str, Any]) -> list[str]:
    words = {
        "not_assessable": "not assessable, left out",
        "cases_without_a_line": "cases without a line",
        "lines_without_a_case": "lines without an assessable case",
    }
    shifted = (
        "the calibration takes the healthy mean off the deviation: the mirror laws hold for a "
        "record with its sides exchanged, not quite for a mirrored scan"
    )
    found = [(text, numbers[key]) for key, text in words.items() if numbers[key]]
    lines = [f"{text}: {len(cases)}, such as {cases[0]}" for text, cases in found]
    return [*lines, shifted] if numbers["healthy_mean_taken_off"] else lines


def _question_lines(target: "Target", numbers: Mapping[str, Any]) -> list[str]:
    who = f"{target.yes} or {target.no}: {numbers['persons']} persons, {numbers['scans']} scans"
    return [
        f"{who}, {numbers['share_of_answer']:.0%} {target.yes}",
        "every person scored by a fit without that person; 95 % intervals over persons",
        *aligned(_measured(numbers)),
        "",
        *aligned(_reliability(numbers)),
    ]


def _measured(numbers: Mapping[str, Any]) -> list[list[str]]:
    names = {
        "auroc": "area under the curve (0.5 is chance, 1 best)",
        "largest_deviation_alone_auroc": "... of the largest deviation alone, nothing fitted",
        "brier": "Brier score (0 best)",
        "brier_of_base_rate": "... of saying the base rate to everybody",
        "brier_gain": "... gained over it (above 0 is better)",
        "log_loss": "log loss, nats (0 best)",
        "mean_minus_observed": "mean probability minus share (0 best)",
        "nuisance_alone_auroc": "area under the curve of --nuisance without the scan",
    }
    rows = [["measure", "value", "low", "high"]]
    for key, text in names.items():
        found = numbers[key]
        if found is not None:
            rows.append([text, *(f"{found[part]:.3f}" for part in ("value", "low", "high"))])
    right = numbers["right"]
    return [*rows, ["right answer", *(f"{right[part]:.3f}" for part in ("value", "low", "high"))]]


def _reliability(numbers: Mapping[str, Any]) -> list[list[str]]:
    rows = [["probability said", "share that came", "low", "high", "cases"]]
    for entry in numbers["reliability"]:
        came = [f"{entry['came'][part]:.3f}" for part in ("value", "low", "high")]
        rows.append([f"{entry['said']:.3f}", *came, str(entry["cases"])])
    return rows


def _case_lines(table: list[dict[str, Any]]) -> list[str]:
    names = ("probability", "asymmetry_p", "laterality_p", "bilateral_p")
    rows = [["case", "probability", "asymmetry p", "laterality p", "both sides p"]]
    for row in table[:_SHOWN_CASES]:
        cells = ["-" if row[name] is None else f"{row[name]:.3f}" for name in names]
        rows.append([str(row["case"]), *cells])
    more = len(table) - _SHOWN_CASES
    return [*aligned(rows), *([f"... and {more} more"] if more > 0 else [])]
