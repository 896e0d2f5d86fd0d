"""How good a score is, on persons that nothing in it was fitted on, with intervals over persons.

Every fold repeats everything on the other persons: scaling, nuisance, penalty and calibration. So
the numbers are those of the recipe on persons of the same kind, never of the fit to itself. They
say nothing about another hospital.
"""

from typing import Any

import numpy as np
import torch
from numpy.typing import NDArray
from torch import Tensor

from medsym.evaluation.bootstrap import RESAMPLES, Estimate, estimate, estimate_weights
from medsym.evaluation.columns import as_numbers, proportion
from medsym.evaluation.statistics import auroc, ratio, weighted_mean
from medsym.scores.features import Array
from medsym.scores.folds import OUTER_FOLDS, person_weights
from medsym.scores.linear import Samples, fit_linear, probabilities
from medsym.scores.scaling import even_scaling

#: Of the resamples; the two answers are drawn independently for the area under the curve.
_SEED, _OTHER_SEED = 11, 12
#: Bins of the reliability table, each with equally many cases.
_BINS = 5


def unseen_logits(samples: Samples) -> Array:
    """(n,) calibrated logits, each from a score fitted on other persons."""
    logits = np.empty(len(samples.answers))
    for train, test in samples.folds(OUTER_FOLDS):
        score = fit_linear(samples.at(train))
        logits[test] = score.logits(samples.values[test], samples.nuisance[test])
    return logits


def unseen_base_rates(samples: Samples) -> Array:
    """(n,) share of the answer 1 among the other persons; one half for the side."""
    if samples.is_odd:
        return np.full(len(samples.answers), 0.5)
    rates = np.empty(len(samples.answers))
    for train, test in samples.folds(OUTER_FOLDS):
        weights = person_weights(samples.persons[train])
        rates[test] = np.average(samples.answers[train], weights=weights)
    return rates


def measure(samples: Samples, logits: Array) -> dict[str, Any]:
    """Numbers of a score.

    Args:
        samples: cases.
        logits: (n,) of ``unseen_logits``.
    """
    chance = unseen_base_rates(samples)
    probability = probabilities(logits)
    persons = _Persons(samples)
    weights = estimate_weights(persons.number, seed=_SEED)
    brier = persons.mean((probability - samples.answers) ** 2)
    chance_brier = persons.mean((chance - samples.answers) ** 2)
    loss = persons.mean(np.logaddexp(0.0, np.where(samples.answers > 0, -logits, logits)))
    surplus = persons.mean(probability - samples.answers)
    right = persons.mean(logits) > 0
    return {
        "persons": persons.number,
        "scans": len(samples.answers),
        "share_of_answer": float(persons.mean(samples.answers).mean()),
        "auroc": as_numbers(_area(persons, logits)),
        "brier": as_numbers(estimate(weighted_mean(brier, weights))),
        "brier_of_base_rate": as_numbers(estimate(weighted_mean(chance_brier, weights))),
        "brier_gain": as_numbers(estimate(weighted_mean(chance_brier - brier, weights))),
        "log_loss": as_numbers(estimate(weighted_mean(loss, weights))),
        "mean_minus_observed": as_numbers(estimate(weighted_mean(surplus, weights))),
        "right": proportion(
            int((right == (persons.mean(samples.answers) > 0.5)).sum()), len(right)
        ),
        "reliability": reliability(samples, probability),
        "resamples": RESAMPLES,
        "nuisance_alone_auroc": nuisance_alone(samples),
    }


def reliability(samples: Samples, probability: Array) -> list[dict[str, Any]]:
    """What was said and what came, in bins of about equally many cases.

    Args:
        samples: cases.
        probability: (n,) of the answer 1, of persons outside the fit.
    """
    persons = _Persons(samples)
    weights = estimate_weights(persons.number, seed=_SEED)
    edges = np.quantile(probability, np.linspace(0.0, 1.0, _BINS + 1))
    bin_of = np.searchsorted(edges[1:-1], probability)
    bins = []
    for number in np.unique(bin_of):
        inside = (bin_of == number).astype(np.float64)
        cases = persons.sum(inside)
        came = ratio(persons.sum(inside * samples.answers), cases, weights)
        said = ratio(persons.sum(inside * probability), cases, weights[:1])
        bins.append(
            {
                "said": float(said[0]),
                "came": as_numbers(estimate(came)),
                "cases": int(inside.sum()),
            }
        )
    return bins


def nuisance_alone(samples: Samples) -> dict[str, float] | None:
    """Area under the curve of age, sex, scanner without the scan; None without any.

    A score is no better than its cohort: where this is far from one half, persons with the two
    answers differ in more than disease.
    """
    if not samples.nuisance.shape[1]:
        return None
    from sklearn.linear_model import LogisticRegression

    logits = np.empty(len(samples.answers))
    none = np.zeros((len(samples.answers), 0))
    for train, test in samples.folds(OUTER_FOLDS):
        weights = person_weights(samples.persons[train])
        scaling = even_scaling(samples.nuisance[train], none[train], weights=weights)
        known = scaling.apply(samples.nuisance[train], none[train])
        line = LogisticRegression().fit(known, samples.answers[train], sample_weight=weights)
        logits[test] = line.decision_function(scaling.apply(samples.nuisance[test], none[test]))
    return area_of(samples, logits)


def area_of(samples: Samples, values: Array) -> dict[str, float]:
    """Area under the curve of one number that nothing was fitted for; (n,), higher is answer 1."""
    return as_numbers(_area(_Persons(samples), values))


class _Persons:
    """Cases gathered into persons."""

    def __init__(self, samples: Samples) -> None:
        names, self._of_case = np.unique(samples.persons, return_inverse=True)
        self.number = len(names)
        self._counts = np.bincount(self._of_case)
        self.answers: NDArray[np.bool_] = self._mean(samples.answers) > 0.5

    def _mean(self, values: Array) -> Array:
        return np.asarray(np.bincount(self._of_case, weights=values) / self._counts)

    def sum(self, values: Array) -> Tensor:
        """(persons,) sum over the cases of each."""
        return torch.from_numpy(np.bincount(self._of_case, weights=values))

    def mean(self, values: Array) -> Tensor:
        """(persons,) mean over the cases of each."""
        return torch.from_numpy(self._mean(values))


def _area(persons: _Persons, logits: Array) -> Estimate:
    means = persons.mean(logits)
    yes = torch.from_numpy(persons.answers)
    first, second = means[yes], means[~yes]
    weights = estimate_weights(len(first), seed=_SEED)
    others = estimate_weights(len(second), seed=_OTHER_SEED)
    return estimate(auroc(first, second, weights=weights, healthy_weights=others))
