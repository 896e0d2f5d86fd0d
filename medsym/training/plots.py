"""A run as pictures: its curves, and what the network says about an unseen subject.

Slices come in radiological convention: the patient's right is on the left-hand side of axial and
coronal slices, which carry the letters R and L.
"""

import io
from collections.abc import Sequence
from typing import Any

import numpy as np
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from medsym import RESEARCH_USE_ONLY
from medsym.training.history import Row
from medsym.training.validation import SubjectMaps
from medsym.volumes.slices import PLANES, add_side_letters, slice_picture

DPI = 100
SCORES = ("pathology", "baseline", "prevalence", "structures")
_NAMES = {
    "pathology": "AUPRC",
    "baseline": "AUPRC of the mirror difference",
    "prevalence": "prevalence (chance)",
    "structures": "structure Dice",
}


def as_png(figure: Figure) -> bytes:
    """The content of a PNG file."""
    FigureCanvasAgg(figure)
    buffer = io.BytesIO()
    figure.savefig(buffer, format="png", dpi=DPI, metadata={"Software": "medsym"})
    return buffer.getvalue()


def draw_subject(maps: SubjectMaps, *, title: str) -> Figure:
    """Image, truth, pathology and tolerance in three planes, with the patient's sides."""
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    figure.suptitle(title, fontsize=10)
    x, y, z = maps.middle()
    index = {"axial": z, "coronal": y, "sagittal": x}
    rows = (
        ("image", maps.image, "gray", None),
        ("truth", maps.truth, "gray", 1.0),
        ("pathology", maps.pathology, "inferno", 1.0),
        ("tolerance", maps.tolerance, "viridis", max(float(maps.tolerance.max()), 1e-6)),
    )
    grid = figure.subplots(len(PLANES), len(rows), squeeze=False)
    for column, (name, values, colours, largest) in enumerate(rows):
        for row, plane in enumerate(PLANES):
            axes = grid[row][column]
            picture = slice_picture(values, plane=plane, index=index[plane])
            limits = {} if largest is None else {"vmin": 0.0, "vmax": largest}
            shown = axes.imshow(picture, cmap=colours, **limits)
            axes.set_axis_off()
            axes.set_label(f"{name} {plane}")
            add_side_letters(axes, plane, size=10)
        grid[0][column].set_title(name, fontsize=9)
        if largest is not None and name != "truth":
            bar = figure.colorbar(shown, ax=[line[column] for line in grid], shrink=0.6)
            bar.set_label("log-odds" if name == "tolerance" else "probability", fontsize=8)
    figure.supxlabel(f"{RESEARCH_USE_ONLY} R, L: the patient's right and left.", fontsize=7)
    return figure


def draw_curves(rows: Sequence[Row], *, title: str) -> Figure:
    """Loss, scores on unseen subjects, learning rate and softness over the steps of a run.

    Args:
        rows: Of kind "checkpoint", as :mod:`medsym.training.history` keeps them.
        title: Above the curves.
    """
    figure = Figure(figsize=(11.0, 8.0), layout="constrained")
    figure.suptitle(title, fontsize=10)
    axes = figure.subplots(2, 2)
    steps = [row["step"] for row in rows]
    parts = sorted({name for row in rows for name in row["parts"]})
    _curves(axes[0][0], steps, {n: [row["parts"].get(n) for row in rows] for n in parts})
    axes[0][0].set(title="loss", yscale="log")
    scores = {_NAMES[n]: [row["unseen"][n] for row in rows] for n in SCORES}
    _curves(axes[0][1], steps, scores)
    axes[0][1].set(title="unseen subjects", ylim=(0.0, 1.0))
    rates = {
        "learning rate": [row["learning_rate"] for row in rows],
        "mean tolerance, log-odds": [row["unseen"]["tolerance"] for row in rows],
    }
    _curves(axes[1][0], steps, rates)
    axes[1][0].set(title="learning rate and tolerance", yscale="log")
    layers = sorted({name for row in rows for name in row["softness"]})
    _curves(axes[1][1], steps, {n: [row["softness"].get(n) for row in rows] for n in layers})
    axes[1][1].set(title="softness per layer" if layers else "softness: no layer is softened")
    figure.supxlabel(f"steps. {RESEARCH_USE_ONLY}", fontsize=7)
    return figure


def _curves(axes: Axes, steps: Sequence[int], curves: dict[str, list[Any]]) -> None:
    """One line per name; None leaves a gap."""
    for name, values in curves.items():
        numbers = [np.nan if value is None else float(value) for value in values]
        axes.plot(steps, numbers, marker=".", markersize=4, linewidth=1.0, label=name)
    axes.grid(visible=True, linewidth=0.3)
    axes.tick_params(labelsize=7)
    if curves:
        axes.legend(fontsize=7, frameon=False)
