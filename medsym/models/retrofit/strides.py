"""Strided layers that keep the mirror without changing their function.

On an even size, a kernel 3, stride 2, padding 1 reads ``[w0 w1 w2]`` at 0, 2, 4 ... and leaves
the last padded voxel unread: one-sided, so no choice of weights makes it symmetric (141 % defect
on noise). The same function written with a zero tap, ``[w0 w1 w2 0]``, has windows that tile
the padded size exactly, so the mirror maps windows onto windows and the even part of *this*
kernel is the Reynolds projection of the operator. In general the kernel of span k (dilation
included) grows by the ``(n + 2 p - k) % stride`` voxels that no window reads, on sizes n that the
stride divides. A transposed convolution grows by its output_padding, which is the same thing seen
from the output.
"""

import torch
from torch import nn

from medsym.symmetry.mirror import Axis, spatial_dim

Convolution = nn.Conv3d | nn.ConvTranspose3d


def axis_index(axis: Axis) -> int:
    """0, 1, 2 for x, y, z: position in kernel_size, stride and padding."""
    return spatial_dim(axis) + 3


def padding_of(layer: Convolution, axis: Axis) -> int | None:
    """Padding on either side; None if the two sides differ (an even kernel padded to "same")."""
    index = axis_index(axis)
    if layer.padding == "valid":
        return 0
    if layer.padding == "same":
        total = layer.dilation[index] * (layer.kernel_size[index] - 1)
        return None if total % 2 else total // 2
    return int(layer.padding[index])


def missing_taps(layer: Convolution, axis: Axis) -> int | None:
    """Taps that the kernel has to grow by along the axis; None if no number works."""
    index = axis_index(axis)
    stride, dilation = layer.stride[index], layer.dilation[index]
    if isinstance(layer, nn.ConvTranspose3d):
        unread = layer.output_padding[index]
    else:
        padding = padding_of(layer, axis)
        if padding is None:
            return None
        unread = (2 * padding - dilation * (layer.kernel_size[index] - 1) - 1) % stride
    taps, rest = divmod(unread, dilation)
    return None if rest else taps


def grow_kernel(layer: Convolution, axis: Axis, taps: int, *, in_front: bool = False) -> None:
    """Write the layer with ``taps`` more zero taps, in place; same function.

    Args:
        layer: A convolution, plain or transposed; the latter loses as much output_padding.
        axis: The axis to grow along.
        taps: How many.
        in_front: Put them first: moves the output by ``taps`` voxels (of a transposed layer).
    """
    index = axis_index(axis)
    weight = layer.weight
    shape = list(weight.shape)
    shape[2 + index] = taps
    zeros = torch.zeros(shape, dtype=weight.dtype, device=weight.device)
    parts = [zeros, weight.detach()] if in_front else [weight.detach(), zeros]
    layer.weight = nn.Parameter(torch.cat(parts, 2 + index), requires_grad=weight.requires_grad)
    layer.kernel_size = _changed(layer.kernel_size, index, layer.kernel_size[index] + taps)
    if isinstance(layer, nn.ConvTranspose3d):
        left = max(layer.output_padding[index] - taps * layer.dilation[index], 0)
        layer.output_padding = _changed(tuple(layer.output_padding), index, left)


def _changed(values: tuple[int, ...], index: int, value: int) -> tuple[int, int, int]:
    entries = [value if i == index else v for i, v in enumerate(values)]
    return entries[0], entries[1], entries[2]
