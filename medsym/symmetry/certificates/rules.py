"""Which torch function follows which certificate rule; every other one is refused by name."""

from collections.abc import Callable
from functools import partial
from typing import Any

import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.symmetry.certificates import joining, norms, pointwise, resampling
from medsym.symmetry.certificates import linear as weighted
from medsym.symmetry.certificates.comparison import Comparison
from medsym.symmetry.certificates.gap import Gap, known, unit_rounding
from medsym.symmetry.walk import Call, Rule

ComparedRule = Callable[[Comparison, Call[Gap], Any], Gap]


def unchanged(_comparison: Comparison, call: Call[Gap], output: Tensor) -> Gap:
    """Copies, memory layouts, and conversions, which round once."""
    tensor = call.argument(0, "input")
    gap = known(call, tensor)
    if not output.is_floating_point():
        raise call.refuse("a conversion to whole numbers", "keep floating point numbers")
    same = (
        output.dtype == tensor.dtype
        or torch.finfo(output.dtype).eps <= torch.finfo(tensor.dtype).eps
    )
    return gap if same else gap.with_rounding(unit_rounding(output), output)


def dropout(_comparison: Comparison, call: Call[Gap], _output: Tensor) -> Gap:
    """The identity in evaluation; refused in training, where it is random."""
    default = call.function not in (torch.dropout, torch.feature_dropout)
    if call.argument(2, "training", call.argument(2, "train", default)):
        raise call.refuse("it is random in training mode", "call network.eval() first")
    return known(call, call.argument(0, "input"))


_GROUPS: tuple[tuple[ComparedRule, tuple[Callable[..., Any], ...]], ...] = (
    (weighted.convolution, (F.conv3d,)),
    (weighted.transposed_convolution, (F.conv_transpose3d,)),
    (weighted.linear, (F.linear,)),
    (norms.instance_norm, (F.instance_norm,)),
    (norms.batch_norm, (F.batch_norm,)),
    (norms.group_norm, (F.group_norm,)),
    (norms.layer_norm, (F.layer_norm,)),
    (pointwise.activation, tuple(pointwise.CURVES)),
    (pointwise.softmax, (F.softmax, torch.softmax, Tensor.softmax)),
    (pointwise.prelu, (F.prelu, torch.prelu)),
    (
        joining.addition,
        (
            *(torch.add, Tensor.add, Tensor.add_, Tensor.__radd__, Tensor.__iadd__),
            *(torch.sub, Tensor.sub, Tensor.sub_, Tensor.__rsub__, Tensor.__isub__),
        ),
    ),
    (joining.product, (torch.mul, Tensor.mul, Tensor.__rmul__)),
    (joining.quotient, (torch.div, Tensor.div)),
    (joining.concatenation, (torch.cat, torch.concat)),
    (joining.repetition, (Tensor.repeat,)),
    (joining.mean, (torch.mean, Tensor.mean)),
    (
        joining.reshaping,
        (
            *(torch.flatten, Tensor.flatten, Tensor.view, Tensor.reshape, torch.reshape),
            *(torch.squeeze, Tensor.squeeze),
        ),
    ),
    (resampling.average_pool, (F.avg_pool3d,)),
    (resampling.adaptive_average_pool, (F.adaptive_avg_pool3d,)),
    (resampling.max_pool, (F.max_pool3d, torch.max_pool3d)),
    (resampling.adaptive_max_pool, (F.adaptive_max_pool3d,)),
    (resampling.interpolation, (F.interpolate,)),
    (resampling.padding, (F.pad,)),
    (resampling.selection, (Tensor.__getitem__,)),
    (
        unchanged,
        (
            *(Tensor.contiguous, Tensor.clone, torch.clone, Tensor.detach, Tensor.neg, torch.neg),
            *(Tensor.to, Tensor.float, Tensor.double, Tensor.half, Tensor.bfloat16, Tensor.type_as),
        ),
    ),
    (
        dropout,
        (
            *(F.dropout, F.dropout3d, F.alpha_dropout, F.feature_alpha_dropout),
            *(torch.dropout, torch.feature_dropout),
        ),
    ),
)


def certificate_rules(comparison: Comparison) -> dict[Callable[..., Any], Rule[Gap]]:
    """Rules for a walk that compares two passes."""
    return {function: partial(rule, comparison) for rule, group in _GROUPS for function in group}
