"""From records and a table to a fitted score with honest numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.errors import ConfigError
from medsym.scores.features import LARGEST_DEVIATION, FeatureTable, feature_table
from medsym.scores.honesty import area_of, measure, unseen_logits
from medsym.scores.identity import assessable, identity_of
from medsym.scores.labels import Entry, Labels, match
from medsym.scores.linear import LinearScore, Samples, fit_linear, probabilities
from medsym.scores.nuisance import NuisanceColumn, encode, read_columns
from medsym.scores.one_class import Healthy, OneClass, fit_one_class, too_few
from medsym.scores.question import Question, too_few_for
from medsym.scores.score import SubjectScore, Target, hashes_of

#: Persons with each of the two answers. With 20 and 20 the standard error of an area under the
#: curve of 0.8 is 0.07 (Hanley and McNeil, Radiology 143, 1982), so its interval is 0.28 wide, and
#: every inner training still holds 12 of each; fewer would only look like a measurement.
FEWEST_PERSONS = 20
#: Persons per column of the nuisance regression.
PERSONS_PER_COLUMN = 5


@dataclass(frozen=True, kw_only=True, slots=True)
class Fitted:
    """A score and its cases.

    Attributes:
        score: what was fitted.
        unseen: rows of the persons of the question, each scored by a fit without the person.
    """

    score: SubjectScore
    unseen: tuple[dict[str, Any], ...]


@dataclass(frozen=True, slots=True)
class _Cohort:
    """Assessable cases with lines."""

    entries: tuple[Entry, ...]
    table: FeatureTable
    nuisance: tuple[NuisanceColumn, ...]
    encoded: NDArray[np.float64]
    persons: NDArray[np.str_]


def fit_score(
    records: Sequence[Mapping[str, Any]], labels: Labels, *, question: Question
) -> Fitted:
    """Fit everything that a question asks for and the cohort allows.

    Args:
        records: of one identity (``read_results``).
        labels: the user's table.
        question: what is asked.

    Raises:
        ConfigError: MS-611 a column is missing, MS-612, MS-613, MS-616 a person has two answers,
            MS-617 too few persons.
    """
    names = [name.partition(":")[0] for name in question.nuisance]
    labels.require([question.column, *names])
    known = assessable(records)
    matched = match(known, labels)
    used = [e for e in matched.entries if question.asks_for(e.values.get(question.column))]
    if not used:
        raise too_few_for("nobody is part of the question", question)
    cohort = _cohort(used, question)
    linear, numbers, unseen = _target(cohort, question)
    healthy = np.array([question.is_healthy(e.values.get(question.column)) for e in cohort.entries])
    bilateral, laterality, absent = _healthy(cohort, healthy)
    if linear is None and absent:
        raise too_few_for(absent["bilateral"], question)
    score = SubjectScore(
        target=question.target,
        linear=linear,
        bilateral=bilateral,
        laterality=laterality,
        absent=absent,
        features=cohort.table.features,
        nuisance=cohort.nuisance,
        made_from=identity_of(used[0].record),
        scans=frozenset(known for entry in used for known in hashes_of(entry.record)),
        numbers={
            **numbers,
            "not_assessable": [str(r["case"]) for r in records if not r["assessable"]],
            "cases_without_a_line": list(matched.unlisted),
            "lines_without_a_case": list(matched.unused),
            "healthy_mean_taken_off": any(_takes_mean_off(entry.record) for entry in used),
            "healthy_persons": len(np.unique(cohort.persons[healthy])),
        },
    )
    return Fitted(score=score, unseen=unseen)


def _takes_mean_off(record: Mapping[str, Any]) -> bool:
    """The calibration shifts the deviation, so a mirrored scan has not the mirrored record."""
    return bool((record.get("calibration") or {}).get("minus_mean"))


def _cohort(used: Sequence[Entry], question: Question) -> _Cohort:
    columns = read_columns(question.nuisance, [entry.values for entry in used])
    persons = np.array([entry.person for entry in used])
    width = sum(column.width for column in columns)
    if len(np.unique(persons)) < PERSONS_PER_COLUMN * width:
        cause = f"{len(np.unique(persons))} persons for {width} columns of numbers of --nuisance"
        raise too_few_for(f"{cause}; {PERSONS_PER_COLUMN} for each are needed", question)
    return _Cohort(
        entries=tuple(used),
        table=feature_table([entry.record for entry in used]),
        nuisance=columns,
        encoded=encode(columns, [entry.values for entry in used]),
        persons=persons,
    )


def _target(
    cohort: _Cohort, question: Question
) -> tuple[LinearScore | None, dict[str, Any], tuple[dict[str, Any], ...]]:
    if question.target is None:
        return None, {}, ()
    answers = [question.answer(e.values.get(question.column)) for e in cohort.entries]
    rows = np.array([i for i, answer in enumerate(answers) if answer is not None], dtype=np.int64)
    table = cohort.table.odd() if question.is_side else cohort.table.even()
    samples = Samples(
        values=table.values[rows],
        nuisance=cohort.encoded[rows],
        answers=np.array([answers[row] for row in rows], dtype=np.float64),
        persons=cohort.persons[rows],
        is_odd=question.is_side,
    )
    _refuse_small(samples, question, target=question.target)
    logits = unseen_logits(samples)
    cases = [str(cohort.entries[row].record["case"]) for row in rows]
    unseen = tuple(
        {"case": case, "person": str(person), "answer": int(answer), "probability": p, "logit": t}
        for case, person, answer, p, t in zip(
            cases,
            samples.persons,
            samples.answers,
            probabilities(logits).tolist(),
            logits.tolist(),
            strict=True,
        )
    )
    largest = [f.quantity.startswith(LARGEST_DEVIATION) for f in table.features].index(True)
    numbers = measure(samples, logits)
    numbers["largest_deviation_alone_auroc"] = area_of(samples, samples.values[:, largest])
    return fit_linear(samples), numbers, unseen


def _refuse_small(samples: Samples, question: Question, *, target: Target) -> None:
    groups = [set(samples.persons[samples.answers == answer]) for answer in (1.0, 0.0)]
    both = sorted(groups[0] & groups[1])
    if both:
        raise ConfigError(
            code="MS-616",
            subject=f"--column {question.column}",
            cause=f"the scans of {both[0]} have both answers",
            fix="give all scans of a person one answer",
        )
    for word, group in zip((target.yes, target.no), groups, strict=True):
        if len(group) < FEWEST_PERSONS:
            found = f"{len(group)} persons are {word}; {FEWEST_PERSONS} are needed"
            raise too_few_for(f"{found} for a probability that can be checked", question)


def _healthy(
    cohort: _Cohort, healthy: NDArray[np.bool_]
) -> tuple[OneClass | None, OneClass | None, dict[str, str]]:
    """Both scores of healthy people, or why there is none."""
    persons = cohort.persons[healthy]
    reason = too_few(len(np.unique(persons)))
    if reason is not None:
        return None, None, {"bilateral": reason, "laterality": reason}
    found = [
        fit_one_class(
            Healthy(
                values=table.values[healthy],
                nuisance=cohort.encoded[healthy],
                persons=persons,
                is_odd=is_odd,
            )
        )
        for table, is_odd in ((cohort.table.bilateral(), False), (cohort.table.odd(), True))
    ]
    return found[0], found[1], {}
