"""Deviation maps beside expert masks: one row per case, in the slice with the most mask.

Axial slices in radiological convention: the patient's right is on the left-hand side, marked R.
Only the brain is drawn.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.cm import ScalarMappable
from matplotlib.colors import Normalize
from matplotlib.figure import Figure
from numpy.typing import NDArray

from medsym.science.drawing.sheet import MASK_COLOUR, add_letters, new_figure
from medsym.science.panels import Panel
from medsym.volumes.slices import slice_picture

#: Orange: more evidence here than at the mirror place; violet: less.
COLOURS = "PuOr_r"
#: The colours of the deviation end at so many thresholds of a finding.
FULL_THRESHOLDS = 2.0
#: The colours of the asymmetry end here, nats: odds of more than 50 to 1.
FULL_NATS = 4.0
#: Opacity of the largest value; smaller ones fade out.
_OPACITY = 0.9
#: Height of the colour bars, in heights of a slice.
_BAR_HEIGHT = 0.045
COLUMNS = ("scan", "mask", "deviation", "asymmetry beyond the bound")


def draw_panels(panels: Sequence[Panel], *, title: str, peak_sd: float, mask: str) -> Figure:
    """Scan, mask, deviation, and asymmetry where the model cannot have made it.

    Args:
        panels: at least one case.
        title: above the figure.
        peak_sd: deviation that a finding has to reach; twice of it has the full colour.
        mask: what the outlines are, in words.
    """
    rows = len(panels)
    figure = new_figure(width=9.5, height=1.2 + 2.6 * rows, title=title, sides=True)
    heights = [1.0] * rows + [_BAR_HEIGHT]
    grid = figure.subplots(rows + 1, len(COLUMNS), squeeze=False, height_ratios=heights)
    scales = (None, None, FULL_THRESHOLDS * peak_sd, FULL_NATS)
    for line, panel in zip(grid, panels, strict=False):
        _draw_row(line, panel, scales=scales)
    for axes, name in zip(grid[0][1:], (mask, *COLUMNS[2:]), strict=True):
        axes.set_title(name, loc="left", fontsize=9)
    for axes, scale, unit in zip(grid[-1], scales, ("", "", "SD", "nats"), strict=True):
        if scale is None:
            axes.set_axis_off()
            continue
        colours = ScalarMappable(norm=Normalize(-scale, scale), cmap=COLOURS)
        bar = figure.colorbar(colours, cax=axes, orientation="horizontal", extend="both")
        bar.set_label(f"{unit}; orange: more evidence here", fontsize=7.5)
    return figure


def _draw_row(line: Sequence[Axes], panel: Panel, *, scales: Sequence[float | None]) -> None:
    """One case; its name stands above its first slice."""
    maps = (None, None, panel.deviation, panel.asymmetry)
    for number, (axes, values, scale) in enumerate(zip(line, maps, scales, strict=True)):
        _draw(axes, panel)
        if values is not None and scale is not None:
            _colour(axes, panel, values, full=scale)
        if number > 0:
            _outline(axes, panel)
        axes.set_label(f"{COLUMNS[number]} {panel.name}")
    line[0].set_title(panel.name, loc="left", fontsize=9, fontweight="bold")


def _cut(values: NDArray[np.generic], panel: Panel) -> NDArray[np.generic]:
    return slice_picture(values, plane="axial", index=panel.index)


def _draw(axes: Axes, panel: Panel) -> None:
    axes.set_axis_off()
    axes.imshow(_cut(panel.scan, panel), cmap="gray", vmin=0, vmax=1)
    add_letters(axes, "axial")


def _colour(axes: Axes, panel: Panel, values: NDArray[np.float32], *, full: float) -> None:
    """A map over the scan inside the brain; small values fade out."""
    picture = _cut(values, panel).astype(np.float64)
    strength = np.clip(np.abs(picture) / full, 0.0, 1.0)
    opacity = np.where(_cut(panel.brain, panel), _OPACITY * np.sqrt(strength), 0.0)
    axes.imshow(picture, cmap=COLOURS, norm=Normalize(-full, full), alpha=opacity)


def _outline(axes: Axes, panel: Panel) -> None:
    mask = _cut(panel.truth, panel).astype(np.float64)
    if mask.any():
        axes.contour(mask, [0.5], colors=MASK_COLOUR, linewidths=1.1)
