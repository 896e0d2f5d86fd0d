"""Norms that keep the mirror, whose odd part is soft: statistics, scale and shift by channel type.

A norm is ``y = g n(h) + b`` with n the normalisation. n commutes with S if its statistics do:
channels that change sign must not be averaged with others (mixed, a group norm is off by 6 % and
a layer norm by 56 %), and running statistics must be tied (untied, they are off by 21 %). Scale
and shift are then all that is soft, ``g_even + a g_odd`` and ``b_even + a b_odd``; on a sign
channel the shift has an odd part only. The exact defect is ``E(h) = 2 a (g_odd S n(h) + b_odd)``.
"""

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction, mirror
from medsym.symmetry.parametrisation import SoftWeight, attach, parametrisation
from medsym.symmetry.soft_weight import SoftVector
from medsym.symmetry.softness import Softness


class _MirrorNorm(nn.Module):
    """Scale and shift that carry the mirror, around a normalisation that commutes with it."""

    def __init__(
        self, action: ChannelAction, *, softness: Softness | None = None, eps: float = 1e-5
    ) -> None:
        super().__init__()
        self.action_in = self.action_out = action
        self.eps = eps
        self.weight = nn.Parameter(torch.ones(action.channels))
        self.bias = nn.Parameter(torch.zeros(action.channels))
        shared = Softness() if softness is None else softness
        attach(self, "weight", SoftVector(action, shared, signed=False))
        attach(self, "bias", SoftVector(action, shared))

    def normalise(self, volume: Tensor) -> Tensor:
        """n(h), without scale and shift."""
        raise NotImplementedError

    def forward(self, volume: Tensor) -> Tensor:
        """(b, c, x, y, z), same shape."""
        return self.normalise(volume) * _by_channel(self.weight) + _by_channel(self.bias)

    def defect(self, volume: Tensor) -> Tensor:
        """E(h) = y(S h) - S y(h) from scale and shift, exact up to rounding; same shape."""
        scale, shift = (self._odd_part(name) for name in ("weight", "bias"))
        turned = mirror(self.normalise(volume), self.action_in)
        return 2.0 * (_by_channel(scale) * turned + _by_channel(shift))

    def _odd_part(self, name: str) -> Tensor:
        weight, raw = parametrisation(self, name)
        assert isinstance(weight, SoftWeight)
        return weight.parts(raw)[1]


class MirrorLayerNorm3d(_MirrorNorm):
    """Layer norm over channels with a mean per channel type and one variance.

    Trivial, regular and label channels share a mean, sign channels have their own; the variance
    about these means is joint. ``LayerNorm2v2`` of Boekman, Nordstroem, Kahl, "Flopping for
    FLOPs" (arXiv 2502.05169), here for any action and with a soft odd part.

    Args:
        action: Channel action on input and output.
        whole_volume: Statistics over channels and voxels (a group norm of one group); else voxel
            by voxel.
        softness: Of scale and shift; None is exact.
        eps: Added to the variance.
    """

    def __init__(
        self,
        action: ChannelAction,
        *,
        whole_volume: bool = False,
        softness: Softness | None = None,
        eps: float = 1e-5,
    ) -> None:
        super().__init__(action, softness=softness, eps=eps)
        self.dims = (1, 2, 3, 4) if whole_volume else (1,)
        signs = torch.tensor(action.signs)
        self.register_buffer("types", torch.stack([signs > 0, signs < 0]).float(), persistent=False)

    def normalise(self, volume: Tensor) -> Tensor:
        """n(h): each type around its own mean, all divided by one standard deviation."""
        types = self.get_buffer("types").to(volume.dtype)
        voxels = self.dims[1:]  # a mean and no sum, which half precision cannot hold
        means = volume.mean(dim=voxels, keepdim=True) if voxels else volume
        shares = types / types.sum(dim=1, keepdim=True).clamp_min(1.0)
        averages = torch.einsum("tc,bcxyz->btxyz", shares, means)
        centred = volume - torch.einsum("tc,btxyz->bcxyz", types, averages)
        variance = centred.square().mean(dim=self.dims, keepdim=True)
        return centred * torch.rsqrt(variance + self.eps)


class MirrorBatchNorm3d(_MirrorNorm):
    """Batch norm with the statistics of the batch together with its mirror image.

    These are tied by construction: swapped channels share mean and variance, sign channels have
    mean 0, in training as in evaluation, and the running statistics stay tied.

    Args:
        action: Channel action on input and output.
        softness: Of scale and shift; None is exact.
        eps: Added to the variance.
        momentum: Share of the newest batch in the running statistics.
    """

    def __init__(
        self,
        action: ChannelAction,
        *,
        softness: Softness | None = None,
        eps: float = 1e-5,
        momentum: float = 0.1,
    ) -> None:
        super().__init__(action, softness=softness, eps=eps)
        self.momentum = momentum
        self.register_buffer("running_mean", torch.zeros(action.channels))
        self.register_buffer("running_var", torch.ones(action.channels))

    def normalise(self, volume: Tensor) -> Tensor:
        """n(h); in training mode the running statistics follow."""
        if self.training:
            mean, variance = self._statistics(volume)
        else:
            mean, variance = self.get_buffer("running_mean"), self.get_buffer("running_var")
        scale = _by_channel(torch.rsqrt(variance + self.eps))
        return (volume - _by_channel(mean)) * scale

    def _statistics(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """Mean and variance over batch and mirrored batch; updates the running ones."""
        variance, mean = torch.var_mean(volume, dim=(0, 2, 3, 4), correction=0)
        tied_mean = (mean + self.action_in.apply(mean, dim=0)) / 2
        square = variance + (mean - tied_mean).square()
        tied_variance = (square + self.action_in.apply(square, dim=0, signed=False)) / 2
        count = volume.numel() / volume.shape[1]
        with torch.no_grad():
            unbiased = tied_variance * (count / max(count - 1.0, 1.0))
            for name, newest in (("running_mean", tied_mean), ("running_var", unbiased)):
                running = self.get_buffer(name)
                running.lerp_(newest.to(running.dtype), self.momentum)
        return tied_mean, tied_variance


@torch.no_grad()
def tie_running_statistics(norm: nn.BatchNorm3d, action: ChannelAction) -> nn.BatchNorm3d:
    """Make the running statistics of an ordinary batch norm mirror-safe, in place.

    They become those of the same data together with their mirror images. Training moves them
    apart again: replace the layer by :class:`MirrorBatchNorm3d` if it is trained further.

    Args:
        norm: A batch norm with running statistics.
        action: Channel action on its input.

    Raises:
        ModelError: MS-230, it keeps no running statistics.
    """
    mean, variance = norm.running_mean, norm.running_var
    if mean is None or variance is None:
        raise ModelError(
            code="MS-230",
            subject=type(norm).__name__,
            cause="it keeps no running statistics",
            fix="leave it as it is: statistics of the batch keep the mirror",
        )
    tied = (mean + action.apply(mean, dim=0)) / 2
    square = variance + (mean - tied).square()
    variance.copy_((square + action.apply(square, dim=0, signed=False)) / 2)
    mean.copy_(tied)
    return norm


def _by_channel(values: Tensor) -> Tensor:
    return values.reshape(1, -1, 1, 1, 1)
