"""Certificate rules for weighted layers: convolutions, linear layers, per-channel scales."""

import math
from typing import Any

from torch import Tensor

from medsym.symmetry.certificates.comparison import (
    Comparison,
    Geometry,
    Parameter,
    action_expected,
)
from medsym.symmetry.certificates.gap import (
    Gap,
    function_rounding,
    known,
    size,
    underflow,
    unit_rounding,
    volume_argument,
)
from medsym.symmetry.mirror import check_strided, spatial_dim
from medsym.symmetry.operator_norm import per_axis
from medsym.symmetry.walk import Call


def convolution(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """``|W~ h~ + b~ - W h - b| <= |W| e + |(W~ - W) h + b~ - b|``, and the sums' rounding."""
    tensor, gap = volume_argument(call)
    weight = call.argument(1, "weight")
    padding = call.argument(4, "padding", 0)
    form = Geometry(
        stride=per_axis(call.argument(3, "stride", 1)),
        dilation=per_axis(call.argument(5, "dilation", 1)),
        groups=call.argument(6, "groups", 1),
    )
    axis = spatial_dim(gap.action.axis)
    reach = (weight.shape[axis] - 1) * form.dilation[axis] + 1
    if padding == "same":
        comparison.demand_mirror(
            call, reach % 2 == 1, "'same' padding of an even kernel is one-sided", "use an odd one"
        )
        padded = reach // 2
    else:
        padded = 0 if padding == "valid" else per_axis(padding)[axis]
    _check_grid(
        comparison,
        call,
        extent=tensor.shape[axis],
        kernel=reach,
        stride=form.stride[axis],
        padding=padded,
    )
    shape = {"stride": form.stride, "padding": padding, "dilation": form.dilation}
    return _weighted(comparison, call, output, form, shape)


def transposed_convolution(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """The same; the grid is that of the adjoint convolution, which starts from the output."""
    _, gap = volume_argument(call)
    weight = call.argument(1, "weight")
    form = Geometry(
        stride=per_axis(call.argument(3, "stride", 1)),
        dilation=per_axis(call.argument(7, "dilation", 1)),
        groups=call.argument(6, "groups", 1),
        transposed=True,
    )
    axis = spatial_dim(gap.action.axis)
    reach = (weight.shape[axis] - 1) * form.dilation[axis] + 1
    padding = per_axis(call.argument(4, "padding", 0))
    _check_grid(
        comparison,
        call,
        extent=output.shape[axis],
        kernel=reach,
        stride=form.stride[axis],
        padding=padding[axis],
    )
    shape = {
        "stride": form.stride,
        "padding": padding,
        "output_padding": per_axis(call.argument(5, "output_padding", 0)),
        "dilation": form.dilation,
    }
    return _weighted(comparison, call, output, form, shape)


def linear(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """A linear layer on vectors (b, c), which follow a global pooling."""
    if output.ndim != 2:
        raise call.refuse(
            "a linear layer on something else than (b, c)", "use a 1x1x1 convolution on volumes"
        )
    return _weighted(comparison, call, output, Geometry(), {})


def _weighted(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    form: Geometry,
    shape: dict[str, Any],
) -> Gap:
    tensor, weight, bias = (call.argument(i, n) for i, n in enumerate(("input", "weight", "bias")))
    gap = known(call, tensor)
    gap = comparison.retyped(tensor, gap, action_expected(call) or gap.action)
    pair = comparison.kernel(
        Parameter(call=call, name="weight", values=weight, action=gap.action), form
    )
    change, offset = None, 0.0
    voxels = math.prod(output.shape[2:])
    if bias is not None:
        change = comparison.vector(
            Parameter(call=call, name="bias", values=bias, action=pair.action_out)
        )
        offset = float((bias.double().abs() + change.abs()).norm()) * math.sqrt(voxels)
    if pair.difference_norm or (change is not None and change.any()):
        groups = {"groups": form.groups} if shape else {}
        source = size(call.function(tensor.double(), pair.difference, change, **shape, **groups))
    else:
        source = gap.error.new_zeros(len(tensor))
    comparison.note(call, even=pair.gain_any, odd=pair.difference_norm / 2, source=source)
    moved = float(change.norm()) * math.sqrt(voxels) if change is not None else 0.0
    share, floor = _sum_rounding(weight, output, form)
    product = share * pair.absolute
    rounding = product * (2.0 * size(tensor) + gap.total) + 2.0 * (share * offset + floor)
    rounding_any = 2.0 * (product * gap.magnitude + share * offset + floor)
    return gap.through(
        gain=pair.gain,
        source=source,
        rounding=rounding,
        gain_any=pair.gain_any,
        source_any=pair.difference_norm * gap.magnitude + moved,
        rounding_any=rounding_any,
        magnitude=pair.gain * gap.magnitude + offset + rounding_any,
        action=pair.action_out,
    )


def _sum_rounding(weight: Tensor, output: Tensor, form: Geometry) -> tuple[float, float]:
    """(relative to the sum of |products|, absolute for underflow) of sums of products.

    n products summed in any order err by at most n u sum |products| to first order (Higham,
    Accuracy and Stability of Numerical Algorithms, section 3.1); the machine epsilon is 2 u, which
    leaves a factor of two for higher orders and for this certificate's own sums. Algorithms that
    transform first (Winograd, FFT) are not covered; torch's CPU convolutions sum directly.
    """
    terms = weight[0].numel()
    if form.transposed:
        terms = weight[:, 0].numel() // form.groups
    return (terms + 8) * unit_rounding(output), underflow(output, terms + 8)


def channelwise(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    *,
    scale: tuple[Tensor, Tensor],
    shift: tuple[Tensor, Tensor],
) -> Gap:
    """``scale_c h + shift_c`` per channel, each given with the difference of the other pass."""
    tensor = call.argument(0, "input")
    gap = known(call, tensor)
    view = (1, -1, *[1] * (tensor.ndim - 2))
    steps, moves = scale[1], shift[1]
    source = size(tensor.double() * steps.view(view) + moves.view(view))
    gain = float(comparison.largest(*scale).max())
    voxels = math.sqrt(math.prod(tensor.shape[2:]))
    offset = float(comparison.largest(*shift).norm()) * voxels
    moved = float(moves.norm()) * voxels
    odd = float(steps.abs().max()) / 2
    comparison.note(call, even=gain, odd=odd, source=source)
    unit, floor = function_rounding(output), 2.0 * underflow(output, 8.0)
    return gap.through(
        gain=gain,
        source=source,
        rounding=unit * (gain * (2.0 * size(tensor) + gap.total) + 2.0 * offset) + floor,
        source_any=2.0 * odd * gap.magnitude + moved,
        rounding_any=2.0 * unit * (gain * gap.magnitude + offset) + floor,
        magnitude=(gain * gap.magnitude + offset) * (1.0 + unit) + floor,
    )


def _check_grid(
    comparison: Comparison, call: Call[Gap], *, extent: int, kernel: int, stride: int, padding: int
) -> None:
    """Refuse a stride that reads one side only (MS-203), where a mirror is compared."""
    if comparison.mirrored:
        check_strided(
            extent, kernel=kernel, stride=stride, padding=padding, name=call.path or "network"
        )
