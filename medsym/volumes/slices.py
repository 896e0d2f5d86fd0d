"""How a slice of the symmetric grid is turned into a picture, and which letters stand beside it."""

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


def side_letters(plane: str, *, radiological: bool = True) -> tuple[str, str]:
    """Letters for the left-hand and right-hand edge of a picture."""
    if plane == "sagittal":
        return ("A", "P")
    return ("R", "L") if radiological else ("L", "R")
