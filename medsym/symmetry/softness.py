"""Softness: how far a weight may leave the equivariant subspace.

``W_a = W_even + a W_odd`` with softness a in [0, 1]: 0 is exact, 1 is the free weight. For one
mirror every soft-equivariance construction is this family (tunable softness, arXiv 2603.26657;
residual pathway priors, arXiv 2112.01388; ACE, arXiv 2505.13631). The defect of one layer is
exactly ``f_a(S x) - S f_a(x) = -2 a S W_odd x``.
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction

_LOGIT_LIMIT = 1e-4


class Softness(nn.Module):
    """A softness in [0, 1], fixed or learned, one per layer or one per output channel.

    Args:
        value: Initial softness.
        learned: Train it (as a logit, so it stays inside (0, 1)); else it is a constant.
        num_channels: One softness per output channel; None for a single one. Channels that the
            mirror swaps use the mean of their two values.
    """

    def __init__(
        self, value: float = 0.0, *, learned: bool = False, num_channels: int | None = None
    ) -> None:
        super().__init__()
        if not 0.0 <= value <= 1.0:
            raise ModelError(
                code="MS-210",
                subject="softness",
                cause=f"{value} lies outside [0, 1]",
                fix="use 0 for exact symmetry, 1 for a free weight, or a number between",
            )
        self.learned = learned
        size = num_channels or 1
        if learned:
            clipped = min(max(value, _LOGIT_LIMIT), 1.0 - _LOGIT_LIMIT)
            start = torch.logit(torch.tensor(clipped, dtype=torch.float64)).item()
            self.logit = nn.Parameter(torch.full((size,), start))
        else:
            self.register_buffer("constant", torch.full((size,), float(value)))

    @property
    def value(self) -> Tensor:
        """Softness (1,) or (channels,), each in [0, 1]."""
        return torch.sigmoid(self.logit) if self.learned else self.get_buffer("constant")

    @property
    def is_exact(self) -> bool:
        """True if the softness is a constant zero: the odd part is then not computed at all."""
        return not self.learned and not bool(self.get_buffer("constant").any())

    def on(self, tensor: Tensor, action_out: ChannelAction, *, dim: int) -> Tensor:
        """The softness shaped to multiply ``tensor`` along its output-channel dimension."""
        value = self.value.to(tensor.dtype)
        if value.numel() > 1:
            value = (value + action_out.apply(value, dim=0, signed=False)) / 2
        shape = [1] * tensor.ndim
        shape[dim] = value.numel()
        return value.reshape(shape)

    def harden(self) -> None:
        """Become a constant zero."""
        if self.learned:
            size = self.logit.numel()
            device = self.logit.device
            del self.logit
            self.learned = False
            self.register_buffer("constant", torch.zeros(size, device=device))
        else:
            self.get_buffer("constant").zero_()
