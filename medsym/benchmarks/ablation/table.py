"""The result of an ablation as Markdown tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medsym.benchmarks.ablation.summary import SIZES
from medsym.text_table import Column, Row, markdown, with_interval


def format_ablation(result: Mapping[str, Any]) -> str:
    """Tables of arms and of differences, with what they were measured on."""
    arms, subjects = result["arms"], result["subjects"]
    counts = ", ".join(f"{number} {kind}" for kind, number in subjects.items())
    bits = "bfloat16" if result["mixed_precision"] else "float32"
    heading = (
        f"{result['steps']} steps each in {bits}, "
        f"{result['settings']['subjects']} training subjects, "
        f"{sum(subjects.values())} test subjects ({counts}); "
        f"prevalence of lesion voxels {arms[0]['prevalence']:.4f}"
    )
    lines = [
        heading,
        "",
        "### Networks, means over seeds; AUPRC of voxels, pooled and per subject",
        "",
        markdown(arms, _ARM_COLUMNS),
        "",
        "### Differences in AUPRC, points of 100, with 95 % intervals over subjects and seeds",
        "",
        markdown(result["differences"], _DIFFERENCE_COLUMNS),
    ]
    if result["left_out"]:
        lines += ["", f"without {_numbers(result['left_out'])}, drawn otherwise on another machine"]
    if result["search"]:
        lines += ["", "### Learning rates tried on subjects of their own", ""]
        lines += [markdown(result["search"], _SEARCH_COLUMNS)]
    if result["unfinished"]:
        lines += ["", f"not finished in time: {', '.join(result['unfinished'])}"]
    return "\n".join(lines)


def _numbers(subjects: Sequence[int]) -> str:
    return f"test subject{'s' if len(subjects) > 1 else ''} {', '.join(map(str, subjects))}"


def _points(name: str) -> Callable[[Row], str]:
    def cell(row: Row) -> str:
        low, high = row[f"{name}_interval"]
        return f"{100 * row[name]:+.1f} [{100 * low:+.1f}, {100 * high:+.1f}]"

    return cell


def _size(name: str) -> Callable[[Row], str]:
    return lambda row: _number(row["by_size"][name], ".3f")


def _number(value: float | None, form: str) -> str:
    return "-" if value is None or math.isnan(value) else format(value, form)


_ARM_COLUMNS: tuple[Column, ...] = (
    ("network", lambda row: row["title"]),
    ("exchange", lambda row: "yes" if row["exchange"] else "no"),
    ("seeds", lambda row: str(row["seeds"])),
    ("rate", lambda row: f"{row['rate']:g}"),
    ("AUPRC pooled", with_interval("auprc")),
    ("per subject", with_interval("subject_auprc")),
    *((f"{size} lesions", _size(size)) for size in SIZES),
    ("structure Dice", lambda row: f"{row['dice']:.3f}"),
    ("mirror defect", lambda row: f"{row['defect']:.1e}"),
    ("healthy maximum", lambda row: _number(row["healthy_maximum"], ".2f")),
    ("last loss", lambda row: f"{row['last_loss']:.3f}"),
    ("training, CPU s", lambda row: f"{row['train_cpu_seconds']:.0f}"),
)

_SEARCH_COLUMNS: tuple[Column, ...] = (
    ("network", lambda row: row["arm"]),
    ("rate", lambda row: f"{row['rate']:g}"),
    ("AUPRC pooled", lambda row: f"{row['auprc']:.3f}"),
    ("per subject", lambda row: f"{row['subject_auprc']:.3f}"),
    ("steps", lambda row: str(row["steps"])),
)

_DIFFERENCE_COLUMNS: tuple[Column, ...] = (
    ("difference", lambda row: row["title"]),
    ("seeds", lambda row: str(row["seeds"])),
    ("pooled", _points("auprc")),
    ("SD over seeds", lambda row: _number(100 * row["auprc_sd"], ".1f")),
    ("per subject", _points("subject_auprc")),
    ("SD over seeds", lambda row: _number(100 * row["subject_auprc_sd"], ".1f")),
)
