"""The soft head: reads an even part, an odd part and a tolerance off equivariant features."""

from dataclasses import dataclass

from torch import Tensor, nn
from torch.nn import functional as F

from medsym.nn.layers import MirrorConv3d, activation
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import parametrisation
from medsym.symmetry.soft_head import soft_odd
from medsym.symmetry.soft_weight import OddPath

_TOLERANCE_START = -3.0  # softplus(-3) = 0.05: a nearly exact network before training


@dataclass(frozen=True, kw_only=True, slots=True)
class HeadOutput:
    """What a soft head says; all (b, c, x, y, z) in the units of the output.

    Attributes:
        even: The exactly equivariant part e.
        odd: The limited odd part ``t tanh(o)``.
        tolerance: t >= 0; the defect of ``value`` is at most 2 S t for every input.
    """

    even: Tensor
    odd: Tensor
    tolerance: Tensor

    @property
    def value(self) -> Tensor:
        """The output: e + t tanh(o)."""
        return self.even + self.odd


class SoftHead(OddPath):
    """Equivariant features -> even + tolerance * tanh(odd).

    Args:
        action_in: Channel action of the features, a permutation.
        action_out: Channel action of the output.
        hidden: Channel action of one hidden 3x3x3 layer; a bare 1x1x1 head is weak on
            lateralised tasks.
        bias: Initial value of the even part, for example the log-odds of a rare class.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        hidden: ChannelAction,
        bias: float = 0.0,
    ) -> None:
        super().__init__()
        twisted = action_out.twisted()
        self.hidden = nn.Sequential(MirrorConv3d(action_in, hidden), activation(hidden))
        self.even = MirrorConv3d(hidden, action_out, kernel_size=1)
        self.odd = MirrorConv3d(hidden, twisted, kernel_size=1)
        self.tolerance = MirrorConv3d(hidden, action_out.unsigned(), kernel_size=1)
        for layer, start in ((self.even, bias), (self.tolerance, _TOLERANCE_START)):
            if layer.bias is not None:
                nn.init.constant_(parametrisation(layer, "bias")[1], start)

    def forward(self, features: Tensor) -> HeadOutput:
        """(b, c, x, y, z) features to the three parts of the output."""
        hidden = self.hidden(features)
        tolerance = F.softplus(self.tolerance(hidden))
        odd = soft_odd(self.odd(hidden), tolerance)
        if "odd" in self.frozen:
            odd, tolerance = odd.detach(), tolerance.detach()
        return HeadOutput(even=self.even(hidden), odd=odd, tolerance=tolerance)
