"""Certificate rules for functions of single values: activations, and softmax over channels.

A function with slope at most L stretches distances by at most L. The mirror has to commute with
it: any function of single values does where the mirror only permutes channels; on channels that
change sign only odd functions do (a ReLU there makes a 94 % defect).
"""

import math
from collections.abc import Callable
from dataclasses import dataclass
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.symmetry.certificates.comparison import Comparison, Parameter
from medsym.symmetry.certificates.gap import Gap, function_rounding, known, size, unit_rounding
from medsym.symmetry.walk import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class Curve:
    """What is known of a function of one value.

    Attributes:
        slope: Its largest slope in magnitude, rounded up, given the call.
        at_zero: Its value at 0.
        limit: Its largest magnitude.
        width: Its largest minus its smallest value.
        odd: Whether ``s(-z) = -s(z)``.
        exact: Whether it is computed without rounding.
    """

    slope: Callable[[Call[Gap]], float]
    at_zero: float = 0.0
    limit: float = math.inf
    width: float = math.inf
    odd: bool = False
    exact: bool = False


def _leaky(call: Call[Gap]) -> float:
    return max(1.0, abs(float(call.argument(1, "negative_slope", 0.01))))


def _elu(call: Call[Gap]) -> float:
    return max(1.0, abs(float(call.argument(1, "alpha", 1.0))))


_RELU = Curve(slope=lambda _: 1.0, exact=True)
_SIGMOID = Curve(slope=lambda _: 0.25, at_zero=0.5, limit=1.0, width=1.0)
_TANH = Curve(slope=lambda _: 1.0, limit=1.0, width=2.0, odd=True)
CURVES: dict[Callable[..., Any], Curve] = {
    **dict.fromkeys((F.relu, torch.relu, torch.relu_, Tensor.relu, Tensor.relu_), _RELU),
    F.leaky_relu: Curve(slope=_leaky),
    F.elu: Curve(slope=_elu),
    F.gelu: Curve(slope=lambda _: 1.1290),  # at sqrt(2): 1.128904, tanh form 1.128993
    F.silu: Curve(slope=lambda _: 1.09985),  # at 2.3994: 1.0998393
    F.mish: Curve(slope=lambda _: 1.0885),  # at 1.4906: 1.0884992
    **dict.fromkeys((F.sigmoid, torch.sigmoid, Tensor.sigmoid), _SIGMOID),
    **dict.fromkeys((F.tanh, torch.tanh, Tensor.tanh), _TANH),
}


def activation(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Functions of one value in :data:`CURVES`; the input may have been overwritten."""
    curve = CURVES[call.function]
    gap = known(call, call.argument(0, "input"))
    comparison.demand_mirror(
        call,
        curve.odd or gap.action.is_permutation,
        "on channels of which the mirror changes the sign it breaks the mirror",
        "use an odd function such as tanh there, or regular channels",
    )
    slope, count = curve.slope(call), math.sqrt(output[0].numel())
    unit = 0.0 if curve.exact else function_rounding(output)
    reached = size(call.argument(0, "input")) + size(output)
    shift = curve.at_zero * count
    magnitude = min(slope * gap.magnitude + shift, curve.limit * count)
    return gap.through(
        gain=slope,
        rounding=unit * (slope * (2.0 * reached + gap.total) + 2.0 * shift),
        rounding_any=2.0 * unit * (slope * gap.magnitude + shift),
        magnitude=magnitude * (1.0 + unit),
        cap=comparison.cap(curve.width * count) if math.isfinite(curve.width) else None,
    )


def softmax(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Over channels: slope 1/2, since ``u' J u`` is a variance of u under the probabilities."""
    tensor = call.argument(0, "input")
    gap = known(call, tensor)
    if call.argument(1, "dim") not in (1, 1 - tensor.ndim):
        raise call.refuse("softmax over something else than channels", "use dim=1")
    comparison.demand_mirror(
        call, gap.action.is_permutation, "on channels that change sign", "use other channels"
    )
    voxels, unit = math.sqrt(math.prod(tensor.shape[2:])), function_rounding(output)
    # exp(z - max) carries the rounding of z - max, relative to the largest |z|
    span = float(tensor.detach().abs().max()) * 2.0 + 1.0
    return gap.through(
        gain=0.5,
        rounding=2.0 * unit * (span + gap.total) * voxels,
        rounding_any=2.0 * unit * (1.0 + 2.0 * gap.magnitude) * voxels,
        magnitude=voxels * (1.0 + unit),
        cap=comparison.cap(math.sqrt(2.0) * voxels),
    )


def prelu(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """One slope below zero per channel; slopes that the mirror does not tie are a source."""
    tensor, weight = call.argument(0, "input"), call.argument(1, "weight")
    gap = known(call, tensor)
    comparison.demand_mirror(
        call, gap.action.is_permutation, "on channels that change sign", "use tanh there"
    )
    use = Parameter(call=call, name="weight", values=weight, action=gap.action, signed=False)
    change = comparison.vector(use)
    slopes = weight.detach().double()
    slope = max(1.0, float(comparison.largest(slopes, change).max()))
    view = (1, -1, *[1] * (tensor.ndim - 2))
    source = size(change.view(view) * tensor.detach().double().clamp_max(0.0))
    odd = float(change.abs().max()) / 2
    comparison.note(call, even=slope, odd=odd, source=source)
    done = gap.through(
        gain=slope,
        source=source,
        source_any=2.0 * odd * gap.magnitude,
        magnitude=slope * gap.magnitude,
    )
    return done.with_rounding(unit_rounding(output), output)
