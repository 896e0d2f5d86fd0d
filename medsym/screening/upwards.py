"""Bounds as they are written and printed: rounded up, since "at most" must stay true."""

import math
from decimal import ROUND_CEILING, Decimal

#: Decimals of a printed bound at most; what is smaller is said to be below the last one.
MOST_DECIMALS = 6


def rounded_up(value: float, *, decimals: int) -> float:
    """The smallest number of so many decimals that is not below a value, by its shortest digits.

    Example:
        >>> rounded_up(0.1234561, decimals=6), rounded_up(0.2, decimals=1)
        (0.123457, 0.2)
    """
    step = Decimal(1).scaleb(-decimals)
    return float(Decimal(repr(float(value))).quantize(step, rounding=ROUND_CEILING))


def bound_decimals(bound: float) -> int:
    """Decimals that leave a positive bound two figures, none of a whole number of two figures."""
    return min(max(0, 1 - math.floor(math.log10(bound))), MOST_DECIMALS)


def bound_text(bound: float | None) -> str:
    """A bound with two figures and no exponent, rounded up; a dash where there is none.

    Example:
        >>> bound_text(0.01449), bound_text(0.2), bound_text(2.504), bound_text(0.0)
        ('0.015', '0.20', '2.6', 'below 0.000001')
    """
    if bound is None or not math.isfinite(bound):
        return "-"
    if bound <= 0:
        return f"below {10**-MOST_DECIMALS:.{MOST_DECIMALS}f}"
    decimals = bound_decimals(bound)
    return f"{rounded_up(bound, decimals=decimals):.{decimals}f}"
