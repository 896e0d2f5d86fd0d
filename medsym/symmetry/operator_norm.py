r"""Rigorous 2-norms of zero-padded convolutions, valid for every image size and never too small.

A zero-padded convolution is a compression of the convolution on the infinite grid, so its norm is
at most the supremum of the symbol (``medsym.symmetry.symbol_norm``), and close to it on all but
the smallest images. A strided convolution is the stride-1 convolution of its polyphase components
(kernel = stride: one matrix, exact); a transposed one is the adjoint of a convolution and has the
same norm; dilation at stride 1 rescales the frequencies and leaves the supremum alone.

Not bounds, though often used as such: power iteration (a lower bound), the FFT on the image size
(Sedghi et al., arXiv 1805.10408: the periodic operator is another one) or on the kernel size.
"""

import math
from collections.abc import Sequence

import torch
from torch import Tensor

from medsym.symmetry.symbol_norm import kernel_bounds, largest_singular, rounded_up


def conv_norm(
    weight: Tensor,
    *,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
    precision: float | None = None,
) -> float:
    """Upper bound on the 2-norm of a zero-padded convolution, for every image size and padding.

    It holds for the transposed convolution with the same weight too: that is its adjoint, adjoints
    have equal norms, and output padding only adds zeros.

    Args:
        weight: (out, in / groups, *kernel) with any number of spatial axes, also none.
        stride: Per axis or shared.
        dilation: Per axis or shared.
        groups: The operator is block diagonal; its norm is the largest of the blocks.
        precision: Refine until the bound is within this share of the supremum over all sizes;
            None takes 2 % up to 16 channels and 7 % above. Very wide layers stop earlier (see
            ``kernel_bounds``).

    Returns:
        The bound, with the rounding of its own computation included; 0 for a zero kernel.
    """
    kernel = polyphase(weight.detach().double(), stride=stride, dilation=dilation)
    kernels = kernel.unflatten(0, (groups, -1))
    return float(kernel_bounds(kernels, precision=precision).max())


def absolute_norm(
    weight: Tensor,
    *,
    stride: int | Sequence[int] = 1,
    dilation: int | Sequence[int] = 1,
    groups: int = 1,
) -> float:
    """Upper bound on the norm with |weight|, which carries the rounding of a convolution.

    The symbol of a non-negative kernel is largest at frequency 0, so one matrix is enough.
    """
    kernel = polyphase(weight.detach().double().abs(), stride=stride, dilation=dilation)
    taps = math.prod(kernel.shape[2:])
    matrices = kernel.reshape(groups, -1, kernel.shape[1], taps).sum(-1)
    return float(rounded_up(largest_singular(matrices), matrices).max())


def polyphase(
    weight: Tensor, *, stride: int | Sequence[int] = 1, dilation: int | Sequence[int] = 1
) -> Tensor:
    """The stride-1 kernel (out, in * prod(stride), *ceil(kernel / stride)) of the same norm.

    Output m of a strided convolution reads ``x[s m + t]``; with ``t = s q + r`` this is tap q on
    phase r of the input. Dilation matters only where it meets a stride.
    """
    axes = weight.ndim - 2
    strides, dilations = per_axis(stride, axes), per_axis(dilation, axes)
    for axis, (step, spread) in enumerate(zip(strides, dilations, strict=True), start=2):
        if step == 1:
            continue
        taps = (weight.shape[axis] - 1) * spread + 1
        shape = list(weight.shape)
        shape[axis] = -(-taps // step) * step
        spaced = weight.new_zeros(shape)
        spaced.narrow(axis, 0, taps).index_copy_(
            axis, torch.arange(0, taps, spread, device=weight.device), weight
        )
        phases = spaced.unflatten(axis, (-1, step)).movedim(axis + 1, 2)
        weight = phases.flatten(1, 2)
    return weight


def per_axis(value: int | Sequence[int], axes: int = 3) -> tuple[int, ...]:
    """One number per spatial axis, from one for all or one for each."""
    return (int(value),) * axes if isinstance(value, int) else tuple(int(v) for v in value)
