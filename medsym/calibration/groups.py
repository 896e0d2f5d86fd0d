"""Groups of people (site, scanner, sex, age band): each is calibrated by its own members only.

Conformal prediction within groups (Mondrian; Vovk, Gammerman and Shafer, 2005) keeps the rate in
every group and not just on average over all. Nobody outside stands in for a group that is small.
"""

import math
from bisect import bisect_right
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise

from medsym.errors import ConfigError

Covariates = Mapping[str, str | float]


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupColumn:
    """A column that people are grouped by.

    Attributes:
        column: its name.
        edges: ascending limits of its bands, of a numeric column; empty: every value is a group. A
            value at a limit belongs to the band above.
    """

    column: str
    edges: tuple[float, ...] = ()

    @classmethod
    def parse(cls, text: str) -> "GroupColumn":
        """Read "site" or "age:40,60,75".

        Raises:
            ConfigError: MS-500 the limits are not ascending numbers.

        Example:
            >>> GroupColumn.parse("age:40,60").label({"age": 40.0})
            'age=40-60'
        """
        column, _, limits = text.partition(":")
        try:
            edges = tuple(float(part) for part in limits.split(",")) if limits else ()
        except ValueError:
            edges = (math.nan,)
        ascending = all(low < high for low, high in pairwise(edges))
        if not column or not ascending or not all(math.isfinite(edge) for edge in edges):
            raise ConfigError(
                code="MS-500",
                subject="--group-by",
                cause=f"'{text}' is neither a column nor a column with ascending limits",
                fix="write for example site, or age:40,60,75 for age bands",
            )
        return cls(column=column, edges=edges)

    def text(self) -> str:
        """As ``parse`` reads it."""
        limits = ",".join(number_text(edge) for edge in self.edges)
        return f"{self.column}:{limits}" if limits else self.column

    def label(self, covariates: Covariates) -> str | None:
        """Such as "site=A" or "age=40-60"; None if the column is missing or no number."""
        value = covariates.get(self.column)
        if value is None or value == "":
            return None
        if not self.edges:
            return f"{self.column}={number_text(value)}"
        if isinstance(value, str) or not math.isfinite(value):
            return None
        place = bisect_right(self.edges, value)
        low = number_text(self.edges[place - 1]) if place else ""
        high = number_text(self.edges[place]) if place < len(self.edges) else ""
        band = f"{low}-{high}" if low and high else (f"from {low}" if low else f"below {high}")
        return f"{self.column}={band}"


def number_text(value: str | float) -> str:
    """A cell as text with every digit of a number, so that two values never become one.

    Example:
        >>> number_text(1000001.0), number_text(0.1), number_text("A")
        ('1000001', '0.1', 'A')
    """
    if isinstance(value, str):
        return value
    number = float(value)
    return f"{number:.0f}" if number.is_integer() else repr(number)


def group_of(covariates: Covariates, columns: Sequence[GroupColumn]) -> str | None:
    """Label of a scan's group, such as "site=A, age=40-60"; "" without columns.

    Returns:
        None if a column is missing; ``missing_columns`` says which.
    """
    labels = [column.label(covariates) for column in columns]
    return None if None in labels else ", ".join(str(label) for label in labels)


def missing_columns(covariates: Covariates, columns: Sequence[GroupColumn]) -> list[str]:
    """Columns that a scan does not state, or not as a number where bands are asked for."""
    return [column.column for column in columns if column.label(covariates) is None]
