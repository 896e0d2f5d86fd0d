"""p-values, rates, bounds and thresholds as they are written and printed: rounded up.

"At most 0.05" must stay true of what was 0.0504. `app/viewer/web/upwards.js` is the same rule for
the browser.
"""

import math
from decimal import ROUND_CEILING, Decimal
from typing import Any

#: Decimals of a printed bound at most; what is smaller is said to be below the last one.
MOST_DECIMALS = 6
#: Beyond these decimals a computed p-value holds nothing but the rounding of its arithmetic.
_DIGITS = 12
#: Decimals of a printed percentage.
PERCENT_DECIMALS = 3
#: Keys of records and columns of tables whose numbers are rounded up: what somebody may rely on
#: as "at most", and the thresholds that a place has to reach.
UPWARDS = frozenset(
    [
        *("bound", "bound_max", "rounding_max", "p_value", "q_value", "false_alarm_rate"),
        *("asymmetry_p", "laterality_p", "laterality_q", "bilateral_p", "bilateral_q"),
        *("peak_sd", "extent_sd", "regional_bound"),
    ]
)


def _exact(value: Any) -> Decimal:
    """A number by its shortest digits, those of its own precision: 0.05 in 32 bits is 0.05."""
    return Decimal(str(value))


def rounded_up(value: Any, *, decimals: int) -> float:
    """The smallest number of so many decimals that is not below a value, by its shortest digits.

    Example:
        >>> rounded_up(0.1234561, decimals=6), rounded_up(0.2, decimals=1)
        (0.123457, 0.2)
    """
    step = Decimal(1).scaleb(-decimals)
    return float(_exact(value).quantize(step, rounding=ROUND_CEILING))


def figures_up(value: Any, *, figures: int = 2) -> float:
    """The smallest number of so many figures that is not below a value.

    Example:
        >>> figures_up(6 / 119), figures_up(0.05), figures_up(123.4), figures_up(0.0)
        (0.051, 0.05, 130.0, 0.0)
    """
    exact = _exact(value)
    if not exact or not exact.is_finite():
        return float(exact)
    step = Decimal(1).scaleb(exact.adjusted() + 1 - figures)
    return float(exact.quantize(step, rounding=ROUND_CEILING))


def kept_up(value: float) -> float:
    """A computed p- or q-value as tables keep it.

    Example:
        >>> kept_up(0.1 + 0.2), kept_up(1 / 3)
        (0.3, 0.333334)
    """
    return rounded_up(round(float(value), _DIGITS), decimals=MOST_DECIMALS)


def plain_text(value: float) -> str:
    """A number by its shortest digits, without an exponent.

    Example:
        >>> plain_text(0.00001), plain_text(1.0), plain_text(6.145522)
        ('0.00001', '1', '6.145522')
    """
    text = format(_exact(value), "f")
    return text.rstrip("0").rstrip(".") if "." in text else text


def p_text(value: float | None) -> str:
    """A p-value or a rate with two figures, rounded up; a dash where there is none.

    Example:
        >>> p_text(6 / 119), p_text(0.05), p_text(None)
        ('0.051', '0.05', '-')
    """
    if value is None or not math.isfinite(value):
        return "-"
    return plain_text(figures_up(round(value, _DIGITS)))


def threshold_text(value: float, *, decimals: int = 1) -> str:
    """A threshold, rounded up: what is said of those who reach it holds for the printed number.

    Example:
        >>> threshold_text(6.145522), threshold_text(3.0), threshold_text(10 * (0.1 + 0.2))
        ('6.2', '3.0', '3.0')
    """
    return f"{rounded_up(round(value, _DIGITS), decimals=decimals):.{decimals}f}"


def beside_threshold(value: float | None, threshold: float | None, *, decimals: int = 1) -> str:
    """A number to the nearest decimal, but on its own side of the threshold printed beside it.

    Args:
        value: what may reach the threshold; a dash where there is none.
        threshold: as `threshold_text` prints it; None where none is known.
        decimals: of both.

    Example:
        >>> beside_threshold(6.16, 6.17), beside_threshold(6.17, 6.17), beside_threshold(6.21, 6.17)
        ('6.1', '6.2', '6.2')
    """
    if value is None:
        return "-"
    shown = round(value, decimals)
    if threshold is not None:
        least = float(threshold_text(threshold, decimals=decimals))
        reaches = value >= threshold
        shown = max(shown, least) if reaches else min(shown, least - 10.0**-decimals)
    return f"{shown:.{decimals}f}"


def percent_text(rate: float) -> str:
    """A rate in percent, rounded up in the third decimal.

    Example:
        >>> percent_text(0.001), percent_text(0.05), percent_text(0.07), percent_text(1 / 30)
        ('0.1', '5', '7', '3.334')
    """
    return plain_text(rounded_up(100 * _exact(rate), decimals=PERCENT_DECIMALS))


def bound_decimals(bound: float) -> int:
    """Decimals of a positive bound, as in `boundDigits` of the viewer: two, or two figures."""
    return min(max(2, 1 - math.floor(math.log10(bound))), MOST_DECIMALS)


def bound_up(bound: float) -> float:
    """A positive bound with the decimals of `bound_text`, rounded up."""
    return rounded_up(bound, decimals=bound_decimals(bound))


def beside_bound(value: float) -> str:
    """A measured number of nats with as many decimals as a bound has; it is no bound itself.

    Example:
        >>> beside_bound(18.0349), beside_bound(0.01449), beside_bound(0.0)
        ('18.03', '0.014', '0.00')
    """
    return f"{value:.{bound_decimals(value) if value > 0 else 2}f}"


def bound_text(bound: float | None) -> str:
    """A bound with two decimals, or two figures, rounded up; a dash where there is none.

    Example:
        >>> bound_text(0.01449), bound_text(0.2), bound_text(2.504), bound_text(0.0)
        ('0.015', '0.20', '2.51', 'below 0.000001')
    """
    if bound is None or not math.isfinite(bound):
        return "-"
    if bound <= 0:
        return f"below {10**-MOST_DECIMALS:.{MOST_DECIMALS}f}"
    return f"{bound_up(bound):.{bound_decimals(bound)}f}"
