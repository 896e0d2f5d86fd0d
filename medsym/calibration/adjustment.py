"""How the largest deviation of healthy people grows with age, sex and the like.

A ridge regression of the logarithm of the largest deviation on the covariates (scikit-learn) gives
a factor per scan; maxima are compared after division by it. The people it is fitted on are not
those that give the p-values, so these stay exchangeable with a new scan, however wrong the
regression is.
"""

import math
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, replace
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.calibration.groups import number_text
from medsym.errors import ConfigError

Covariates = Mapping[str, str | float]

#: Fewest people per coefficient that a regression is fitted on. A rule of thumb.
PEOPLE_PER_COEFFICIENT = 5
#: Penalty on standardised coefficients: as if one more person said that they are 0.
RIDGE = 1.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Term:
    """One covariate of the regression.

    Attributes:
        column: its name.
        levels: categories, the first is the baseline; empty for a number.
        mean: of a number.
        scale: its standard deviation.
        low: smallest value that was seen.
        high: largest value that was seen.
        coefficients: one per level but the first, or one for a number.
    """

    column: str
    levels: tuple[str, ...] = ()
    mean: float = 0.0
    scale: float = 1.0
    low: float = 0.0
    high: float = 0.0
    coefficients: tuple[float, ...] = ()

    def problem(self, covariates: Covariates) -> str | None:
        """Sentence if the value of a scan cannot be used; None if it can."""
        value = covariates.get(self.column)
        if value is None or value == "":
            return f"the scan states no '{self.column}', which the calibration is adjusted for"
        if self.levels:
            known = number_text(value) in self.levels
            return None if known else f"no healthy person has {self.column} '{number_text(value)}'"
        if isinstance(value, str):
            return f"'{self.column}' is '{value}', not a number"
        if not self.low <= value <= self.high:
            seen = f"{number_text(self.low)} to {number_text(self.high)}"
            return (
                f"{self.column} {number_text(value)} is outside that of the healthy people, {seen}"
            )
        return None

    def encode(self, value: str | float) -> list[float]:
        """Numbers of one value, as many as coefficients."""
        if self.levels:
            return [float(number_text(value) == level) for level in self.levels[1:]]
        return [(float(value) - self.mean) / self.scale]


@dataclass(frozen=True, kw_only=True, slots=True)
class Adjustment:
    """A fitted regression.

    Attributes:
        terms: one per covariate.
        intercept: mean logarithm of the largest deviation.
    """

    terms: tuple[Term, ...]
    intercept: float

    @property
    def columns(self) -> tuple[str, ...]:
        """Names of the covariates."""
        return tuple(term.column for term in self.terms)

    def problem(self, covariates: Covariates) -> str | None:
        """Why a scan cannot be adjusted; None if it can."""
        return next((p for term in self.terms if (p := term.problem(covariates))), None)

    def factor(self, covariates: Covariates) -> float:
        """Expected largest deviation of a healthy person with these covariates, SD."""
        total = self.intercept
        for term in self.terms:
            total += float(np.dot(term.encode(covariates[term.column]), term.coefficients))
        return math.exp(total)


def fit_adjustment(
    scores: Sequence[float], covariates: Sequence[Covariates], *, columns: Sequence[str]
) -> Adjustment:
    """Fit the regression.

    Args:
        scores: largest deviation of each person, positive, SD.
        covariates: of each person, who states every column.
        columns: what to adjust for.

    Raises:
        ConfigError: MS-502 there are too few people, MS-515 a column holds numbers and words.
    """
    from sklearn.linear_model import Ridge

    terms = [_term(column, [row[column] for row in covariates]) for column in columns]
    rows = [
        [number for term in terms for number in term.encode(row[term.column])] for row in covariates
    ]
    table: NDArray[np.float64] = np.array(rows, dtype=np.float64)
    refuse_too_few(len(scores), width=table.shape[1])
    logarithms = np.log(np.maximum(scores, 1e-6))
    if not table.shape[1]:  # one category each: nothing but its mean can be said
        return Adjustment(terms=tuple(terms), intercept=float(logarithms.mean()))
    fitted = Ridge(alpha=RIDGE).fit(table, logarithms)
    numbers = iter(np.asarray(fitted.coef_, dtype=np.float64).tolist())
    done = [_with(term, [next(numbers) for _ in term.encode(_any(term))]) for term in terms]
    return Adjustment(terms=tuple(done), intercept=float(fitted.intercept_))


def refuse_too_few(people: int, *, width: int) -> None:
    """Refuse to fit ``width`` coefficients and an intercept on too few people.

    Raises:
        ConfigError: MS-502.
    """
    needed = PEOPLE_PER_COEFFICIENT * (width + 1)
    if people < needed:
        raise ConfigError(
            code="MS-502",
            subject="--adjust",
            cause=f"{people} healthy people are left to fit an adjustment on, {needed} needed",
            fix="leave out --adjust, or give more healthy people (half of them are fitted on)",
        )


def width_of(covariates: Sequence[Covariates], *, columns: Sequence[str]) -> int:
    """Number of coefficients that a regression on these people has, without the intercept.

    Raises:
        ConfigError: MS-515 a column holds numbers and words.
    """
    terms = [_term(column, [row[column] for row in covariates]) for column in columns]
    return sum(len(term.encode(_any(term))) for term in terms)


def as_json(adjustment: Adjustment) -> dict[str, Any]:
    """Plain values for a calibration's manifest."""
    rows = [{key: getattr(term, key) for key in Term.__slots__} for term in adjustment.terms]
    return {"intercept": adjustment.intercept, "terms": rows}


def from_json(content: Mapping[str, Any]) -> Adjustment:
    """Read what ``as_json`` wrote; raises KeyError, TypeError or ValueError on anything else."""
    terms = tuple(
        Term(
            column=str(row["column"]),
            levels=tuple(str(level) for level in row["levels"]),
            coefficients=tuple(float(c) for c in row["coefficients"]),
            **{key: float(row[key]) for key in ("mean", "scale", "low", "high")},
        )
        for row in content["terms"]
    )
    return Adjustment(terms=terms, intercept=float(content["intercept"]))


def _term(column: str, stated: Sequence[str | float]) -> Term:
    numbers = [value for value in stated if not isinstance(value, str)]
    words = sorted({value for value in stated if isinstance(value, str)})
    if words and numbers:
        raise ConfigError(
            code="MS-515",
            subject=f"--adjust {column}",
            cause=f"the column holds numbers and the text '{words[0]}'",
            fix="correct the cell, or write words in every cell if these are categories",
        )
    if words:
        return Term(column=column, levels=tuple(sorted({number_text(value) for value in stated})))
    spread = float(np.std(numbers)) or 1.0
    mean, low, high = float(np.mean(numbers)), float(min(numbers)), float(max(numbers))
    return Term(column=column, mean=mean, scale=spread, low=low, high=high)


def _with(term: Term, coefficients: Sequence[float]) -> Term:
    return replace(term, coefficients=tuple(coefficients))


def _any(term: Term) -> str | float:
    return term.levels[0] if term.levels else term.mean
