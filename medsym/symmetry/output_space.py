"""Output-space softness: an exact guarantee for any network, by two passes.

Any function splits into ``even(x) = (f(x) + S f(S x)) / 2`` and ``odd(x) = (f(x) - S f(S x)) /
2``. Keeping the even part and limiting the odd part to a tolerance t gives a network whose defect
is known exactly: ``E(x) = -2 S[limited odd](x)``. At tolerance 0 this is mirror test-time
averaging; an infinite tolerance is the network itself. Projecting outputs instead of weights keeps
a trained network's accuracy, so this is the way to retrofit a network that is not trained again.
"""

import math
from collections.abc import Callable, Iterable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parts import split_function


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftOutput:
    """Output of a softly equivariant network with what is known about its defect.

    Attributes:
        value: even + limited odd, (b, c, x, y, z), or (b, c) where the network says that.
        defect: E(x) = f(S x) - S f(x), exact up to rounding; same shape.
        bound: At least |E| as computed in this precision, for every odd part: 2 S t and the
            rounding of the sums; same shape.
    """

    value: Tensor
    defect: Tensor
    bound: Tensor


class SoftEquivariant(nn.Module):
    """Wraps any network: its even part plus its odd part limited to a tolerance.

    The guarantee needs a network that gives the same output for the same input (evaluation mode,
    deterministic kernels) and does not compare the samples of a batch.

    Args:
        network: Maps (b, c, x, y, z) to (b, c', x', y', z') or to (b, c').
        tolerance: t >= 0 in units of the output, a number or one per output channel; channels
            that the mirror swaps use the larger of their two. 0 is exact equivariance.
        learned: Train the tolerance (through a softplus, so it stays positive).
        action_in: Channel action on the input; None is trivial along x.
        action_out: Channel action on the output; None is trivial along x.

    Raises:
        ModelError: MS-207, a tolerance that is not >= 0, or is learned and starts at 0; at run
            time, another number of channels.
        GridError: MS-209, at run time, a network in 2D.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        tolerance: float | Tensor = 0.0,
        learned: bool = False,
        action_in: ChannelAction | None = None,
        action_out: ChannelAction | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.action_in, self.action_out = action_in, action_out
        start = torch.as_tensor(tolerance, dtype=torch.float32).reshape(-1)
        if not bool((start >= 0.0).all()) or (learned and not bool((start > 0.0).all())):
            raise ModelError(
                code="MS-207",
                subject="tolerance",
                cause=f"{tolerance} is negative or no number, or is learned and starts at 0",
                fix="use a tolerance >= 0, and > 0 if it is learned",
            )
        self.learned = learned
        if learned:
            self.raw_tolerance = nn.Parameter(start + torch.log(-torch.expm1(-start)))
        else:
            self.register_buffer("constant_tolerance", start)

    @property
    def tolerance(self) -> Tensor:
        """t: (1,) or (c',), the same on channels that the mirror swaps."""
        values = (
            F.softplus(self.raw_tolerance)
            if self.learned
            else self.get_buffer("constant_tolerance")
        )
        if values.numel() > 1 and self.action_out is not None:
            return torch.maximum(values, self.action_out.apply(values, dim=0, signed=False))
        return values

    def forward(self, volume: Tensor) -> SoftOutput:
        """Two passes of the network; see the class for the shapes."""
        even, odd = split_function(
            self.network, volume, action_in=self.action_in, action_out=self.action_out
        )
        tolerance = self.tolerance
        if tolerance.numel() not in (1, odd.shape[1]):
            raise ModelError(
                code="MS-207",
                subject="tolerance",
                cause=f"{tolerance.numel()} tolerances for {odd.shape[1]} output channels",
                fix="give one number, or one per output channel",
            )
        limit = tolerance.to(odd.dtype).reshape(1, -1, *(1,) * (odd.ndim - 2))
        limited = torch.maximum(torch.minimum(odd, limit), -limit)
        return SoftOutput(
            value=even + limited,
            defect=-2.0 * mirror(limited, self.action_out),
            bound=_bound(even.detach(), limit, self.action_out),
        )


def _bound(even: Tensor, limit: Tensor, action: ChannelAction | None) -> Tensor:
    """2 t and the rounding of ``even + odd``, ``even - odd`` and their difference.

    Each of the three sums is off by at most u times its size, u = eps / 2; the sizes are at most
    ``|even| + t``, ``|even| + t`` and ``2 t`` plus rounding, so ``2 eps (|even| + t)`` covers them.
    The smallest normal number covers underflow.
    """
    numbers = torch.finfo(even.dtype)
    bound = 2.0 * limit + 2.0 * numbers.eps * (even.abs() + limit) + numbers.tiny
    return mirror(bound, action).abs()


def tolerance_for(
    network: Callable[[Tensor], Any],
    volumes: Iterable[Tensor],
    *,
    share: float = 0.99,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
) -> Tensor:
    """Tolerance per output channel that leaves the odd part alone in a share of the voxels.

    Args:
        network: A trained network, in evaluation mode.
        volumes: Inputs (b, c, x, y, z) like those that it will see.
        share: Of voxels whose odd part stays as it is, in (0, 1]; 1 is the largest odd part seen.
        action_in: Channel action on the input; None is trivial along x.
        action_out: Channel action on the output; None is trivial along x.

    Returns:
        (c',) quantiles of |odd(x)|, in units of the output.

    Raises:
        ModelError: No volume; a share outside (0, 1].
    """
    odds = []
    with torch.no_grad():
        for volume in volumes:
            _, odd = split_function(network, volume, action_in=action_in, action_out=action_out)
            odds.append(odd.abs().transpose(0, 1).flatten(1))
    if not odds or not 0.0 < share <= 1.0:
        raise ModelError(
            code="MS-208",
            subject="tolerance_for",
            cause=f"{len(odds)} volumes and a share of {share} give no tolerance",
            fix="give at least one volume and a share in (0, 1]",
        )
    sizes = torch.cat(odds, dim=1).sort(dim=1).values
    return sizes[:, math.ceil(share * sizes.shape[1]) - 1].clone()
