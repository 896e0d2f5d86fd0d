"""Output-space softness: an exact guarantee for any network, by two passes.

Any function splits into ``even(x) = (f(x) + S f(S x)) / 2`` and ``odd(x) = (f(x) - S f(S x)) /
2``. Keeping the even part and limiting the odd part to a tolerance gives a network whose defect
is known exactly: ``E(x) = -2 S[limited odd](x)``. At tolerance 0 this is mirror test-time
averaging; projecting outputs instead of weights keeps a trained network's accuracy.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parts import split_function


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftOutput:
    """Output of a softly equivariant network with what is known about its defect.

    Attributes:
        value: even + limited odd, (b, c, x, y, z).
        defect: E(x) = f(S x) - S f(x), exact up to rounding.
        bound: 2 S t, the largest |E| that the tolerance allows.
    """

    value: Tensor
    defect: Tensor
    bound: Tensor


class SoftEquivariant(nn.Module):
    """Wraps any network: its even part plus its odd part limited to a tolerance.

    Args:
        network: Maps (b, c, x, y, z) to (b, c', x, y, z).
        tolerance: t >= 0 in units of the output; 0 is exact equivariance.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        tolerance: float = 0.0,
        action_in: ChannelAction | None = None,
        action_out: ChannelAction | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.action_in, self.action_out = action_in, action_out
        self.register_buffer("tolerance", torch.tensor(float(tolerance)))

    def forward(self, volume: Tensor) -> SoftOutput:
        """Two passes of the network; see the class for the shapes."""
        even, odd = split_function(
            self.network, volume, action_in=self.action_in, action_out=self.action_out
        )
        tolerance = self.get_buffer("tolerance").to(odd.dtype)
        limited = torch.clamp(odd, -tolerance, tolerance)
        return SoftOutput(
            value=even + limited,
            defect=-2.0 * mirror(limited, self.action_out),
            bound=torch.full_like(limited, 2.0) * tolerance,
        )
