"""Softness that differs between voxels (a map) or between inputs (a gate).

Both are a :class:`~medsym.symmetry.softness.Softness`: values, loading, schedules, penalties and
``harden`` work as for a softness per layer. ``medsym.nn.soft_layers`` has the layer that runs them.
"""

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.softness import Softness


class RegionSoftness(Softness):
    """A softness map a(v), given voxel by voxel or learned on a coarse grid.

    Args:
        value: Softness map (gx, gy, gz) in [0, 1] over the whole field of view; it is interpolated
            linearly to the size of the features, and constant beyond its outer cell centres.
        learned: Train it, as logits; else it is a constant.

    Raises:
        ModelError: MS-221, not a map; MS-210, a value outside [0, 1].

    Example:
        >>> RegionSoftness(torch.full((4, 4, 2), 0.1), learned=True).value.shape
        torch.Size([4, 4, 2])
    """

    varies = True

    def __init__(self, value: Tensor, *, learned: bool = False) -> None:
        nn.Module.__init__(self)
        if value.ndim != 3:
            raise ModelError(
                code="MS-221",
                subject="region softness",
                cause=f"a map of shape {tuple(value.shape)} has no axes x, y, z",
                fix="give a tensor (gx, gy, gz)",
            )
        self._start(value.detach().clone().float(), learned=learned)

    @property
    def uniform(self) -> Tensor | None:
        """The one value (1,) of a constant map; None if it has several."""
        value = self.value
        return value.mean().reshape(1) if bool((value == value.flatten()[0]).all()) else None

    def field(self, volume: Tensor, size: torch.Size) -> Tensor:
        """a(v), (1, 1, x', y', z')."""
        grid = self.value.to(volume.dtype)[None, None]
        if grid.shape[2:] == size:
            return grid
        return F.interpolate(grid, size=size, mode="trilinear", align_corners=False)


class ConditionedSoftness(Softness):
    """A softness a(h) decided by the input: a gate on invariant pooled features.

    ``a = ceiling * sigmoid(g(p))`` with g linear and p the mean over voxels of the features,
    reduced to what the mirror does not change: ``m + R m`` and ``|m - R m|``. So ``a(S h) =
    a(h)`` in exact arithmetic, and a is at most the ceiling for every input.

    Args:
        action: Channel action of the features that it reads, those that enter the layer.
        ceiling: Upper limit of the softness; it is what ``value``, schedules and penalties see.
        learned: Train the ceiling too; the gate always learns.
        num_channels: One softness per output channel; None for a single one.
    """

    varies = True

    def __init__(
        self,
        action: ChannelAction,
        *,
        ceiling: float = 0.5,
        learned: bool = False,
        num_channels: int | None = None,
    ) -> None:
        super().__init__(ceiling, learned=learned, num_channels=num_channels)
        self.action = action
        self.gate = nn.Linear(2 * action.channels, num_channels or 1)
        nn.init.zeros_(self.gate.weight)
        nn.init.zeros_(self.gate.bias)

    @property
    def uniform(self) -> Tensor | None:
        """The softness if the gate is closed or does not look at the input; else None."""
        if self.is_exact:
            return self.value
        if bool(self.gate.weight.any()):
            return None
        return self.value * torch.sigmoid(self.gate.bias)

    def field(self, volume: Tensor, size: torch.Size) -> Tensor:
        """a(h), (b, 1 or c_out, 1, 1, 1)."""
        del size
        mean = volume.mean(dim=(2, 3, 4))
        twin = self.action.apply(mean)
        invariants = torch.cat([mean + twin, (mean - twin).abs()], dim=1)
        share = torch.sigmoid(self.gate(invariants.to(self.gate.weight.dtype)))
        return (self.value * share).to(volume.dtype)[:, :, None, None, None]
