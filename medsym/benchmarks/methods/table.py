"""The result of the comparison as Markdown tables."""

import math
from collections.abc import Callable, Mapping, Sequence
from typing import Any

from medsym.text_table import Column, Row, markdown, with_interval

VERSION_TITLES = {
    "symmetric": "Exactly symmetric population",
    "asymmetric": "Asymmetric anatomy",
}


def format_methods(result: Mapping[str, Any]) -> str:
    """Tables of accuracy per version, of cost, tightness, loss against compute and correlation."""
    rows = result["rows"]
    blocks = []
    for version, title in VERSION_TITLES.items():
        own = [row for row in rows if row["version"] == version]
        if own:
            heading = f"{title}; prevalence of lesion voxels {own[0]['prevalence']:.4f}"
            blocks.append(f"### {heading}\n\n{markdown(own, SCORE_COLUMNS)}")
    blocks.append(f"### Cost of training\n\n{markdown(_trained(rows), COST_COLUMNS)}")
    bounded = [row for row in rows if "tightness" in row]
    if bounded:
        blocks.append(f"### Guarantees\n\n{markdown(bounded, BOUND_COLUMNS)}")
    learned = [row for row in rows if row["findings"]]
    if learned:
        blocks.append(f"### What was learned\n\n{markdown(learned, FOUND_COLUMNS)}")
    if result["curves"]:
        blocks.append(f"### Loss against compute\n\n{_curve_table(result['curves'])}")
    blocks.append(f"### Invariance and accuracy\n\n{_correlations(result['correlation'])}")
    return "\n\n".join(blocks)


def _gain(row: Row) -> str:
    if row["name"] == "plain":
        return ""
    low, high = row["auprc_gain_interval"]
    return f"{row['auprc_gain']:+.3f} [{low:+.3f}, {high:+.3f}]"


def _defect(name: str) -> Callable[[Row], str]:
    return lambda row: f"{row[name]:.2g}"


SCORE_COLUMNS: tuple[Column, ...] = (
    ("method", lambda row: row["title"]),
    ("AUPRC", with_interval("auprc")),
    ("AUPRC minus plain", _gain),
    ("Dice", with_interval("dice")),
    ("defect", _defect("defect")),
    ("defect, brain", _defect("defect_brain")),
    ("alarms, torque", with_interval("alarms_torque")),
    ("alarms, elsewhere", lambda row: f"{row['alarms_brain']:.4f}"),
)

COST_COLUMNS: tuple[Column, ...] = (
    ("method", lambda row: row["title"]),
    ("free parameters", lambda row: f"{row['free_parameters']:,}"),
    ("step over plain", lambda row: f"{row['step_over_plain']:.2f}"),
    ("step, ms", lambda row: f"{row['step_ms']:.0f}"),
    ("peak memory, MB", lambda row: f"{row['peak_mb']:.0f}"),
    ("training, CPU s", lambda row: f"{row['train_cpu_seconds']:.1f}"),
)

BOUND_COLUMNS: tuple[Column, ...] = (
    ("method", lambda row: row["title"]),
    ("version", lambda row: row["version"]),
    ("measured / bound", lambda row: f"{row['tightness']:.2f}"),
    ("least seed", lambda row: f"{row['tightness_least']:.2f}"),
    ("largest voxel", lambda row: f"{row['tightness_most']:.4f}"),
    ("mean bound, log-odds", lambda row: f"{row['bound_mean']:.3f}"),
    ("violations", lambda row: f"{row['violations']:.0f} of {row['voxels']:,.0f}"),
    ("one-pass error, log-odds", lambda row: f"{row['one_pass_error']:.1g}"),
)

FOUND_COLUMNS: tuple[Column, ...] = (
    ("method", lambda row: row["title"]),
    ("version", lambda row: row["version"]),
    (
        "mean over seeds",
        lambda row: ", ".join(f"{k} {v:.3g}" for k, v in sorted(row["findings"].items())),
    ),
)


def _trained(rows: Sequence[Row]) -> list[Row]:
    """One row per training: variants cost none, both versions cost the same."""
    first: dict[str, Row] = {}
    for row in rows:
        if row["trained"]:
            first.setdefault(row["method"], row)
    return list(first.values())


def _curve_table(curves: Sequence[Mapping[str, Any]]) -> str:
    steps = [f"{point['steps']:.0f}" for point in curves[0]["points"]]
    lines = [
        f"| method | version | {' | '.join(f'step {s}' for s in steps)} |",
        "|---" * (2 + len(steps)) + "|",
    ]
    for curve in curves:
        cells = [f"{p['loss']:.3f} ({p['cpu_seconds']:.1f} s)" for p in curve["points"]]
        lines.append(f"| {curve['method']} | {curve['version']} | {' | '.join(cells)} |")
    return "\n".join(lines)


def _correlations(found: Mapping[str, Mapping[str, float]]) -> str:
    lines = [
        "| version | Spearman rho of defect and AUPRC | networks | without exact ones | networks |",
        "|---|---|---|---|---|",
    ]
    lines += [
        f"| {version} | {_rho(own['rho'])} | {own['networks']:.0f} | "
        f"{_rho(own['rho_without_exact'])} | {own['networks_without_exact']:.0f} |"
        for version in VERSION_TITLES
        if (own := found.get(version))
    ]
    return "\n".join(lines)


def _rho(value: float | None) -> str:
    return "too few" if value is None or math.isnan(value) else f"{value:+.2f}"
