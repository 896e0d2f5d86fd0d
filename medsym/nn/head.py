"""The soft head: reads an even part, an odd part and a tolerance off equivariant features."""

import math
from dataclasses import dataclass

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.nn.layers import MirrorConv3d, activation
from medsym.symmetry.mirror import Axis, ChannelAction, spatial_dim
from medsym.symmetry.parametrisation import parametrisation
from medsym.symmetry.soft_head import soft_odd
from medsym.symmetry.soft_weight import OddPath
from medsym.symmetry.softness import Softness


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

    The odd part can be read off the features alone, or also be told on which side it is: with a
    ``side_width`` it is ``o = o_1(h) + s u(h)``, where u has the type of the output and s is -1 on
    one side of the mid-plane and +1 on the other. s changes sign under the mirror, so o keeps its
    type and the guarantee holds as it is; what is normal on the left alone then takes a head that
    sees it and its side, not features that have found out where left is. The odd part starts at 0:
    an untrained head is exactly equivariant, and learns to be soft because t does not start at 0.

    Args:
        action_in: Channel action of the features, a permutation.
        action_out: Channel action of the output.
        hidden: Channel action of one hidden 3x3x3 layer; a bare 1x1x1 head is weak on
            lateralised tasks.
        bias: Initial value of the even part, for example the log-odds of a rare class.
        tolerance: Initial tolerance before features contribute, > 0; small is nearly exact.
        side_width: Voxels from the mid-plane at which s has reached 0.76; None leaves s out. The
            mid-plane is the middle of the volume.
        softness: Of the hidden layer and the even part; None is exact, and anything else gives up
            the guarantee: it is there for networks to compare with.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        hidden: ChannelAction,
        bias: float = 0.0,
        tolerance: float = 0.05,
        side_width: float | None = None,
        softness: Softness | None = None,
    ) -> None:
        super().__init__()
        self.action_out, self.side_width = action_out, side_width
        self.hidden = nn.Sequential(
            MirrorConv3d(action_in, hidden, softness=softness), activation(hidden)
        )
        self.even = MirrorConv3d(hidden, action_out, kernel_size=1, softness=softness)
        self.odd = MirrorConv3d(hidden, action_out.twisted(), kernel_size=1)
        self.tolerance = MirrorConv3d(hidden, action_out.unsigned(), kernel_size=1)
        starts = [(self.even, bias), (self.tolerance, math.log(math.expm1(tolerance)))]
        odd = [self.odd]
        if side_width is not None:
            self.sided = MirrorConv3d(hidden, action_out, kernel_size=1)
            odd.append(self.sided)
        for layer, start in starts:
            nn.init.constant_(parametrisation(layer, "bias")[1], start)
        for layer in odd:  # the relaxation morphism: soft from the start, and strict as yet
            for name in ("weight", "bias"):
                nn.init.zeros_(parametrisation(layer, name)[1])

    def forward(self, features: Tensor) -> HeadOutput:
        """(b, c, x, y, z) features to the three parts of the output."""
        hidden = self.hidden(features)
        tolerance = F.softplus(self.tolerance(hidden))
        odd = self.odd(hidden)
        if self.side_width is not None:
            odd = odd + side_of(odd, self.action_out.axis, self.side_width) * self.sided(hidden)
        limited = soft_odd(odd, tolerance)
        if "odd" in self.frozen:
            limited, tolerance = limited.detach(), tolerance.detach()
        return HeadOutput(even=self.even(hidden), odd=limited, tolerance=tolerance)


def side_of(volume: Tensor, axis: Axis, width: float) -> Tensor:
    """tanh(distance from the mid-plane / width), in voxels; negative at low indices.

    Args:
        volume: (b, c, x, y, z); only its size along the axis and its type matter.
        axis: The axis that the mirror flips; along x the patient's left is negative.
        width: Voxels.

    Returns:
        Broadcastable against the volume, exactly odd: ``flip(s) == -s``.
    """
    dim = spatial_dim(axis) + volume.ndim
    size = volume.shape[dim]
    half = torch.arange(size // 2, device=volume.device, dtype=torch.float32) + 0.5 * (1 + size % 2)
    right = torch.tanh(half / width)
    middle = right.new_zeros(size % 2)
    shape = [1] * volume.ndim
    shape[dim] = size
    return torch.cat([-right.flip(0), middle, right]).reshape(shape).to(volume.dtype)
