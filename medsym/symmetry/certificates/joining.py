"""Certificate rules for functions that join features: sums, products, concatenation, means."""

import math
from typing import Any

import torch
from torch import Tensor

from medsym.symmetry.certificates.comparison import Comparison
from medsym.symmetry.certificates.gap import (
    Gap,
    known,
    size,
    statistics_rounding,
    unit_rounding,
    volume_argument,
)
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.walk import Call


def addition(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Sums and differences, of features with features or with constants."""
    first, second = call.argument(0, "input"), call.argument(1, "other")
    factor = abs(float(call.argument(2, "alpha", 1.0)))
    if not isinstance(first, Tensor) or call.fact(first) is None:
        return _shifted(comparison, call, output, parts=(second, first), factor=factor)
    if not isinstance(second, Tensor) or call.fact(second) is None:
        return _shifted(comparison, call, output, parts=(first, second), factor=factor)
    if not first.shape == second.shape == output.shape:
        raise call.refuse("features of different shapes are added", "expand them first")
    one, two = known(call, first), known(call, second)
    two = comparison.retyped(second, two, one.action) if first is not second else one
    done = Gap(
        action=one.action,
        error=one.error + factor * two.error,
        rounding=one.rounding + factor * two.rounding,
        error_any=one.error_any + factor * two.error_any,
        magnitude=one.magnitude + factor * two.magnitude,
    )
    return done.with_rounding((1.0 + factor) * unit_rounding(output), output)


def _shifted(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    *,
    parts: tuple[Tensor, Any],
    factor: float,
) -> Gap:
    """Features plus a constant, which the mirror has to leave alone or counts as a source."""
    tensor, constant = parts
    gap = known(call, tensor)
    if tensor.shape != output.shape:
        raise call.refuse("the constant is larger than the features", "expand the features first")
    values = torch.as_tensor(constant, dtype=torch.float64, device=output.device)
    values = values.detach().expand(output.shape)
    change = comparison.constant(values, gap.action)
    norm, source = float(size(values).max()), size(change)
    if bool(change.any()):
        comparison.note(call, even=1.0, odd=0.0, source=source)
    done = gap.through(
        gain=max(1.0, factor),
        source=factor * source,
        source_any=factor * float(source.max()),
        magnitude=max(1.0, factor) * gap.magnitude + factor * norm,
    )
    return done.with_rounding((1.0 + factor) * unit_rounding(output), output)


def product(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Features times a number, or times features (a gate): ``a~ b~ - a b`` in two steps."""
    first, second = call.argument(0, "input"), call.argument(1, "other")
    if not isinstance(first, Tensor) or call.fact(first) is None:
        first, second = second, first
    if not isinstance(second, Tensor) or call.fact(second) is None:
        return _scaled(call, output, first, second)
    one, two = known(call, first), known(call, second)
    action = _product_action(comparison, call, one.action, two.action)
    if not first.ndim == second.ndim == output.ndim:
        raise call.refuse("factors of different dimensions", "give both the same dimensions")
    high_one, high_two = _reach(first, second, output), _reach(second, first, output)
    done = Gap(
        action=action,
        error=(high_one + one.total) * two.error + high_two * one.error,
        rounding=(high_one + one.total) * two.rounding + high_two * one.rounding,
        error_any=one.magnitude * two.error_any + two.magnitude * one.error_any,
        magnitude=one.magnitude * two.magnitude,
    )
    return done.with_rounding(unit_rounding(output), output)


def quotient(_comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Features divided by a number."""
    return _scaled(call, output, call.argument(0, "input"), call.argument(1, "other"), power=-1)


def _scaled(call: Call[Gap], output: Tensor, tensor: Tensor, number: Any, *, power: int = 1) -> Gap:
    if isinstance(number, Tensor) and (number.numel() > 1 or call.fact(number) is not None):
        raise call.refuse("a product or quotient with a constant map", "use a 1x1x1 convolution")
    gap = known(call, tensor)
    factor = abs(float(number)) ** power
    done = gap.through(gain=factor, magnitude=factor * gap.magnitude)
    return done.with_rounding(unit_rounding(output), output)


def _product_action(
    comparison: Comparison, call: Call[Gap], one: ChannelAction, two: ChannelAction
) -> ChannelAction:
    wide = one if one.channels >= two.channels else two
    gate = two if wide is one else one
    holds = one.is_permutation and two.is_permutation and (one == two or gate.channels == 1)
    comparison.demand_mirror(
        call, holds, "the two factors have different channel actions", "give both the same action"
    )
    return wide


def _reach(tensor: Tensor, other: Tensor, output: Tensor) -> Tensor:
    """(b,), largest 2-norm of a factor over the entries that meet one entry of the other."""
    values = tensor.detach().double().expand(output.shape)
    shared = [d for d in range(1, output.ndim) if other.shape[d] == 1 < output.shape[d]]
    if shared:
        values = torch.linalg.vector_norm(values, dim=shared)
    return values.abs().flatten(1).amax(1)


def concatenation(_comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Along channels: squares of distances add."""
    tensors = call.argument(0, "tensors")
    if call.argument(1, "dim", 0) not in (1, 1 - output.ndim):
        raise call.refuse("concatenation along something else than channels", "use dim=1")
    gaps = [known(call, tensor) for tensor in tensors]
    action = gaps[0].action
    for gap in gaps[1:]:
        action = action + gap.action
    return Gap(
        action=action,
        error=torch.stack([gap.error for gap in gaps]).norm(dim=0),
        rounding=torch.stack([gap.rounding for gap in gaps]).norm(dim=0),
        error_any=math.hypot(*(gap.error_any for gap in gaps)),
        magnitude=math.hypot(*(gap.magnitude for gap in gaps)),
    )


def repetition(_comparison: Comparison, call: Call[Gap], _output: Tensor) -> Gap:
    """``h.repeat(1, k, 1, 1, 1)``: k copies of all channels."""
    tensor, gap = volume_argument(call)
    first = call.args[1]
    counts = tuple(first) if isinstance(first, list | tuple) else tuple(call.args[1:])
    if len(counts) != tensor.ndim or any(n != 1 for i, n in enumerate(counts) if i != 1):
        raise call.refuse(f"repetition by {counts}", "repeat channels only")
    action = gap.action
    for _ in range(counts[1] - 1):
        action = action + gap.action
    gain = math.sqrt(counts[1])
    return gap.through(gain=gain, magnitude=gain * gap.magnitude, action=action)


def mean(_comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Global mean over all voxels of a volume."""
    tensor, gap = volume_argument(call)
    dims = call.argument(1, "dim")
    chosen = {int(d) % 5 for d in (dims if isinstance(dims, list | tuple) else ())}
    if chosen != {2, 3, 4}:
        raise call.refuse("a mean over something else than all voxels", "use dim=(2, 3, 4)")
    gain = 1.0 / math.sqrt(math.prod(tensor.shape[2:]))
    unit = statistics_rounding(output) * gain
    return gap.through(
        gain=gain,
        rounding=unit * (2.0 * size(tensor) + gap.total),
        rounding_any=2.0 * unit * gap.magnitude,
        magnitude=gain * gap.magnitude * (1.0 + unit),
    )


def reshaping(_comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Only between (b, c) and (b, c, 1, 1, 1), or into the same shape."""
    tensor = call.argument(0, "input")
    single = math.prod(tensor.shape[2:]) == 1 and tensor.shape[:2] == output.shape[:2]
    if tensor.shape != output.shape and not (single and output.ndim in (2, 5)):
        raise call.refuse(
            f"{tuple(tensor.shape)} becomes {tuple(output.shape)}, and the mirror is lost",
            "keep volumes (b, c, x, y, z), or pool globally first",
        )
    return known(call, tensor)
