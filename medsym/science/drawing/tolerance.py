"""Maps in brain coordinates cut in three planes; and the tolerance atlas alone, for the viewer.

Slices come in radiological convention: the patient's right is on the left-hand side of axial and
coronal slices, which carry the letters R and L.
"""

from collections.abc import Sequence

import numpy as np
from matplotlib.axes import Axes
from matplotlib.figure import Figure
from matplotlib.image import AxesImage
from numpy.typing import NDArray
from scipy.ndimage import zoom

from medsym.science.drawing.sheet import add_letters, new_figure
from medsym.volumes.slices import PLANES, slice_picture

#: Pixels per voxel of the reference grid along each axis; maps are interpolated linearly.
FINER = 4
#: Of a map inside the brain: the end of its colours.
PERCENTILE = 99.5
COLOURS = "viridis"


def draw_tolerance(
    tolerance: NDArray[np.floating], brain: NDArray[np.bool_], *, title: str
) -> Figure:
    """The mean tolerance in three planes through its largest value.

    Args:
        tolerance: (x, y, z) log-odds on the reference grid, x to the patient's right.
        brain: the same shape; what lies outside is black.
        title: above the figure.
    """
    figure = new_figure(width=9.5, height=3.6, title=title, sides=True)
    inside = np.where(brain, tolerance.astype(np.float64), 0.0)
    at = (int(i) for i in np.unravel_index(int(inside.argmax()), inside.shape))
    x, y, z = (FINER * i + FINER // 2 for i in at)
    values, within = finer(inside), finer(brain.astype(np.float64)) > 0.5
    line = list(figure.subplots(1, len(PLANES)))
    shown = draw_planes(line, values, within, place=(x, y, z), colours=COLOURS)
    for axes, plane in zip(line, PLANES, strict=True):
        axes.set_label(plane)
    bar = figure.colorbar(shown, ax=line, shrink=0.85, pad=0.01)
    bar.set_label("tolerance, log-odds")
    return figure


def draw_planes(
    line: Sequence[Axes],
    values: NDArray[np.float64],
    within: NDArray[np.bool_],
    *,
    place: tuple[int, int, int],
    colours: str,
) -> AxesImage:
    """One map in the planes through a place, on one scale; returns the last picture.

    Args:
        line: axes, one per plane of PLANES.
        values: (x, y, z) map, as ``finer`` gives it.
        within: the same shape; what lies outside is left out, and does not decide the scale.
        place: (x, y, z) voxel of ``values`` through which the planes go.
        colours: name of a colour map; it ends at PERCENTILE of the values within.
    """
    index = dict(zip(("sagittal", "coronal", "axial"), place, strict=True))
    largest = float(np.percentile(values[within], PERCENTILE)) if within.any() else 0.0
    for axes, plane in zip(line, PLANES, strict=True):
        shown = draw_slice(
            axes,
            np.where(within, values, np.nan),
            plane=plane,
            index=index[plane],
            largest=max(largest, 1e-30),
            colours=colours,
        )
    return shown


def finer(values: NDArray[np.float64]) -> NDArray[np.float64]:
    """The map with ``FINER`` points per voxel along each axis."""
    found: NDArray[np.float64] = zoom(values, FINER, order=1, mode="nearest", grid_mode=True)
    return found


def draw_slice(
    axes: Axes,
    values: NDArray[np.float64],
    *,
    plane: str,
    index: int,
    largest: float,
    colours: str,
) -> AxesImage:
    """One slice with its side letters; NaN is black."""
    axes.set_axis_off()
    cut = slice_picture(values, plane=plane, index=index)
    axes.imshow(np.zeros((*cut.shape, 3)))  # black where there is no brain
    shown = axes.imshow(cut, cmap=colours, vmin=0.0, vmax=largest)
    add_letters(axes, plane)
    return shown
