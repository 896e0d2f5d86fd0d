"""Reliability, false-alarm calibration, and the softness of the layers."""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure

from medsym.science.drawing.sheet import INK, QUIET, RIGHT_COLOUR, new_figure
from medsym.science.intervals import Numbers

_MODEL, _REAL = "#2a6fa8", RIGHT_COLOUR
#: Bins without a lesion voxel stand so far below all others on a logarithmic axis.
_BELOW = 3.0


def draw_reliability(numbers: Numbers, *, title: str) -> Figure:
    """Probability against observed frequency: likely voxels, all voxels, and how many there are."""
    figure = new_figure(width=9.5, height=4.0, title=title, sides=False)
    likely, everything, counts = figure.subplots(1, 3)
    _draw_bins(likely, numbers["likely"]["bins"])
    likely.plot([0, 1], [0, 1], color=QUIET, linewidth=0.8, linestyle="--")
    likely.set(xlim=(0, 1), ylim=(0, 1), aspect="equal")
    likely.set_title(f"voxels above the prior ({numbers['prior']:.2g})", loc="left")
    floor = _floor(numbers["all"]["bins"])
    _draw_bins(everything, numbers["all"]["bins"], floor=floor)
    everything.plot([floor, 1], [floor, 1], color=QUIET, linewidth=0.8, linestyle="--")
    ends = (floor / 1.5, 1.5)
    everything.set(xscale="log", yscale="log", xlim=ends, ylim=ends, aspect="equal")
    everything.set_title("all voxels of the brain", loc="left")
    for axes in (likely, everything):
        axes.set_xlabel("probability of pathology")
        axes.set_ylabel("observed share of lesion voxels")
    edges = np.asarray(numbers["histogram"]["edges"])
    counts.bar(
        edges[:-1],
        numbers["histogram"]["voxels"],
        width=np.diff(edges),
        align="edge",
        color=_MODEL,
        edgecolor="white",
        linewidth=0.4,
    )
    counts.set(yscale="log", xlim=(0, 1), xlabel="probability of pathology", ylabel="voxels")
    counts.set_title("how many voxels", loc="left")
    return figure


def _floor(bins: Sequence[Numbers]) -> float:
    """Lower end of logarithmic axes that show every bin."""
    values = [row["probability"] for row in bins] + [row["frequency"]["value"] for row in bins]
    return min(value for value in [*values, 1.0] if value > 0.0) / _BELOW


def _draw_bins(axes: Axes, bins: Sequence[Numbers], *, floor: float = 0.0) -> None:
    """Bins of equal counts with intervals; hollow where none of the voxels is lesion."""
    for row in bins:
        found = row["frequency"]
        x, y = max(row["probability"], floor), max(found["value"], floor)
        ends = [max(found[end], floor) for end in ("low", "high")]
        if all(np.isfinite(ends)):
            axes.plot([x, x], ends, color=_MODEL, linewidth=1.0)
        face = _MODEL if row["lesion_voxels"] else "white"
        axes.plot(x, y, "o", markersize=4.5, markerfacecolor=face, markeredgecolor=_MODEL)


def draw_false_alarms(groups: Sequence[tuple[str, Numbers]], *, title: str) -> Figure:
    """Nominal against realised share of healthy scans that are flagged.

    Args:
        groups: name and ``calibration_curve`` of each group of healthy subjects.
        title: above the figure.
    """
    figure = new_figure(width=9.5, height=4.2, title=title, sides=False)
    whole, near = figure.subplots(1, 2)
    for axes, end in ((whole, 1.0), (near, 0.21)):
        axes.fill_between([0, end], [0, end], 1.0, color="#b00020", alpha=0.06, linewidth=0)
        axes.plot([0, end], [0, end], color=QUIET, linewidth=0.8, linestyle="--", label="promised")
        for number, (name, curve) in enumerate(groups):
            _draw_curve(axes, name, curve, number=number, end=end)
        axes.set(xlim=(0, end), xlabel="promised share (alpha)")
        axes.set_ylabel("flagged share of the healthy")
    highest = [
        point["flagged"]["high"]
        for _, curve in groups
        for point in curve["points"]
        if point["flagged"] is not None and point["alpha"] <= near.get_xlim()[1]
    ]
    whole.set(ylim=(0, 1.02))
    near.set_ylim(0.0, min(1.0, 1.05 * max([*highest, near.get_xlim()[1]])))
    whole.legend(fontsize=7.5, frameon=False, loc="upper left")
    whole.set_title("all rates, exact 95 % intervals", loc="left")
    near.set_title("the rates that are used", loc="left")
    return figure


