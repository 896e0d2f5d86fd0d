"""A calibrated linear score of persons, the same for a scan and its mirror image or opposite.

Logistic regression with an L2 penalty (scikit-learn). Even features and an intercept make a score
that the mirror does not change. Odd features without an intercept make one whose logit changes sign
exactly. The logit is then calibrated as in Platt, "Probabilistic outputs for support vector
machines" (Advances in Large Margin Classifiers, 1999), on predictions for persons that the
regression was not fitted on; for the odd kind without Platt's offset. Slope and offset are folded
into the coefficients, so contributions of features sum to the logit that is reported.
"""

import math
from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray
from scipy.special import expit

from medsym.scores.features import Array
from medsym.scores.folds import INNER_FOLDS, Folds, person_folds, person_weights
from medsym.scores.scaling import Scaling, even_scaling, odd_scaling

#: Inverse penalties that are tried, from almost a constant to almost free.
PENALTIES = tuple(float(10.0**power) for power in np.arange(-4.0, 1.5, 0.5))
_TOLERANCE = 1e-10
_MOST_STEPS = 200


@dataclass(frozen=True, kw_only=True, slots=True)
class Samples:
    """Cases with what is known about them.

    Attributes:
        values: (n, f) features, NaN if missing; all even or all odd.
        nuisance: (n, k).
        answers: (n,) 1.0 or 0.0; for the side 1 is left.
        persons: (n,) whose scan it is.
        is_odd: the features change sign with the mirror.
    """

    values: Array
    nuisance: Array
    answers: Array
    persons: NDArray[np.str_]
    is_odd: bool

    def at(self, rows: NDArray[np.int64]) -> "Samples":
        """Some of the cases."""
        return Samples(
            values=self.values[rows],
            nuisance=self.nuisance[rows],
            answers=self.answers[rows],
            persons=self.persons[rows],
            is_odd=self.is_odd,
        )

    def folds(self, number: int) -> Folds:
        """Persons in folds; for the side without a look at the answers."""
        return person_folds(
            self.persons, answers=None if self.is_odd else self.answers, number=number
        )


@dataclass(frozen=True, kw_only=True, slots=True)
class LinearScore:
    """A fitted score.

    Attributes:
        scaling: of the features.
        coefficients: (f,) calibrated, logit per unit of a scaled feature.
        base: calibrated logit of a person with all features neutral; exactly 0 for the side.
        penalty: inverse penalty that was chosen.
        slope: of the calibration: below 1 the regression was too sure, 0 it knew nothing.
    """

    scaling: Scaling
    coefficients: Array
    base: float
    penalty: float
    slope: float

    def contributions(self, values: Array, nuisance: Array) -> Array:
        """(n, f) parts of the logit."""
        return self.scaling.apply(values, nuisance) * self.coefficients

    def logits(self, values: Array, nuisance: Array) -> Array:
        """(n,) exactly rounded sums of the contributions and the base."""
        rows = self.contributions(values, nuisance)
        return np.array([math.fsum([*row, self.base]) for row in rows.tolist()])

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {
            "scaling": self.scaling.as_dict(),
            "coefficients": self.coefficients.tolist(),
            "base": self.base,
            "penalty": self.penalty,
            "slope": self.slope,
        }

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "LinearScore":
        """Inverse of ``as_dict``."""
        numbers = {key: float(plain[key]) for key in ("base", "penalty", "slope")}
        return cls(
            scaling=Scaling.from_dict(plain["scaling"]),
            coefficients=np.asarray(plain["coefficients"], dtype=np.float64),
            **numbers,
        )


def fit_linear(samples: Samples) -> LinearScore:
    """Choose the penalty and calibrate on persons left out in turn, then fit on everybody."""
    weights = person_weights(samples.persons)
    unseen = _unseen_logits(samples)
    losses = [_log_loss(samples.answers, logits, weights=weights) for logits in unseen]
    best = int(np.argmin(losses))  # the first, so the strictest, of equal ones
    slope, offset = platt(
        unseen[best], samples.answers, weights=weights, with_offset=not samples.is_odd
    )
    scaling = scaling_of(samples)
    coefficients, base = _regression(samples, scaling, penalty=PENALTIES[best])
    return LinearScore(
        scaling=scaling,
        coefficients=slope * coefficients,
        base=slope * base + offset,
        penalty=PENALTIES[best],
        slope=slope,
    )


