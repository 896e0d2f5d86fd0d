"""The tables of an evaluation on real scans as plain text."""

from collections.abc import Iterator, Mapping
from typing import Any

from medsym.evaluation.synthetic_table import interval, method_rows
from medsym.text_table import aligned
from medsym.upwards import percent_text

Numbers = Mapping[str, Any]


def format_cases(numbers: Numbers) -> str:
    """One table per scan with a mask, then the scans without a lesion, then what was refused."""
    lines: list[str] = []
    for case in numbers["cases"]:
        if not case["healthy"]:
            lines += [*_case(case), ""]
    lines += _healthy(numbers)
    for failure in numbers["failures"]:
        lines += ["", f"not evaluated: {failure['case']}: {failure['error']}"]
    return "\n".join(lines)


def _case(case: Numbers) -> Iterator[str]:
    yield f"{case['case']}: {case['lesions']} lesions, chance (prevalence) {case['prevalence']:.4f}"
    for name, reasons in case["not_assessable"].items():
        if reasons:
            yield f"not assessable by {name}: {'; '.join(reasons)}"
    yield from method_rows(
        case["methods"],
        {
            "AUPRC": lambda r: f"{r['auprc']:.3f}",
            "x chance": lambda r: f"{r['times_prevalence']:.1f}",
            "Dice": lambda r: _optional(r, "dice"),
            "Dice, peak": lambda r: _optional(r, "dice_peak"),
            "oracle Dice": lambda r: f"{r['oracle_dice']:.3f}",
            "found": lambda r: _optional(r, "found"),
            "false": lambda r: _optional(r, "false"),
            "peak / threshold": lambda r: _optional(r, "peak"),
        },
    )


def _optional(row: Numbers, name: str) -> str:
    value = row.get(name)
    return "-" if value is None else str(value) if isinstance(value, int) else f"{value:.3f}"


def _healthy(numbers: Numbers) -> list[str]:
    healthy = [case for case in numbers["cases"] if case["healthy"]]
    if not healthy:
        return ["no scans without a lesion in the table"]
    refused = sum(any(case["not_assessable"].values()) for case in healthy)
    people = len({case["person"] for case in healthy})
    several = people < len(healthy)
    whose = f" of {people} people, the worst scan of each counts" if several else ""
    promise = f"promised, at most {percent_text(numbers['alpha'])}% flagged"
    of_whom = " of single scans" if several else "; every scan is taken as of another person"
    counts = f"{len(healthy)} scans without a lesion{whose}"
    lines = [
        f"{counts}; {refused} of the scans not assessable by a model",
        f"{promise}{of_whom}; the interval is exact",
    ]
    if not numbers["healthy"]:
        return [*lines, "no method has a threshold"]
    head = ["method", "flagged %", "people", "median peak / threshold", "largest"]
    rows = [head]
    for name, row in numbers["healthy"].items():
        flagged = row["flagged"]
        hits = f"{flagged['hits']}/{flagged['of']}"
        sizes = (f"{row['median']:.3f}", f"{row['largest']:.3f}")
        rows.append([name, interval(flagged, percent=True), hits, *sizes])
    return [*lines, *aligned(rows)]
