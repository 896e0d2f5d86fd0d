"""A calibration and its cross-validation as plain tables for the terminal."""

from collections.abc import Mapping
from typing import Any

from medsym.calibration.calibration import Calibration
from medsym.calibration.conformal import fewest_cases
from medsym.text_table import aligned
from medsym.upwards import p_text

_TOO_FEW = "too few people"


def threshold_table(calibration: Calibration) -> str:
    """Thresholds by group and rate, and what else a reader should know."""
    rows = [["group", "people", "false-alarm rate", "threshold, SD"]]
    for row in calibration.thresholds():
        found = row["threshold"]
        shown = _TOO_FEW if found is None else f"{found:.2f}"
        group = row["group"] or "everybody"
        rows.append([group, str(row["people"]), p_text(row["alpha"]), shown])
    counts = calibration.counts
    lines = [
        f"{counts['people']} people, {counts['scans']} scans, {counts['left_out']} left out",
        *aligned(rows),
        f"(a rate of 0.05 needs {fewest_cases(0.05)} people in a group, 0.01 {fewest_cases(0.01)})",
    ]
    if calibration.adjustment:
        columns = ", ".join(calibration.adjustment.columns)
        lines.append(
            f"thresholds are multiples of what is expected at a scan's {columns}; half of the "
            "people made that expectation, the other half the thresholds"
        )
    if calibration.mean_p_value is not None:
        taken = "is taken off" if calibration.minus_mean else "is kept in the deviation"
        lines.append(
            f"mean asymmetry of these people: p = {p_text(calibration.mean_p_value)} (sign flips);"
            f" it {taken}"
        )
    return "\n".join(lines)


def cross_validation_table(found: Mapping[str, Any]) -> str:
    """How many held-out healthy people were flagged at each rate."""
    rows = [["promised rate", "people judged", "flagged", "share", "abstained"]]
    rows += [
        [
            p_text(row["alpha"]),
            str(row["judged"]),
            str(row["flagged"]),
            "-" if row["share"] is None else f"{row['share']:.3f}",
            str(row["abstained"]),
        ]
        for row in found["rows"]
    ]
    lines = [
        f"cross-validation: {found['people']} people, {found['folds']} folds over people",
        *aligned(rows),
        "(folds of the same people: shares near the rates do not prove new scans to be like them)",
        f"unlike the others: {found['warned_of_shift']} of {found['tested_for_shift']} tested",
    ]
    return "\n".join(lines)
