"""Certificate rules for normalisation: instance, group, layer and batch norm.

A normalisation has no useful global Lipschitz constant (316 per norm at eps 1e-5), but a sharp
local one. With n entries per group, centred values u and ``s = sqrt(var + eps)``, the output is
``sqrt(n) U / |U|`` for ``U = (u, sqrt(n eps))``; centring does not stretch distances, so by the
inequality of Dunkl and Williams (Amer. Math. Monthly 71, 1964)

    |y~ - y| <= sqrt(n) 2 |U~ - U| / (|U~| + |U|) <= 2 e / (s + max(sqrt(eps), s - e / sqrt(n))),

which needs only the s of the pass that ran. Two outputs are never further apart than ``2
sqrt(n)``. Groups share one e: their factors grow with it, so the largest factor at the full e
holds for every way to share it.
"""

import math

import torch
from torch import Tensor

from medsym.symmetry.certificates.comparison import Comparison, Parameter
from medsym.symmetry.certificates.gap import Gap, known, size, statistics_rounding, underflow
from medsym.symmetry.certificates.linear import channelwise
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.walk import Call


def instance_norm(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Every channel of every sample on its own; with running statistics as batch norm."""
    names = ("running_mean", "running_var", "weight", "bias", "use_input_stats")
    mean, variance, weight, bias, own = (call.argument(i, n) for i, n in enumerate(names, start=1))
    if own is False:
        return _running(comparison, call, output, (mean, variance, weight, bias))
    if mean is not None and call.module.training:
        raise _untrained(call)
    tensor = call.argument(0, "input")
    eps = call.argument(7, "eps", 1e-5)
    return _normalised(
        comparison, call, output, groups=tensor.shape[1], affine=(weight, bias), eps=eps
    )


def batch_norm(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """With its running statistics only: a scale and a shift per channel."""
    if call.argument(5, "training", False):
        raise _untrained(call)
    names = ("running_mean", "running_var", "weight", "bias")
    values = tuple(call.argument(i, n) for i, n in enumerate(names, start=1))
    return _running(comparison, call, output, values)


def group_norm(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Groups of channels, which the mirror has to map onto groups, with one sign each."""
    tensor, groups = call.argument(0, "input"), call.argument(1, "num_groups")
    action = known(call, tensor).action
    width = tensor.shape[1] // groups
    comparison.demand_mirror(
        call,
        _maps_groups(action, width),
        "the mirror does not map its groups of channels onto each other with one sign each",
        "choose groups that hold whole swapped pairs of one type, or an instance norm",
    )
    weight, bias = call.argument(2, "weight"), call.argument(3, "bias")
    return _normalised(
        comparison,
        call,
        output,
        groups=groups,
        affine=(weight, bias),
        eps=call.argument(4, "eps", 1e-5),
        cancels=True,
    )


def layer_norm(comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Over everything but the batch: one group."""
    tensor, shape = call.argument(0, "input"), call.argument(1, "normalized_shape")
    weight, bias = call.argument(2, "weight"), call.argument(3, "bias")
    if tuple(shape) != tuple(tensor.shape[1:]) or (tensor.ndim > 2 and weight is not None):
        raise call.refuse(
            f"it normalises over {tuple(shape)} of {tuple(tensor.shape)}",
            "use an instance or group norm",
        )
    action = known(call, tensor).action
    comparison.demand_mirror(
        call,
        _maps_groups(action, action.channels),
        "it mixes channels of which the mirror changes the sign with others",
        "normalise the types of channels apart",
    )
    eps = call.argument(4, "eps", 1e-5)
    return _normalised(comparison, call, output, groups=1, affine=(weight, bias), eps=eps)


def _normalised(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    *,
    groups: int,
    affine: tuple[Tensor | None, Tensor | None],
    eps: float,
    cancels: bool = False,
) -> Gap:
    tensor = call.argument(0, "input")
    gap = known(call, tensor)
    channels = tensor.shape[1]
    weight, bias = affine
    scale, steps = _vector(comparison, call, "weight", weight, gap.action, default=1.0)
    shift, moves = _vector(comparison, call, "bias", bias, gap.action, default=0.0)
    largest = comparison.largest(scale, steps).view(groups, -1).amax(1)
    voxels = math.sqrt(math.prod(tensor.shape[2:]))
    offset = float(comparison.largest(shift, moves).norm()) * voxels
    values = tensor.detach().double().reshape(len(tensor), groups, -1)
    n = values.shape[2]
    variance, mean = torch.var_mean(values, dim=2, correction=0, keepdim=True)
    s = (variance + eps).sqrt()
    least = (s - gap.total.view(-1, 1, 1) / math.sqrt(n)).clamp_min(math.sqrt(eps))
    factor = largest * (2.0 / (s + least)).squeeze(2) * (1.0 + 1e-9)
    centred = ((values - mean) / s).view(len(tensor), channels, -1)
    source = size(centred * steps.view(1, -1, 1) + moves.view(1, -1, 1))
    reach = float(largest.norm()) * math.sqrt(n)
    odd, floor = float(steps.abs().max()) / 2, 2.0 * underflow(output, 8.0)
    if weight is not None or bias is not None:
        comparison.note(call, even=float(largest.max()), odd=odd, source=source)
    unit = statistics_rounding(output)
    lengths, least = values.norm(dim=2) + gap.total[:, None], least.squeeze(2)
    lost = _lost_variance(lengths, least, n, unit, eps) if cancels else 0.0
    spread = unit * (lengths / least + math.sqrt(n)) + lost
    rounding = 2.0 * ((largest * spread).norm(dim=1) + unit * offset) + floor
    steepest = float(largest.max()) / math.sqrt(eps) if eps > 0.0 else math.inf
    share = min(unit * gap.magnitude / math.sqrt(n * max(eps, 1e-300)), 1.0)  # of a variance
    steep = steepest * (unit + share if cancels else unit)
    loss = 2.0 * (unit * (reach + offset) + steep * gap.magnitude) + floor
    return gap.through(
        gain=factor.amax(1),
        source=source,
        rounding=rounding,
        gain_any=steepest,
        source_any=2.0 * odd * math.sqrt(n * groups) + float(moves.norm()) * voxels,
        rounding_any=loss,
        magnitude=reach + offset + loss,
        cap=comparison.cap(2.0 * reach),
    )


def _lost_variance(lengths: Tensor, least: Tensor, n: int, unit: float, eps: float) -> Tensor:
    """What a variance computed as ``mean(h^2) - mean(h)^2`` costs (torch's channels-last norms).

    Its error is ``unit * mean(h^2)``, far more than relative where the mean is large.
    """
    lost = unit * lengths.square() / n
    low = (least.square() - lost).clamp_min(eps).sqrt()
    return torch.minimum(math.sqrt(n) * lost / (low * (low + least)), lengths / low)


def _running(
    comparison: Comparison,
    call: Call[Gap],
    output: Tensor,
    values: tuple[Tensor | None, ...],
) -> Gap:
    action = known(call, call.argument(0, "input")).action
    mean, variance, weight, bias = values
    eps = call.argument(7, "eps", 1e-5)
    m, dm = _vector(comparison, call, "running_mean", mean, action, default=0.0)
    v, dv = _vector(comparison, call, "running_var", variance, action, default=1.0)
    g, dg = _vector(comparison, call, "weight", weight, action, default=1.0)
    b, db = _vector(comparison, call, "bias", bias, action, default=0.0)
    scale, other = g / (v + eps).sqrt(), (g + dg) / (v + dv + eps).sqrt()
    return channelwise(
        comparison,
        call,
        output,
        scale=(scale, other - scale),
        shift=(b - m * scale, b + db - (m + dm) * other - (b - m * scale)),
    )


def _vector(
    comparison: Comparison,
    call: Call[Gap],
    name: str,
    values: Tensor | None,
    action: ChannelAction,
    *,
    default: float,
) -> tuple[Tensor, Tensor]:
    """(vector per channel, difference of the other pass), float64; scales have no sign."""
    if values is None:
        device = call.argument(0, "input").device
        held = torch.full((action.channels,), default, dtype=torch.float64, device=device)
        return held, torch.zeros_like(held)
    signed = name in ("bias", "running_mean")
    use = Parameter(call=call, name=name, values=values, action=action, signed=signed)
    change = comparison.vector(use)
    return values.detach().double(), change


def _maps_groups(action: ChannelAction, width: int) -> bool:
    """Whether groups of ``width`` channels go onto groups, with one sign per group."""
    for start in range(0, action.channels, width):
        targets = {p // width for p in action.perm[start : start + width]}
        if len(targets) > 1 or len(set(action.signs[start : start + width])) > 1:
            return False
    return True


def _untrained(call: Call[Gap]) -> Exception:
    return call.refuse(
        "in training mode its output depends on the whole batch and its statistics move",
        "call network.eval() first",
    )