def _draw_curve(axes: Axes, name: str, curve: Numbers, *, number: int, end: float) -> None:
    points = [p for p in curve["points"] if p["flagged"] is not None and p["alpha"] <= end]
    shift = 0.006 * end * (number if number % 2 else -number)
    x = [p["alpha"] + shift for p in points]
    y = [p["flagged"]["value"] for p in points]
    colour = (_MODEL, _REAL)[number % 2]
    axes.plot(x, y, "o-", color=colour, markersize=4, linewidth=1.0, label=name)
    for place, point in zip(x, points, strict=True):
        ends = [point["flagged"]["low"], point["flagged"]["high"]]
        axes.plot([place, place], ends, color=colour, linewidth=0.9)


def draw_softness(numbers: Numbers, *, title: str) -> Figure:
    """Softness of every softened layer, and how much of its weights breaks the mirror."""
    rows = numbers["layers"]
    figure = new_figure(width=9.5, height=1.4 + 0.17 * len(rows), title=title, sides=False)
    axes = figure.subplots()
    places = np.arange(len(rows), dtype=np.float64)[::-1]
    low, high = (np.array([row[end] for row in rows]) for end in ("low", "high"))
    axes.barh(places, high, height=0.7, color="#b9d3ea", label="largest softness")
    axes.barh(places, low, height=0.7, color=_MODEL, label="smallest softness")
    shares = [(p, row["odd_share"]) for p, row in zip(places, rows, strict=True)]
    known = [(p, share) for p, share in shares if share is not None]
    axes.plot(
        [share for _, share in known],
        [p for p, _ in known],
        "D",
        color=INK,
        markersize=3,
        linestyle="none",
        label="share of the weights that breaks the mirror",
    )
    axes.set_yticks(places, [row["path"] for row in rows], fontsize=6.5)
    axes.set_ylim(-0.8, len(rows) - 0.2)
    axes.set(xlim=(0, 1), xlabel="softness: 0 exactly symmetric, 1 free")
    axes.legend(fontsize=7.5, frameon=False, loc="lower right")
    return figure


def draw_sides(numbers: Numbers, *, title: str) -> Figure:
    """Share of the antisymmetric energy of every layer, healthy beside diseased subjects."""
    figure = new_figure(width=9.5, height=4.0, title=title, sides=False)
    axes = figure.subplots()
    names = list(next(iter(numbers.values())))
    for number, (group, rows) in enumerate(numbers.items()):
        places = np.arange(len(names)) + 0.2 * (2 * number - 1)
        values = np.array([rows[name]["value"] for name in names])
        ends = np.array([[rows[name]["low"], rows[name]["high"]] for name in names]).T
        axes.bar(
            places,
            values,
            width=0.38,
            color=(_MODEL, _REAL)[number % 2],
            label=group,
            yerr=np.nan_to_num(np.abs(ends - values)),
            error_kw={"linewidth": 0.8, "ecolor": INK},
        )
    axes.set_xticks(np.arange(len(names)), names, rotation=35, ha="right")
    axes.set_ylabel("antisymmetric share of the energy")
    axes.legend(fontsize=7.5, frameon=False)
    return figure
