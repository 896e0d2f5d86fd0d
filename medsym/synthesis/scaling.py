"""The scaling that real scans get, on any device."""

import torch
from torch import Tensor

from medsym.volumes.intensity import (
    CLIP_HIGH,
    CLIP_LOW,
    HIGH_PERCENTILE,
    LOW_PERCENTILE,
    normalise,
)


def normalised(image: Tensor, mask: Tensor) -> Tensor:
    """What `medsym.volumes.intensity.normalise` makes of an image, where the image lives.

    Args:
        image: (x, y, z) float32.
        mask: (x, y, z) bool, where the percentiles are taken; 0 outside.

    Raises:
        ScanError: MS-121, on the CPU, when the values inside the mask do not differ.
    """
    if image.device.type == "cpu":
        return torch.from_numpy(normalise(image.numpy(), mask.numpy()))
    return scaled_by_percentiles(image, mask)


def scaled_by_percentiles(image: Tensor, mask: Tensor) -> Tensor:
    """The same arithmetic in torch, without a copy to the CPU; a constant image becomes 0."""
    values = image[mask].sort().values
    ranks = torch.tensor([LOW_PERCENTILE, HIGH_PERCENTILE], device=image.device) / 100.0
    at = ranks * (len(values) - 1)
    below = at.floor().long()
    above = (below + 1).clamp_max(len(values) - 1)
    low, high = torch.lerp(values[below], values[above], at - below)
    scaled = ((image - low) / (high - low).clamp_min(1e-6)).clamp(CLIP_LOW, CLIP_HIGH)
    return torch.where(mask, scaled, 0.0)
