"""Where a defect lies across the mirrored axis: at the borders, near the mid-plane, or evenly.

Defects at the borders hint at strides, padding and window grids, which treat the two ends
differently; kernels that are not symmetric break the mirror everywhere.
"""

from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.symmetry.mirror import Axis, spatial_dim

BAND = 1.0 / 16.0
"""Width of a border, share of the axis, on each side; the mid-plane's band is twice as wide."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Place:
    """Concentration of the squared defect: its share in a band over the band's share of the axis.

    Attributes:
        border: In the planes next to the two borders; 1 is as everywhere, 0 nothing.
        midplane: In the planes next to the mid-plane.
    """

    border: float
    midplane: float


def place_of(defect: Tensor, axis: Axis) -> Place:
    """Where a defect (b, c, x, y, z) lies along an axis.

    Each band has at least one plane on each side; both are 1 where nothing is wrong.
    """
    dim = spatial_dim(axis)
    profile = defect.double().square().movedim(dim, 0).flatten(1).sum(1)
    size, total = profile.numel(), float(profile.sum())
    if total == 0.0:
        return Place(border=1.0, midplane=1.0)
    width = max(1, round(size * BAND))
    number = torch.arange(size, device=profile.device)
    from_border = torch.minimum(number, size - 1 - number)
    from_middle = (number - (size - 1) / 2.0).abs()
    bands = (from_border < width, from_middle < width)
    border, midplane = (
        float(profile[band].sum()) / total / (float(band.sum()) / size) for band in bands
    )
    return Place(border=border, midplane=midplane)
