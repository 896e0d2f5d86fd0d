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
from medsym.nn.soft_layers import VaryingConv3d, vary
from medsym.nn.soft_norms import MirrorBatchNorm3d, MirrorLayerNorm3d, tie_running_statistics
from medsym.nn.varying_softness import ConditionedSoftness, RegionSoftness

__all__ = [
    "ConditionedSoftness",
    "ContralateralExchange",
    "HeadOutput",
    "MirrorBatchNorm3d",
    "MirrorConv3d",
    "MirrorInstanceNorm3d",
    "MirrorLayerNorm3d",
    "MirrorUpsample",
    "RegionSoftness",
    "SoftHead",
    "VaryingConv3d",
    "activation",
    "downsample",
    "tie_running_statistics",
    "vary",
]
