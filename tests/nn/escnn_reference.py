"""Steerable convolutions built by escnn: the independent reference for this package's layers.

escnn builds a mirror-equivariant filter from a basis of steerable kernels (Cesa, Lang, Weiler,
ICLR 2022), this package by projecting an ordinary filter. The tests load escnn's filter into our
layer and compare; training uses our layer, whose filter space is the complete equivariant one.
"""

from collections.abc import Callable
from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.nn.representations import Fields, escnn, mirror_space, representations_of


@dataclass(frozen=True, kw_only=True, slots=True)
class ReferenceConv:
    """One escnn convolution, as dense tensors and as a callable.

    Args:
        weight: Expanded filter, (c_out, c_in, k, k, k).
        bias: Expanded bias, (c_out,); zero on sign channels.
        apply: escnn's own layer, (b, c_in, x, y, z) -> (b, c_out, x, y, z), zero padding k // 2.
    """

    weight: Tensor
    bias: Tensor
    apply: Callable[[Tensor], Tensor]


def reference_conv(
    incoming: Fields, *, outgoing: Fields, kernel_size: int = 3, seed: int = 0
) -> ReferenceConv:
    """Build an escnn ``R3Conv`` whose mirror flips the first spatial axis, with random weights.

    Args:
        incoming: Fields of the input channels.
        outgoing: Fields of the output channels.
        kernel_size: Odd filter size in voxels, the same along x, y and z.
        seed: Seed of weights and bias; the global random state is left as it was.

    Returns:
        The layer's filter and bias, and the layer itself.

    Example:
        >>> reference_conv(Fields(trivial=1), outgoing=Fields(regular=2)).weight.shape
        torch.Size([4, 1, 3, 3, 3])
    """
    space = mirror_space()
    in_type = escnn.nn.FieldType(space, representations_of(incoming))
    out_type = escnn.nn.FieldType(space, representations_of(outgoing))
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        layer = escnn.nn.R3Conv(in_type, out_type, kernel_size, padding=kernel_size // 2)
        if layer.bias is not None:
            torch.nn.init.normal_(layer.bias)
    layer.eval()
    with torch.no_grad():
        weight, bias = layer.expand_parameters()
    dense_bias = torch.zeros(weight.shape[0]) if bias is None else bias.detach().clone()

    def apply(features: Tensor) -> Tensor:
        with torch.no_grad():
            output: Tensor = layer(in_type(features)).tensor
        return output

    return ReferenceConv(weight=weight.detach().clone(), bias=dense_bias, apply=apply)
