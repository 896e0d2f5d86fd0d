"""The tolerance atlas and the structures it lies in.

Slices come in radiological convention: the patient's right is on the left-hand side of axial and
coronal slices, which carry the letters R and L.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medsym.science.atlas import ASYMMETRY, TOLERANCE, TORQUE, Atlas
from medsym.science.drawing.sheet import (
    INK,
    LEFT_COLOUR,
    QUIET,
    RIGHT_COLOUR,
    new_figure,
)
from medsym.science.drawing.tolerance import COLOURS, FINER, draw_planes, finer
from medsym.science.intervals import Numbers
from medsym.volumes.slices import PLANES, slice_picture

_ROWS = (
    (TOLERANCE, "learned tolerance", "log-odds", COLOURS),
    (TORQUE, "natural torque drawn", "mm", "magma"),
    (ASYMMETRY, "natural asymmetry drawn", "share of range", "magma"),
)


def draw_atlas(atlas: Atlas, *, title: str) -> Figure:
    """Three maps in three planes, with outlines of white matter and ventricles."""
    figure = new_figure(width=9.5, height=9.6, title=title, sides=True)
    grid = figure.subplots(len(_ROWS), len(PLANES), squeeze=False)
    x, y, z = (FINER * i + FINER // 2 for i in atlas.place)
    index = {"axial": z, "coronal": y, "sagittal": x}
    brain = finer(atlas.brain.astype(np.float64)) > 0.5
    tissues = [finer(share) for share in (atlas.white, atlas.ventricles)]
    for line, (name, words, unit, colours) in zip(grid, _ROWS, strict=True):
        values = finer(atlas.means[name])
        shown = draw_planes(line, values, brain, place=(x, y, z), colours=colours)
        for axes, plane in zip(line, PLANES, strict=True):
            _draw_tissues(axes, tissues, plane=plane, index=index[plane])
            axes.set_label(f"{name} {plane}")
        line[0].set_title(f"{words}, mean of {atlas.numbers['subjects']} subjects", loc="left")
        bar = figure.colorbar(shown, ax=list(line), shrink=0.85, pad=0.01)
        bar.set_label(unit)
    return figure


def _draw_tissues(
    axes: Axes, tissues: Sequence[NDArray[np.float64]], *, plane: str, index: int
) -> None:
    for share, style in zip(tissues, ("solid", "dotted"), strict=True):
        cut = slice_picture(share, plane=plane, index=index)
        if cut.min() < 0.5 < cut.max():
            axes.contour(cut, [0.5], colors="white", linewidths=0.7, linestyles=style, alpha=0.8)


def draw_structures(atlas: Atlas, structures: Numbers, *, title: str) -> Figure:
    """Tolerance in each pair of structures, left beside right, and places against truth."""
    figure = new_figure(width=9.5, height=4.6, title=title, sides=False)
    bars, torque, asymmetry = figure.subplots(1, 3, width_ratios=(1.5, 1.0, 1.0))
    _draw_pairs(bars, structures["rows"])
    for axes, name, words in (
        (torque, TORQUE, "natural torque, mm"),
        (asymmetry, ASYMMETRY, "natural asymmetry, share of range"),
    ):
        _draw_places(axes, atlas, name)
        axes.set_xlabel(words)
    torque.set_ylabel("learned tolerance, log-odds")
    return figure


def _draw_pairs(axes: Axes, rows: Sequence[Numbers]) -> None:
    places = np.arange(len(rows), dtype=np.float64)[::-1]
    for name, offset, colour in (("left", 0.2, LEFT_COLOUR), ("right", -0.2, RIGHT_COLOUR)):
        values = np.array([row[name]["value"] for row in rows])
        ends = np.array([[row[name]["low"], row[name]["high"]] for row in rows]).T
        axes.barh(
            places + offset,
            values,
            height=0.38,
            color=colour,
            label=f"patient's {name}",
            xerr=np.nan_to_num(np.abs(ends - values)),
            error_kw={"linewidth": 0.8, "ecolor": INK},
        )
    axes.set_yticks(places, [str(row["name"]).replace("-", " ") for row in rows])
    axes.set_xlabel("learned tolerance, log-odds")
    axes.set_title("by structure, 95 % interval over subjects", loc="left")
    axes.legend(fontsize=7.5, frameon=False)


def _draw_places(axes: Axes, atlas: Atlas, name: str) -> None:
    """Every place of the atlas: what was drawn there against what was learned there."""
    x, y = atlas.means[name][atlas.brain], atlas.means[TOLERANCE][atlas.brain]
    axes.scatter(x, y, s=1.5, color=QUIET, alpha=0.35, linewidths=0, rasterized=True)
    found = atlas.numbers["correlation"][name]
    if np.isfinite(found["value"]):
        ends = f"[{found['low']:+.2f}, {found['high']:+.2f}]"
        words = f"rank correlation {found['value']:+.2f}\n{ends} over subjects"
    else:
        words = "no rank correlation: no spread"
    axes.set_title(words, loc="left")
