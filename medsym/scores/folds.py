"""Persons in folds: all scans of a person are on one side of every split."""

import hashlib

import numpy as np
from numpy.typing import NDArray

Folds = list[tuple[NDArray[np.int64], NDArray[np.int64]]]
#: Of the honest numbers, and within each of its trainings.
OUTER_FOLDS = INNER_FOLDS = 5


def person_folds(
    persons: NDArray[np.str_], *, answers: NDArray[np.float64] | None, number: int
) -> Folds:
    """(train, test) rows of every fold, a function of persons and answers alone.

    Args:
        persons: (n,) whose scan a row is.
        answers: (n,) 0 or 1, to be shared out evenly; None shares out persons only, so that nothing
            changes if some scans are mirrored together with their answers.
        number: of folds.
    """
    from sklearn.model_selection import GroupKFold, StratifiedGroupKFold

    order = np.array(sorted(range(len(persons)), key=lambda row: _shuffled(str(persons[row]))))
    groups = persons[order]
    if answers is None:
        splits = GroupKFold(number).split(groups, groups=groups)
    else:
        splits = StratifiedGroupKFold(number).split(groups, answers[order], groups)
    return [(np.sort(order[train]), np.sort(order[test])) for train, test in splits]


def _shuffled(person: str) -> tuple[str, str]:
    return hashlib.sha256(person.encode("utf-8", "surrogateescape")).hexdigest(), person


def shuffled_persons(persons: NDArray[np.str_]) -> list[str]:
    """Every person once, in an order that says nothing about them."""
    return sorted(map(str, np.unique(persons)), key=_shuffled)


def person_weights(persons: NDArray[np.str_]) -> NDArray[np.float64]:
    """(n,) one over the number of scans of the person, so that persons count equally."""
    _, inverse, counts = np.unique(persons, return_inverse=True, return_counts=True)
    return np.asarray(1.0 / counts[inverse], dtype=np.float64)
