"""Linear probes: can a question be answered from features by a straight line?

Linear discriminant analysis with the shrinkage of Ledoit and Wolf, "A well-conditioned estimator
for large-dimensional covariance matrices" (Journal of Multivariate Analysis 88, 2004), which needs
no tuning and stands more features than samples. It is fitted on some subjects and scored on others.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from sklearn.discriminant_analysis import LinearDiscriminantAnalysis
from sklearn.preprocessing import StandardScaler


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """What a probe is fitted or scored on; n samples.

    Attributes:
        features: (n, f) float64.
        answers: (n,) words.
        subjects: (n,) number of the subject that a sample belongs to.
    """

    features: NDArray[np.float64]
    answers: NDArray[np.str_]
    subjects: NDArray[np.int64]


@dataclass(frozen=True, kw_only=True, slots=True)
class ProbeScore:
    """How well a probe answers; in [0, 1], higher is better.

    Attributes:
        accuracy: Share of right answers, mean over answers (balanced).
        chance: One over the number of answers.
        right: (subjects, answers) right samples of each test subject by true answer.
        number: (subjects, answers) its samples.
    """

    accuracy: float
    chance: float
    right: NDArray[np.int64]
    number: NDArray[np.int64]


def probe(known: Samples, unseen: Samples) -> ProbeScore:
    """Fit on some subjects, score on others.

    Args:
        known: At least two answers.
        unseen: Answers among those of ``known``.
    """
    scale = StandardScaler().fit(known.features)
    line = LinearDiscriminantAnalysis(solver="lsqr", shrinkage="auto")
    line.fit(scale.transform(known.features), known.answers)
    said = line.predict(scale.transform(unseen.features))
    answers, subjects = np.unique(known.answers), np.unique(unseen.subjects)
    right, number = (np.zeros((len(subjects), len(answers)), np.int64) for _ in range(2))
    row = np.searchsorted(subjects, unseen.subjects)
    column = np.searchsorted(answers, unseen.answers)
    np.add.at(number, (row, column), 1)
    np.add.at(right, (row, column), said == unseen.answers)
    return ProbeScore(
        accuracy=balanced(right.sum(axis=0), number.sum(axis=0)),
        chance=1.0 / len(answers),
        right=right,
        number=number,
    )


def balanced(right: NDArray[np.int64], number: NDArray[np.int64]) -> float:
    """Mean over answers of the share of right ones; answers without samples are left out."""
    asked = number > 0
    return float((right[asked] / number[asked]).mean())


def resampled(
    scores: Sequence[ProbeScore], *, resamples: int, seed: int = 0
) -> NDArray[np.float64]:
    """(resamples,) accuracies, means over seeds, on test subjects drawn with replacement.

    Args:
        scores: One per seed, on the same test subjects.
        resamples: Number of draws.
        seed: Of the draws; seeds of networks are drawn with replacement too.
    """
    random = np.random.default_rng(seed)
    subjects = len(scores[0].right)
    accuracies = np.empty(resamples)
    for index in range(resamples):
        drawn = random.integers(0, subjects, subjects)
        chosen = random.integers(0, len(scores), len(scores))
        accuracies[index] = np.mean(
            [
                balanced(scores[k].right[drawn].sum(0), scores[k].number[drawn].sum(0))
                for k in chosen
            ]
        )
    return accuracies
