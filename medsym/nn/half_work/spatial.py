"""Depthwise convolution and instance norm of one sample, channels-last, without gradients.

A depthwise convolution on a CPU is several times faster with the channels last. The statistics of
the norm are taken in two passes, chunk by chunk, and added up in float64, so that they are as
exact on large volumes as on small ones.
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn import functional as F

_CHUNK = 1024  # voxels per partial sum


@dataclass(frozen=True, kw_only=True, slots=True)
class Spatial:
    """Weights of the depthwise convolution and of the instance norm behind it.

    Args:
        kernel: (c, 1, k, k, k).
        scale: (c,) of the norm.
        shift: (c,) of the norm.
        eps: Added to the variance.
    """

    kernel: Tensor
    scale: Tensor
    shift: Tensor
    eps: float

    def apply(self, sample: Tensor) -> "Normalised":
        """Convolve and normalise (c, x, y, z)."""
        channels = sample.shape[0]
        last = sample.new_empty((*sample.shape[1:], channels))
        last.view(-1, channels).copy_(sample.reshape(channels, -1).t())
        padding = self.kernel.shape[-1] // 2
        volume = last.unsqueeze(0).permute(0, 4, 1, 2, 3)  # strides that count as channels-last
        output = F.conv3d(volume, self.kernel, padding=padding, groups=channels)
        rows = output.squeeze(0).permute(1, 2, 3, 0).reshape(-1, channels)
        rows, variance = _centred(rows)
        scale = self.scale * (variance + self.eps).rsqrt().to(rows.dtype)
        return Normalised(rows=rows, scale=scale, shift=self.shift)


@dataclass(frozen=True, kw_only=True, slots=True)
class Normalised:
    """Features whose scale and shift are still to be applied.

    Args:
        rows: (voxels, c), mean 0; channels in quarters of trivial, sign, trivial, sign type.
        scale: (c,).
        shift: (c,).
    """

    rows: Tensor
    scale: Tensor
    shift: Tensor

    def typed(self, start: int, size: int) -> Tensor:
        """``size`` voxels from ``start`` on, (2, c / 2, size), the first dimension the type."""
        quarter = self.rows.shape[1] // 4
        typed = self.rows.new_empty((2, size, 2 * quarter))
        rows = self.rows.narrow(0, start, size).split(quarter, dim=1)
        scale, shift = self.scale.split(quarter), self.shift.split(quarter)
        for index in range(4):
            target = typed[index % 2].narrow(1, index // 2 * quarter, quarter)
            torch.addcmul(shift[index], rows[index], scale[index], out=target)
        return typed.transpose(1, 2)


def _centred(rows: Tensor) -> tuple[Tensor, Tensor]:
    """(rows minus their mean, in place; variance in float64), over the voxels."""
    total = torch.zeros(rows.shape[1], dtype=torch.float64)
    for part in rows.split(_CHUNK):
        total += _column_sums(part)
    mean = (total / rows.shape[0]).to(rows.dtype)
    squares = torch.zeros_like(total)
    for part in rows.split(_CHUNK):
        squares += _column_sums(part.sub_(mean).square())
    return rows, squares / rows.shape[0]


def _column_sums(rows: Tensor) -> Tensor:
    return torch.mv(rows.t(), rows.new_ones(rows.shape[0]))
