"""Layers whose behaviour under a whole group of grid symmetries is exact at softness 0."""

from medsym.nn.groups.attention import GroupAttention
from medsym.nn.groups.degree import GroupDegree
from medsym.nn.groups.layers import (
    GroupConv3d,
    GroupInstanceNorm3d,
    GroupUpsample,
    group_activation,
    group_downsample,
)

__all__ = [
    "GroupAttention",
    "GroupConv3d",
    "GroupDegree",
    "GroupInstanceNorm3d",
    "GroupUpsample",
    "group_activation",
    "group_downsample",
]
