"""Actions and random volumes for the tests of the mirror."""

import torch
from torch import Tensor

from medsym.symmetry import ChannelAction

ACTIONS = {
    "trivial": ChannelAction.trivial(3),
    "sign": ChannelAction.sign(2),
    "regular": ChannelAction.regular(2),
    "labels": ChannelAction.labels([0, 2, 1, 3]),
    "sum": ChannelAction.trivial(1) + ChannelAction.sign(1) + ChannelAction.regular(1),
}


def random_volume(
    action: ChannelAction,
    *,
    seed: int,
    size: tuple[int, int, int] = (8, 6, 4),
    dtype: torch.dtype = torch.float32,
) -> Tensor:
    """(1, channels, x, y, z) standard normal volume."""
    generator = torch.Generator().manual_seed(seed)
    drawn = torch.randn(1, action.channels, *size, generator=generator, dtype=torch.float64)
    return drawn.to(dtype)
