"""Stability of the output in the softness: how much it moves when softness is turned.

Let f_a run with softness a, every layer its own, and f_b with b in [0, 1], and let t = max |b -
a| over all layers and channels. At a layer, with features h of f_a and h' of f_b,

    W_b h' - W_a h = W_b (h' - h) + (W_b - W_a) h,      W_b - W_a = (b - a) W_odd,

so ``|h'_next - h_next| <= |W_b| |h' - h| + t |W_odd h + b_odd|``. By induction over layers every
distance is at most C t, where C follows the walk of the running certificate with ``|W_odd h +
b_odd|`` as source and a gain that holds for all b: ``|W_b|`` is convex in b, hence at most
the larger of ``|W_even|`` and ``|W_even + W_odd|``. Norms keep this linear: their local factor
grows with the distance and t <= 1, so the factor at C holds. Hence ``|f_a(x) - f_b(x)| <= C(x)
|a - b|`` for every b; the rounding of the two passes is given apart.
"""

from dataclasses import dataclass
from typing import cast

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.certificates.certify import compared_pass
from medsym.symmetry.certificates.comparison import (
    Comparison,
    Geometry,
    KernelPair,
    Parameter,
    soft_weight,
)
from medsym.symmetry.certificates.gap import Gap
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.soft_weight import SoftWeight
from medsym.symmetry.softness import Softness
from medsym.symmetry.walk import Call


class OtherSoftness(Comparison):
    """A network at softness a, which ran, and at any b: gaps per unit of ``max |b - a|``.

    Every softened tensor is ``W_even + b W_odd``: it differs by ``(b - a) W_odd``, and its norm is
    at most the larger of those at b = 0 and b = 1 (a norm is convex), or the sum of the norms of
    its parts if the softness differs between channels.
    """

    mirrored = False

    def kernel(self, use: Parameter, form: Geometry) -> KernelPair:
        """The difference per unit of softness is W_odd itself."""
        found = soft_weight(use.call, "weight")
        kernel = use.values.detach().double()
        outputs = kernel.shape[1] * form.groups if form.transposed else kernel.shape[0]
        if found is None:
            norm = form.norm(kernel)
            return KernelPair(
                difference=torch.zeros_like(kernel),
                difference_norm=0.0,
                gain=norm,
                gain_any=norm,
                absolute=form.absolute(kernel),
                action_out=ChannelAction.trivial(outputs, axis=use.action.axis),
            )
        even, odd = _constant_parts(use.call, found)
        if not torch.equal(cast("Tensor", use.call.module.weight), use.values):
            raise use.call.refuse("it convolves with another kernel than its own", "fold it first")
        odd_norm, even_norm = form.norm(odd), form.norm(even)
        single = found[0].softness.value.numel() == 1
        gain = max(even_norm, form.norm(even + odd)) if single else even_norm + odd_norm
        return KernelPair(
            difference=odd,
            difference_norm=odd_norm,
            gain=gain,
            gain_any=gain,
            absolute=form.absolute(even.abs() + odd.abs()),
            action_out=ChannelAction.trivial(outputs, axis=use.action.axis),
        )

    def vector(self, use: Parameter) -> Tensor:
        """The odd part of a softened vector, zero for any other."""
        found = soft_weight(use.call, use.name)
        if found is None:
            return torch.zeros_like(use.values, dtype=torch.float64)
        return _constant_parts(use.call, found)[1]


def _constant_parts(call: Call[Gap], found: tuple[SoftWeight, Tensor]) -> tuple[Tensor, Tensor]:
    """(W_even, W_odd) in float64, without the softness."""
    weight, raw = found
    if type(weight.softness) is not Softness:
        raise _unsupported(call.path, type(weight.softness).__name__)
    even, odd = weight.split(raw.detach().double())
    return even, odd


def _unsupported(path: str, kind: str) -> ModelError:
    return ModelError(
        code="MS-260",
        subject=path or "network",
        cause=f"its softness ({kind}) is no single factor per layer or channel of a weight",
        fix="compare two passes instead, one per softness",
    )


def _check_softnesses(network: nn.Module) -> None:
    """Refuse softness that acts through something else than ``W_even + a W_odd``."""
    for path, module in network.named_modules():
        if any(isinstance(child, Softness) for child in module.children()) and not isinstance(
            module, SoftWeight
        ):
            raise _unsupported(path, type(module).__name__)


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftnessStability:
    """``|f_a(x) - f_b(x)| <= constant |a - b| + rounding`` for every softness b.

    Attributes:
        constant: C(x), (b,), per unit of softness.
        rounding: (b,), what the arithmetic of the two passes can add.
    """

    constant: Tensor
    rounding: Tensor


@torch.no_grad()
def softness_stability(network: nn.Module, volume: Tensor) -> SoftnessStability:
    """How far the output on this input can move when softness is turned, by one pass.

    Args:
        network: In evaluation mode, softened with softness per layer or per channel.
        volume: The input (b, c, x, y, z).

    Raises:
        ModelError: MS-220, a function without a rule; MS-260, a softness that varies over voxels
            or inputs; MS-261, no single finite output.
    """
    _check_softnesses(network)
    action = ChannelAction.trivial(volume.shape[1])
    _, gap = compared_pass(network, volume, OtherSoftness(), action=action, radius=0.0)
    return SoftnessStability(constant=gap.error, rounding=gap.rounding)
