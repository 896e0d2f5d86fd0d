"""What every figure has: a canvas, side letters, the notice, and its files."""

import io
from collections.abc import Iterator
from contextlib import contextmanager

import matplotlib as mpl
from matplotlib.axes import Axes
from matplotlib.backends.backend_agg import FigureCanvasAgg
from matplotlib.figure import Figure

from medsym import RESEARCH_USE_ONLY
from medsym.volumes.slices import add_side_letters

DPI = 130
LEFT_COLOUR, RIGHT_COLOUR = "#2a6fa8", "#c2571a"
QUIET, INK = "#7a7f87", "#1b2430"
#: Line of an expert mask, readable on grey, orange and violet.
MASK_COLOUR = "#20e0c0"


@contextmanager
def styled() -> Iterator[None]:
    """While open, figures are made in one style; the same numbers give the same bytes."""
    with mpl.rc_context(
        {
            "svg.fonttype": "path",
            "svg.hashsalt": "medsym",
            "axes.spines.top": False,
            "axes.spines.right": False,
            "font.size": 8.5,
            "axes.titlesize": 9.5,
            "axes.labelsize": 8.5,
        }
    ):
        yield


def new_figure(*, width: float, height: float, title: str, sides: bool) -> Figure:
    """An empty figure with a title and the notice.

    Args:
        width: inches.
        height: inches.
        title: above the figure.
        sides: it shows left and right, so the notice says whose.
    """
    figure = Figure(figsize=(width, height), layout="constrained")
    FigureCanvasAgg(figure)
    figure.suptitle(title, fontsize=11, x=0.01, ha="left", color=INK)
    whose = " R, L: the patient's right and left." if sides else ""
    figure.supxlabel(f"{RESEARCH_USE_ONLY}{whose}", fontsize=7, color=QUIET)
    return figure


def add_letters(axes: Axes, plane: str) -> None:
    """The side letters in the upper corners of a slice, which the brain leaves empty."""
    add_side_letters(axes, plane, size=10, inset=0.015, top=True, pad=1.2)


def as_png(figure: Figure) -> bytes:
    """The content of a PNG file."""
    return _written(figure, "png", {"Software": "medsym"})


def as_svg(figure: Figure) -> bytes:
    """The content of an SVG file; letters are outlines, so it needs no font."""
    return _written(figure, "svg", {"Creator": "medsym", "Date": None})


def _written(figure: Figure, kind: str, metadata: dict[str, str | None]) -> bytes:
    buffer = io.BytesIO()
    with styled():
        figure.savefig(buffer, format=kind, dpi=DPI, metadata=metadata)
    return buffer.getvalue()
