"""Softness of weights that the mirror permutes along one dimension, and of whole operations.

Position embeddings, the columns of a linear map and per-channel scales split like a kernel:
``w = (w + P w) / 2 + a (w - P w) / 2`` with the permutation P of the mirror.
"""

from collections.abc import Sequence

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.symmetry.mirror import Axis, ChannelAction, spatial_dim
from medsym.symmetry.parametrisation import SoftWeight, attach
from medsym.symmetry.soft_weight import OddPath
from medsym.symmetry.softness import Softness


class SoftPermuted(SoftWeight):
    """Parametrisation: raw tensor -> even part plus softness times odd part under P.

    Args:
        order: The involution P: entry read for each position along ``dim``.
        softness: A single softness.
        dim: Dimension that P permutes.
    """

    order: Tensor

    def __init__(self, order: Sequence[int] | Tensor, softness: Softness, *, dim: int = 0) -> None:
        super().__init__(softness, ChannelAction.trivial(1))
        self.register_buffer("order", torch.as_tensor(order), persistent=False)
        self.dim = dim

    def twin(self, raw: Tensor) -> Tensor:
        """P w."""
        return raw.index_select(self.dim, self.order)


class SoftShare(OddPath):
    """Parametrisation of a single number: the softness itself, whatever the raw number is.

    For operations that mix their even and odd part while they run. ``fold`` then leaves a plain
    number behind.
    """

    def __init__(self, softness: Softness) -> None:
        super().__init__()
        self.softness = softness

    @property
    def learns_odd_part(self) -> bool:
        """True if the softness is not a constant zero."""
        return not self.softness.is_exact

    def clear(self) -> None:
        """Become strict: what the operation mixes has no odd part to take out."""
        self.softness = Softness().to(self.softness.value.device)

    def forward(self, raw: Tensor) -> Tensor:
        """The softness, a scalar."""
        share = self.softness.value.mean().to(raw.dtype)
        return share.detach() if "softness" in self.frozen else share

    def right_inverse(self, share: Tensor) -> Tensor:
        """The raw number is not used."""
        return share


def share_softness(layer: nn.Module, softness: Softness, like: Tensor) -> None:
    """Give a layer a buffer ``share`` that always equals the softness."""
    layer.register_buffer("share", torch.zeros((), device=like.device, dtype=like.dtype))
    parametrize.register_parametrization(layer, "share", SoftShare(softness.to(like.device)))


def permute_softly(
    layer: nn.Module, name: str, order: Sequence[int] | Tensor, softness: Softness, *, dim: int = 0
) -> None:
    """Attach :class:`SoftPermuted` to a parameter, on the parameter's device."""
    device = getattr(layer, name).device
    attach(layer, name, SoftPermuted(order, softness, dim=dim).to(device))


def flipped_order(
    grid: Sequence[int], axis: Axis, *, last: int = 1, device: torch.device | None = None
) -> Tensor:
    """Positions of a flattened (x, y, z, last) grid after a flip of one axis."""
    shape = torch.Size([*grid, last])
    positions = torch.arange(shape.numel(), device=device).reshape(shape)
    return positions.flip(spatial_dim(axis) + 3).flatten()
