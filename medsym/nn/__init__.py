"""Layers whose mirror behaviour is exact at softness 0 and bounded above it."""

from medsym.nn.exchange import ContralateralExchange
from medsym.nn.head import HeadOutput, SoftHead
from medsym.nn.layers import (
    MirrorConv3d,
    MirrorInstanceNorm3d,
    MirrorUpsample,
    activation,
    downsample,
)

__all__ = [
    "ContralateralExchange",
    "HeadOutput",
    "MirrorConv3d",
    "MirrorInstanceNorm3d",
    "MirrorUpsample",
    "SoftHead",
    "activation",
    "downsample",
]
