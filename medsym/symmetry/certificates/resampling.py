"""Certificate rules for functions that move or combine voxels: pooling, resizing, padding, cuts.

All of them treat the three axes one after the other, so each is three small matrices, which are
read off by running the function on the columns of a 1D identity. Norms multiply, and the mirror
commutes with the function exactly if the matrix along its axis looks the same from both ends.
"""

import math
from collections.abc import Callable, Sequence
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.symmetry.certificates.comparison import Comparison
from medsym.symmetry.certificates.gap import (
    Gap,
    size,
    underflow,
    unit_rounding,
    volume_argument,
)
from medsym.symmetry.mirror import Axis, ChannelAction, spatial_dim
from medsym.symmetry.operator_norm import per_axis
from medsym.symmetry.walk import Call

AxisFunction = Callable[[int, Tensor], Tensor]
"""(axis -3, -2 or -1; identity (1, n, n)) -> (1, n, n'), the function along that axis."""

_LINE_MODES = {"nearest": "nearest", "nearest-exact": "nearest-exact", "trilinear": "linear"}


def average_pool(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Means over windows: norm from its matrices, 1 / sqrt(8) for size 2."""
    kernel, stride, padding = _windows(call)
    if call.argument(6, "divisor_override") is not None:
        raise call.refuse("divisor_override is not supported", "scale with a constant instead")
    ceil, include = (
        call.argument(4, "ceil_mode", False),
        call.argument(5, "count_include_pad", True),
    )

    def along(axis: int, eye: Tensor) -> Tensor:
        shape = (kernel[axis], stride[axis], padding[axis])
        return F.avg_pool1d(eye, *shape, bool(ceil), bool(include))

    return _linear_resampling(comparison, call, output, along)


def adaptive_average_pool(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Means over windows that adapt to the output size."""
    return _linear_resampling(
        comparison, call, output, lambda axis, eye: F.adaptive_avg_pool1d(eye, output.shape[axis])
    )


def max_pool(comparison: Comparison, call: Call[Gap], _output: Tensor) -> Gap:
    """A voxel is in at most m windows, so distances grow by sqrt(m) at most; 1 for size 2."""
    kernel, stride, padding = _windows(call)
    spread = per_axis(call.argument(4, "dilation", 1))
    ceil = bool(call.argument(5, "ceil_mode", False))

    def along(axis: int, eye: Tensor) -> Tensor:
        shape = (kernel[axis], stride[axis], padding[axis], spread[axis], ceil)
        return F.max_pool1d(eye, *shape)

    return _largest_of_windows(comparison, call, along)


def adaptive_max_pool(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """The same with windows that adapt to the output size."""
    return _largest_of_windows(
        comparison, call, lambda axis, eye: F.adaptive_max_pool1d(eye, output.shape[axis])
    )


def interpolation(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Trilinear, nearest or area resizing; nearest by other than whole factors breaks a mirror."""
    mode = call.argument(3, "mode", "nearest")
    if mode == "area":
        return adaptive_average_pool(comparison, call, output)
    if mode not in _LINE_MODES:
        raise call.refuse(f"mode {mode!r}", "use 'nearest', 'trilinear' or 'area'")
    scale = call.argument(2, "scale_factor")
    scales = scale if isinstance(scale, list | tuple) else (scale,) * 3
    again = call.argument(5, "recompute_scale_factor")

    def along(axis: int, eye: Tensor) -> Tensor:
        extent = output.shape[axis] if scale is None else None
        return F.interpolate(
            eye,
            size=extent,
            scale_factor=scales[axis],
            mode=_LINE_MODES[mode],
            align_corners=call.argument(4, "align_corners"),
            recompute_scale_factor=again,
        )

    return _linear_resampling(comparison, call, output, along)


def padding(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Constant, replicated, reflected or circular borders; negative widths crop."""
    widths, mode = list(call.argument(1, "pad")), call.argument(2, "mode", "constant")
    widths += [0] * (6 - len(widths))
    if len(widths) > 6:
        raise call.refuse("padding of channels or samples", "pad the three axes only")

    def along(axis: int, eye: Tensor) -> Tensor:
        low, high = widths[-2 * axis - 2], widths[-2 * axis - 1]
        return F.pad(eye, (low, high), mode=mode) if (low, high) != (0, 0) else eye

    value = float(call.argument(3, "value") or 0.0)
    tensor, gap = volume_argument(call)
    comparison.demand_mirror(
        call,
        not value or gap.action.is_permutation,
        "a border value on channels that change sign",
        "pad with zeros",
    )
    pairs = [widths[place : place + 2] for place in (4, 2, 0)]
    kept = [n + sum(min(w, 0) for w in p) for n, p in zip(tensor.shape[2:], pairs, strict=True)]
    added = output[0].numel() - tensor.shape[1] * math.prod(kept)
    return _linear_resampling(
        comparison, call, output, along, extra=abs(value) * math.sqrt(added), exact=True
    )


def selection(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """``h[:, channels, x, y, z]`` with slices: crops that the mirror maps onto themselves."""
    tensor, gap = volume_argument(call)
    index: tuple[Any, ...] = call.args[1] if isinstance(call.args[1], tuple) else (call.args[1],)
    if Ellipsis in index:
        at = index.index(Ellipsis)
        filled = (slice(None),) * (tensor.ndim - len(index) + 1)
        index = index[:at] + filled + index[at + 1 :]
    index = (*index, *[slice(None)] * (tensor.ndim - len(index)))
    if not all(isinstance(i, slice) for i in index) or output.shape[0] != tensor.shape[0]:
        raise call.refuse("an index that is not a slice, or selects samples", "use slices")

    def along(axis: int, eye: Tensor) -> Tensor:
        return eye[..., index[axis]]

    channels = list(range(*index[1].indices(tensor.shape[1])))
    closed = {gap.action.perm[c] for c in channels} == set(channels)
    comparison.demand_mirror(
        call, closed, "it separates channels that the mirror swaps", "select whole pairs"
    )
    action = _part(gap.action, channels) if closed else ChannelAction.trivial(len(channels))
    return _linear_resampling(comparison, call, output, along, action=action, exact=True)


def _largest_of_windows(comparison: Comparison, call: Call[Gap], along: AxisFunction) -> Gap:
    tensor, gap = volume_argument(call)
    comparison.demand_mirror(
        call,
        gap.action.is_permutation,
        "a maximum over channels that change sign",
        "use an average pooling there",
    )
    seen = _matrices(comparison, call, tensor, gap.action.axis, along)
    gain = math.sqrt(math.prod(max(1.0, float((m > 0).sum(1).max())) for m in seen))
    return gap.through(gain=gain, magnitude=gain * gap.magnitude)


def _linear_resampling(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    along: AxisFunction,
    *,
    action: ChannelAction | None = None,
    extra: float = 0.0,
    exact: bool = False,
) -> Gap:
    tensor, gap = volume_argument(call)
    matrices = _matrices(comparison, call, tensor, gap.action.axis, along)
    gain = math.prod(float(torch.linalg.matrix_norm(m, 2)) for m in matrices) * (1.0 + 1e-10)
    terms = 0.0 if exact else 16.0 + 4.0 * max(tensor.shape[2:])
    unit, floor = terms * unit_rounding(output) * gain, 2.0 * underflow(output, terms)
    return gap.through(
        gain=gain,
        rounding=unit * (2.0 * size(tensor) + gap.total) + floor,
        rounding_any=2.0 * unit * gap.magnitude + floor,
        magnitude=gain * gap.magnitude * (1.0 + unit) + floor + extra,
        action=action,
    )


def _matrices(
    comparison: Comparison, call: Call[Gap], tensor: Tensor, axis: Axis, along: AxisFunction
) -> list[Tensor]:
    """(n, n') per axis; refused if the one along the mirror's axis is not its own mirror image.

    Interpolation weights are equal from both ends up to the rounding of their coordinates, which
    the rounding term of ``_linear_resampling`` covers.
    """
    matrices = []
    for dim in (-3, -2, -1):
        eye = torch.eye(tensor.shape[dim], dtype=tensor.dtype, device=tensor.device)
        matrices.append(along(dim, eye[None])[0].double())
    crossing = matrices[spatial_dim(axis)]
    tolerance = 4.0 * tensor.shape[spatial_dim(axis)] * torch.finfo(tensor.dtype).eps
    uneven = float((crossing - crossing.flip(0, 1)).abs().amax()) if crossing.numel() else 0.0
    comparison.demand_mirror(
        call,
        uneven <= tolerance,
        f"on {tensor.shape[spatial_dim(axis)]} voxels across the mid-plane it treats the two sides "
        "differently",
        "use a size that its windows divide, whole factors, and equal borders on both sides",
    )
    return matrices


def _part(action: ChannelAction, channels: Sequence[int]) -> ChannelAction:
    """The action on a selection of channels that it maps onto itself."""
    place = {c: i for i, c in enumerate(channels)}
    perm = tuple(place[action.perm[c]] for c in channels)
    return ChannelAction(perm, tuple(action.signs[c] for c in channels), action.axis)


def _windows(call: Call[Gap]) -> tuple[tuple[int, ...], tuple[int, ...], tuple[int, ...]]:
    """(kernel, stride, padding) of a pooling call."""
    kernel = per_axis(call.argument(1, "kernel_size"))
    stride = call.argument(2, "stride")
    return kernel, per_axis(stride or kernel), per_axis(call.argument(3, "padding", 0))
