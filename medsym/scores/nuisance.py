"""What a number must not depend on although it does: age, sex, scanner, as columns of numbers."""

from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Any

import numpy as np
from numpy.typing import NDArray

from medsym.errors import ConfigError

#: Up to so many different whole numbers may be names of groups as well as a measurement.
_AMBIGUOUS = 10
_KINDS = ("number", "category")


@dataclass(frozen=True, kw_only=True, slots=True)
class NuisanceColumn:
    """One column of the user's table.

    Attributes:
        name: of the column.
        levels: its words; empty for a measurement.
        low: smallest number that was seen, None for words.
        high: largest.
    """

    name: str
    levels: tuple[str, ...] = ()
    low: float | None = None
    high: float | None = None

    @property
    def width(self) -> int:
        """Numbers that it becomes."""
        return max(1, len(self.levels))

    def encode(self, text: str) -> list[float]:
        """Numbers of a cell that ``complaint`` has nothing against: one 1 per word, or itself."""
        return [float(text == level) for level in self.levels] if self.levels else [float(text)]

    def complaint(self, values: Mapping[str, str]) -> str | None:
        """Why a person cannot be compared with those of the fit; None if nothing is against it."""
        text = values.get(self.name)
        if text is None:
            return f"{self.name} is not known"
        if self.levels:
            return None if text in self.levels else f"{self.name} {text} was not in the fit"
        return None if _number(text) is not None else f"{self.name} {text} is not a number"

    def remark(self, text: str) -> str | None:
        """What to say about a value that the fit never saw; None if it is an ordinary one."""
        if self.low is None or self.high is None or self.low <= float(text) <= self.high:
            return None
        return f"{self.name} {text} is outside {self.low:g} to {self.high:g} of the fit"

    def as_dict(self) -> dict[str, Any]:
        """Plain values."""
        return {"name": self.name, "levels": list(self.levels), "low": self.low, "high": self.high}

    @classmethod
    def from_dict(cls, plain: Mapping[str, Any]) -> "NuisanceColumn":
        """Inverse of ``as_dict``."""
        return cls(
            name=str(plain["name"]),
            levels=tuple(map(str, plain["levels"])),
            low=plain["low"],
            high=plain["high"],
        )

    def words(self) -> str:
        """For the table at the terminal."""
        if self.levels:
            return f"{self.name}: {len(self.levels)} groups ({', '.join(self.levels)})"
        return f"{self.name}: a number, {self.low:g} to {self.high:g}"


def _number(text: str) -> float | None:
    try:
        value = float(text)
    except ValueError:
        return None
    return value if np.isfinite(value) else None


def read_columns(
    names: Sequence[str], rows: Sequence[Mapping[str, str]]
) -> tuple[NuisanceColumn, ...]:
    """What kind of thing each column is.

    Args:
        names: of columns; "scanner:category" or "dose:number" says what it is.
        rows: known values of everybody in the fit.

    Raises:
        ConfigError: MS-613 a value is missing, or a few whole numbers may be groups or amounts.
    """
    return tuple(_column(name, rows) for name in names)


def _column(spelled: str, rows: Sequence[Mapping[str, str]]) -> NuisanceColumn:
    name, _, kind = spelled.partition(":")
    cells = [row.get(name) for row in rows]
    words = sorted({cell for cell in cells if cell is not None})
    if None in cells or (kind and kind not in _KINDS):
        cause = f"{cells.count(None)} cases have no value" if None in cells else f"kind {kind}"
        raise _refused(spelled, cause, "give every case a value, or leave the column out")
    numbers = [_number(word) for word in words]
    measured = [number for number in numbers if number is not None]
    if kind == "number" and len(measured) < len(numbers):
        raise _refused(spelled, "not every value is a number", f"write {name}:category")
    if kind == "category" or len(measured) < len(numbers):
        return NuisanceColumn(name=name, levels=tuple(words))
    whole = all(number.is_integer() for number in measured)
    if not kind and whole and 2 < len(words) <= _AMBIGUOUS:
        cause = f"its {len(words)} whole numbers may be groups or a measurement"
        raise _refused(spelled, cause, f"write {name}:category or {name}:number")
    return NuisanceColumn(name=name, low=min(measured), high=max(measured))


def _refused(name: str, cause: str, fix: str) -> ConfigError:
    return ConfigError(code="MS-613", subject=f"--nuisance {name}", cause=cause, fix=fix)


def encode(
    columns: Sequence[NuisanceColumn], rows: Sequence[Mapping[str, str]]
) -> NDArray[np.float64]:
    """(n, k) numbers of n persons; k is 0 without columns."""
    width = sum(column.width for column in columns)
    encoded = [[x for c in columns for x in c.encode(row[c.name])] for row in rows]
    return np.asarray(encoded, dtype=np.float64).reshape(len(rows), width)


def complaints(columns: Sequence[NuisanceColumn], values: Mapping[str, str]) -> list[str]:
    """Everything that ``NuisanceColumn.complaint`` says of a person."""
    return [said for column in columns if (said := column.complaint(values)) is not None]


def remarks(columns: Sequence[NuisanceColumn], values: Mapping[str, str]) -> list[str]:
    """Everything that ``NuisanceColumn.remark`` says of a person without complaints."""
    said = [column.remark(values[column.name]) for column in columns]
    return [remark for remark in said if remark is not None]
