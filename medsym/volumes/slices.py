"""How a slice of the symmetric grid is turned into a picture, and which letters stand beside it."""

from typing import Any

import numpy as np
from numpy.typing import NDArray

PLANES = ("axial", "coronal", "sagittal")


def slice_picture(
    values: NDArray[np.generic], *, plane: str, index: int, radiological: bool = True
) -> NDArray[np.generic]:
    """Cut (x, y, z[, colour]) into picture rows and columns.

    Axial: front on top. Coronal: head on top. Sagittal: head on top, nose to the left. In axial
    and coronal pictures the patient's right is on the left-hand side if ``radiological``.
    """
    if plane == "sagittal":
        return values[index].swapaxes(0, 1)[::-1, ::-1]
    cut = values[:, :, index] if plane == "axial" else values[:, index]
    upright = cut.swapaxes(0, 1)[::-1]
    return upright[:, ::-1] if radiological else upright


def picture_place(
    at: tuple[int, int, int],
    *,
    shape: tuple[int, int, int],
    plane: str,
    radiological: bool = True,
) -> tuple[int, int]:
    """Row and column at which `slice_picture` shows a voxel of an array of this shape."""
    (x, y, z), (width, length, height) = at, shape
    if plane == "sagittal":
        return height - 1 - z, length - 1 - y
    row = length - 1 - y if plane == "axial" else height - 1 - z
    return row, width - 1 - x if radiological else x


def add_side_letters(
    axes: Any, plane: str, *, size: float, inset: float = 0.02, top: bool = False, pad: float = 1.0
) -> None:
    """Write the letters of both edges into a matplotlib picture that `slice_picture` made.

    Args:
        axes: matplotlib axes that show the slice.
        plane: "axial", "coronal" or "sagittal".
        size: of the letters, points.
        inset: from the edges, as a share of the width.
        top: in the upper corners instead of at half height.
        pad: of the black box behind each letter, points.
    """
    left_hand, right_hand = side_letters(plane)
    height, across = (1.0 - inset, "top") if top else (0.5, "center")
    for letter, where, along in ((left_hand, inset, "left"), (right_hand, 1.0 - inset, "right")):
        text = axes.text(where, height, letter, transform=axes.transAxes, ha=along, va=across)
        text.set(color="white", fontsize=size, fontweight="bold")
        text.set_bbox({"facecolor": "black", "edgecolor": "none", "pad": pad})


def side_letters(plane: str, *, radiological: bool = True) -> tuple[str, str]:
    """Letters for the left-hand and right-hand edge of a picture."""
    if plane == "sagittal":
        return ("A", "P")
    return ("R", "L") if radiological else ("L", "R")
