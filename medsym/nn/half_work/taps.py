"""Convolutions with pre-added taps: half the multiplications of a symmetric dense kernel.

Channels come as two halves, trivial then sign. A kernel that commutes with the mirror is then
even along left-right where input and output are of one type and odd where they are not, so the
taps at +j and -j share one weight: ``W(+j) (h(x + j) +- h(x - j))``. Adding the two voxels before
the convolution leaves, for kernel k, two convolutions (1, k, k) of ``k C / 2`` channels: 13.5 C^2
multiplications per voxel instead of 27 C^2 at k = 3. The output is the same up to rounding.

Left-right is the FIRST spatial axis, so that what remains are 2D convolutions of whole planes.
Inference on a CPU works channels-last (no re-ordering of the added taps by the convolution) and
in slabs of planes that stay in the cache; training uses ordinary, differentiable operations.
"""

import torch
from torch import Tensor
from torch.nn import functional as F

_SLAB_BYTES = 3 * 2**19  # added taps of one slab that stay in the second-level cache
_SLAB_KERNELS = 4  # a slab is at least so many kernels large, because each slab reads its kernel


def half_kernel(weight: Tensor) -> Tensor:
    """The free taps of the equivariant part of a dense kernel.

    Args:
        weight: (c_out, c_in, k, ky, kz), both channel counts even, halves trivial then sign, k
            odd. It need not be equivariant: it is projected, ``(W + S W S) / 2``.

    Returns:
        (c_out, k c_in / 2, 1, ky, kz), for a convolution with two groups over the added taps.
    """
    reach, rows, columns = weight.shape[2] // 2, weight.shape[0] // 2, weight.shape[1] // 2
    upper, lower = weight[:, :, reach:], weight[:, :, : reach + 1].flip(2)
    halves = []
    for row, column in ((0, 0), (rows, columns)):
        ours, mixed = slice(row, row + rows), columns - column
        same, other = slice(column, column + columns), slice(mixed, mixed + columns)
        even = (upper[ours, same] + lower[ours, same]) / 2
        odd = (upper[ours, other] - lower[ours, other]) / 2
        taps = [even[:, :, j] for j in range(reach + 1)] + [odd[:, :, j + 1] for j in range(reach)]
        halves.append(torch.cat(taps, dim=1))
    return torch.cat(halves).unsqueeze(2)


def half_convolution(volume: Tensor, kernel: Tensor, bias: Tensor | None) -> Tensor:
    """Convolve (b, c_in, x, y, z), zero padding that keeps the size, with a half kernel.

    Args:
        volume: Channels in two equal halves, trivial then sign.
        kernel: From :func:`half_kernel`.
        bias: (c_out,) or None.

    Returns:
        (b, c_out, x, y, z).
    """
    if runs_blocked(volume, kernel):
        output = volume.new_empty((volume.shape[0], kernel.shape[0], *volume.shape[2:]))
        if _is_channels_last(volume):
            output = output.contiguous(memory_format=torch.channels_last_3d)
        for sample, target in zip(volume, output, strict=True):
            _convolve_sample(sample, kernel.squeeze(2), bias, target)
        return output
    reach = kernel.shape[1] // volume.shape[1]  # k c / 2 over c, rounded down
    padded = F.pad(volume, (0, 0, 0, 0, reach, reach))
    padding = (0, kernel.shape[3] // 2, kernel.shape[4] // 2)
    taps = torch.cat([_added_taps(padded, half, reach) for half in (0, 1)], dim=1)
    return F.conv3d(taps, kernel, bias, padding=padding, groups=2)


def runs_blocked(volume: Tensor, *weights: Tensor) -> bool:
    """Whether the cache-blocked form applies: a CPU, nothing to differentiate, no autocast."""
    recorded = torch.is_grad_enabled() and any(t.requires_grad for t in (volume, *weights))
    return volume.device.type == "cpu" and not (recorded or torch.is_autocast_enabled("cpu"))


def _added_taps(padded: Tensor, half: int, reach: int) -> Tensor:
    """What the outputs of one type (0 trivial, 1 sign) read; (b, k c / 2, x, y, z).

    The channels of the same type, their sums ``h(x + j) + h(x - j)`` for j = 1 .. reach, and the
    differences of the channels of the other type, from a volume padded by ``reach`` planes.
    """
    planes = padded.shape[2] - 2 * reach
    same, other = padded.chunk(2, dim=1)[half], padded.chunk(2, dim=1)[1 - half]
    pairs = [(reach + j, reach - j) for j in range(1, reach + 1)]
    sums = [same.narrow(2, a, planes) + same.narrow(2, b, planes) for a, b in pairs]
    differences = [other.narrow(2, a, planes) - other.narrow(2, b, planes) for a, b in pairs]
    return torch.cat([same.narrow(2, reach, planes), *sums, *differences], dim=1)


def _convolve_sample(sample: Tensor, kernel: Tensor, bias: Tensor | None, target: Tensor) -> None:
    """One sample (c_in, x, y, z) into ``target`` (c_out, x, y, z)."""
    channels, planes, *plane = sample.shape
    reach = kernel.shape[1] // channels
    padded = sample.new_empty((planes + 2 * reach, *plane, channels))
    padded[:reach], padded[planes + reach :] = 0, 0
    inner = padded.narrow(0, reach, planes)
    inner.view(-1, channels).copy_(sample.permute(1, 2, 3, 0).reshape(-1, channels))
    biases = (None, None) if bias is None else bias.chunk(2)
    start = 0
    for part in target.tensor_split(_slab_count(inner, kernel), dim=1):
        slab = padded.narrow(0, start, part.shape[1] + 2 * reach)
        for half, (out, taps) in enumerate(zip(part.chunk(2), kernel.chunk(2), strict=True)):
            planar = _planar_taps(slab, half, reach).permute(0, 3, 1, 2)
            result = F.conv2d(planar, taps, biases[half], padding=kernel.shape[-1] // 2)
            out.copy_(result.transpose(0, 1))
        start += part.shape[1]


def _planar_taps(slab: Tensor, half: int, reach: int) -> Tensor:
    """:func:`_added_taps` channels-last: (x + 2 reach, y, z, c) to (x, y, z, k c / 2)."""
    planes, width = slab.shape[0] - 2 * reach, slab.shape[3] // 2
    same, other = slab.split(width, dim=3)[half], slab.split(width, dim=3)[1 - half]
    taps = slab.new_empty((planes, *slab.shape[1:3], width * (2 * reach + 1)))
    pieces = taps.split(width, dim=3)
    pieces[0].copy_(same.narrow(0, reach, planes))
    for j in range(1, reach + 1):
        after, before = reach + j, reach - j
        torch.add(same.narrow(0, after, planes), same.narrow(0, before, planes), out=pieces[j])
        torch.sub(
            other.narrow(0, after, planes),
            other.narrow(0, before, planes),
            out=pieces[reach + j],
        )
    return taps


def _slab_count(planes: Tensor, kernel: Tensor) -> int:
    """Slabs that the planes (x, y, z, c) are worked off in; the kernel is of both types."""
    taps = planes.numel() // planes.shape[3] * kernel.shape[1]
    slab = max(_SLAB_BYTES // planes.element_size(), _SLAB_KERNELS * kernel.numel() // 2)
    return min(planes.shape[0], -(-taps // slab))


def _is_channels_last(volume: Tensor) -> bool:
    last = volume.is_contiguous(memory_format=torch.channels_last_3d)
    return last and not volume.is_contiguous()
