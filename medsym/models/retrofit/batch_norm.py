"""Batch norm whose running statistics follow the mirror.

In training, batch norm uses the statistics of the batch, which the mirror permutes with the
channels. The running statistics that it uses in evaluation do not know of the mirror: on
channels that swap they make a 21 % defect even if scale and shift are tied. New networks use
``medsym.nn.MirrorBatchNorm3d``, whose statistics cannot come apart; here the function of a trained
network has to stay what it is at softness 1.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.models.retrofit.soft_tensors import share_softness
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import SoftVector, attach
from medsym.symmetry.parts import split_vector
from medsym.symmetry.softness import Softness


class SoftStatisticsBatchNorm3d(nn.BatchNorm3d):
    """Batch norm that reads its running statistics as even part + softness times odd part.

    Made from a plain one by :func:`soften_batch_norm`; the buffers keep what training wrote. The
    variance is about the mean that is used, so at softness 0 the statistics are those of the data
    together with their mirror images (:func:`medsym.nn.soft_norms.tie_running_statistics`).

    Attributes:
        action: Channel action on input and output.
        share: The softness, a number.
    """

    action: ChannelAction
    share: Tensor

    def forward(self, volume: Tensor) -> Tensor:
        """(b, c, x, y, z) -> the same shape."""
        if self.training or self.running_mean is None or self.running_var is None:
            return super().forward(volume)
        mean, mean_odd = split_vector(self.running_mean, self.action)
        variance, variance_odd = split_vector(self.running_var, self.action, signed=False)
        apart = (1.0 - self.share) * mean_odd  # what the even mean leaves to the variance
        mean = mean + self.share * mean_odd
        variance = variance + self.share * variance_odd + apart.square()
        if mean.requires_grad:  # torch's batch norm has no gradient for its statistics
            shape = (1, -1, 1, 1, 1)
            scale = torch.rsqrt(variance + self.eps).reshape(shape)
            normalised = (volume - mean.reshape(shape)) * scale
            if not self.affine:
                return normalised
            return normalised * self.weight.reshape(shape) + self.bias.reshape(shape)
        return F.batch_norm(
            volume, mean, variance, self.weight, self.bias, training=False, eps=self.eps
        )


def soften_batch_norm(layer: nn.BatchNorm3d, action: ChannelAction, softness: Softness) -> None:
    """Turn a plain batch norm into a :class:`SoftStatisticsBatchNorm3d`, in place."""
    layer.__class__ = SoftStatisticsBatchNorm3d
    mirrored = cast("SoftStatisticsBatchNorm3d", layer)
    mirrored.action = action
    if layer.running_mean is not None:
        share_softness(layer, softness, layer.running_mean)
    soften_affine(layer, action, softness)


def soften_affine(layer: nn.Module, action: ChannelAction, softness: Softness) -> None:
    """Tie scale and shift of a norm under the action, in place."""
    if isinstance(getattr(layer, "weight", None), Tensor):
        softness.to(cast("Tensor", layer.weight).device)
        attach(layer, "weight", SoftVector(action, softness, signed=False))
        attach(layer, "bias", SoftVector(action, softness))
