"""Holes of a mask: the background that its border does not reach, in the volume or slice by slice.

The same as ``scipy.ndimage.binary_fill_holes`` with face neighbours, in one labelling instead of a
dilation that is repeated until nothing changes, once for every slice.
"""

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage


def filled(mask: NDArray[np.bool_], *, slices_of: int | None = None) -> NDArray[np.bool_]:
    """The mask with its holes.

    Args:
        mask: (x, y, z).
        slices_of: 0, 1 or 2 fills every slice across this axis for itself: what is surrounded
            within its slice is a hole. None fills the volume.

    Example:
        >>> ring = np.ones((1, 3, 3), dtype=bool)
        >>> ring[0, 1, 1] = False
        >>> bool(filled(ring, slices_of=0)[0, 1, 1]), bool(filled(ring)[0, 1, 1])
        (True, False)
    """
    faces = ndimage.generate_binary_structure(3, 1)
    if slices_of is not None:
        for beyond in (0, 2):
            np.moveaxis(faces, slices_of, 0)[beyond] = False
    background, count = ndimage.label(~mask, structure=faces)
    open_to_border = np.zeros(count + 1, dtype=bool)
    for axis in range(mask.ndim):
        if axis != slices_of:
            for end in (0, -1):
                open_to_border[np.take(background, end, axis=axis).ravel()] = True
    open_to_border[0] = False  # the mask itself
    return ~open_to_border[background]