def scaling_of(samples: Samples) -> Scaling:
    """Scaling of the kind that the features need, every person counting as one."""
    weights = person_weights(samples.persons)
    if samples.is_odd:
        width = samples.nuisance.shape[1]
        return odd_scaling(samples.values, nuisance_width=width, weights=weights)
    return even_scaling(samples.values, samples.nuisance, weights=weights)


def _regression(samples: Samples, scaling: Scaling, *, penalty: float) -> tuple[Array, float]:
    """Coefficients and intercept before calibration."""
    scaled = scaling.apply(samples.values, samples.nuisance)
    line = _line(penalty, with_intercept=not samples.is_odd)
    line.fit(scaled, samples.answers, sample_weight=person_weights(samples.persons))
    base = 0.0 if samples.is_odd else float(line.intercept_[0])
    return np.asarray(line.coef_[0], dtype=np.float64), base


def _line(penalty: float, *, with_intercept: bool) -> Any:
    from sklearn.linear_model import LogisticRegression

    return LogisticRegression(
        C=penalty,
        fit_intercept=with_intercept,
        solver="newton-cholesky",
        tol=_TOLERANCE,
        max_iter=_MOST_STEPS,
    )


def _unseen_logits(samples: Samples) -> Array:
    """(penalties, n) raw logits, each from a regression that did not see the person."""
    logits = np.empty((len(PENALTIES), len(samples.answers)))
    for train, test in samples.folds(INNER_FOLDS):
        known, unseen = samples.at(train), samples.at(test)
        scaling = scaling_of(known)
        scaled = scaling.apply(unseen.values, unseen.nuisance)
        for number, penalty in enumerate(PENALTIES):
            coefficients, base = _regression(known, scaling, penalty=penalty)
            logits[number, test] = (scaled * coefficients).sum(axis=1) + base
    return logits


def _log_loss(answers: Array, logits: Array, *, weights: Array) -> float:
    return float(
        np.average(np.logaddexp(0.0, np.where(answers > 0, -logits, logits)), weights=weights)
    )


def platt(
    logits: Array, answers: Array, *, weights: Array, with_offset: bool
) -> tuple[float, float]:
    """Slope and offset that make logits of unseen persons honest; the slope is never below 0.

    Targets are Platt's, a little inside 0 and 1, so that separable answers give no certainty.
    Without the offset they are equally far inside, as if every person were there mirrored too.
    With a falling line the score is worse than nothing: slope 0, everybody gets the base rate.

    Args:
        logits: (n,).
        answers: (n,) 0 or 1.
        weights: (n,) of the cases.
        with_offset: False keeps the sum opposite under the mirror.
    """
    yes = float(weights[answers > 0].sum())
    no = float(weights[answers <= 0].sum())
    if not with_offset:
        yes = no = (yes + no) / 2.0
    target = np.where(answers > 0, (yes + 1.0) / (yes + 2.0), 1.0 / (no + 2.0))
    size = max(1.0, float(np.abs(logits).max()))
    doubled = np.concatenate([logits, logits])[:, None] / size
    both = np.repeat([1.0, 0.0], len(logits))
    line = _line(np.inf, with_intercept=with_offset)
    line.fit(
        doubled, both, sample_weight=np.concatenate([target, 1.0 - target]) * np.tile(weights, 2)
    )
    slope, offset = float(line.coef_[0, 0]) / size, 0.0
    if with_offset:
        offset = float(line.intercept_[0])
    if slope > 0:
        return slope, offset
    share = float(np.average(target, weights=weights))
    return 0.0, math.log(share / (1.0 - share)) if with_offset else 0.0


def probabilities(logits: Array | float) -> Array:
    """Logits as probabilities; opposite logits give p and 1 - p up to rounding."""
    return np.asarray(expit(np.asarray(logits, dtype=np.float64)))
