"""``W_even + a W_odd`` of a weight at the price of a few passes over its memory.

With the twin ``W~ = S W S`` the soft weight is ``(1 + a)/2 W + (1 - a)/2 W~``. Since S is its own
inverse and permutes entries up to sign, the gradient is the same formula applied to the gradient:
no scatter, no temporary per step. ``medsym.symmetry.parts`` is the plain definition of the twin.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from medsym.symmetry.mirror import ChannelAction, flip
from medsym.symmetry.parts import twin_kernel

Twin = Callable[[Tensor], Tensor]
"""S W S of a weight; linear, its own inverse and its own transpose."""


class KernelTwin:
    """S W S of convolution kernels of one layer, with everything but the copy done beforehand.

    Args:
        action_in: Channel action on the layer's input.
        action_out: Channel action on its output.
        transposed: The kernel is (in, out / groups, x, y, z) instead of (out, in / groups, ...).
        groups: Of the convolution.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        transposed: bool = False,
        groups: int = 1,
    ) -> None:
        self._actions = (action_in, action_out)
        self._transposed, self._groups = transposed, groups
        self._axis = action_in.axis
        self._tables: dict[tuple[torch.Size, torch.device], tuple[Tensor, Tensor | None]] = {}

    def __call__(self, kernel: Tensor) -> Tensor:
        """The twin, same shape."""
        rows = kernel.shape[:3] if self._axis == "x" else kernel.shape[:2]
        index, signs = self._table(rows, kernel.device)
        turned = kernel if self._axis == "x" else flip(kernel, self._axis)
        twin = turned.reshape(index.numel(), -1).index_select(0, index).reshape(kernel.shape)
        return twin if signs is None else twin.mul_(signs.to(kernel.dtype))

    @torch.inference_mode(False)  # a table made in that mode could not be trained with later
    def _table(self, rows: torch.Size, device: torch.device) -> tuple[Tensor, Tensor | None]:
        """(row to read for each row, sign of each row or None), from the plain definition."""
        known = self._tables.get((rows, device))
        if known is None:
            count = rows.numel()
            numbers = torch.arange(1, count + 1, dtype=torch.float64).reshape(*rows)
            shaped = numbers.reshape(*rows, *([1] * (5 - len(rows))))
            action_in, action_out = self._actions
            turned = twin_kernel(
                shaped,
                action_in,
                action_out,
                transposed=self._transposed,
                groups=self._groups,
            )
            index = (turned.abs() - 1).int().flatten().to(device)
            signs = turned.sign().to(device)
            known = (index, None if bool((signs > 0).all()) else signs)
            self._tables[rows, device] = known
        return known


class VectorTwin:
    """R b for vectors of one layer, with the tables kept per device.

    Args:
        action: Channel action R.
        signed: Apply its signs (a shift); else permute only (a scale).
    """

    def __init__(self, action: ChannelAction, *, signed: bool = True) -> None:
        self._perm = action.perm
        self._signs = action.signs if signed and not action.is_permutation else None
        self.is_identity = self._signs is None and action.perm == tuple(range(action.channels))
        self._tables: dict[torch.device, tuple[Tensor, Tensor | None]] = {}

    def __call__(self, vector: Tensor) -> Tensor:
        """The twin, a new tensor of the same shape."""
        index, signs = self._table(vector.device)
        twin = vector.index_select(0, index)
        return twin if signs is None else twin * signs.to(vector.dtype)

    @torch.inference_mode(False)
    def _table(self, device: torch.device) -> tuple[Tensor, Tensor | None]:
        known = self._tables.get(device)
        if known is None:
            signs = None if self._signs is None else torch.tensor(self._signs, device=device)
            known = (torch.tensor(self._perm, device=device), signs)
            self._tables[device] = known
        return known


def soft_weight(raw: Tensor, twin: Twin, factor: Tensor | None) -> Tensor:
    """``W_even + a W_odd``, differentiable in the raw tensor and in the factor.

    Args:
        raw: The weight W.
        twin: Makes its S W S, a new tensor.
        factor: Softness a, broadcastable to the weight and the same on swapped channels; None is
            0, and the result is then exactly its own twin.
    """
    result: Tensor = _SoftWeight.apply(raw, factor, twin)  # type: ignore[no-untyped-call]
    return result


class _SoftWeight(torch.autograd.Function):
    """The formula and its gradient; differentiable twice, and under torch.func."""

    generate_vmap_rule = True

    @staticmethod
    def forward(raw: Tensor, factor: Tensor | None, twin: Twin) -> Tensor:
        return _mixed(raw, twin(raw), factor)

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:
        del output
        raw, factor, ctx.twin = inputs
        ctx.save_for_backward(raw if factor is not None and factor.requires_grad else None, factor)

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, Tensor | None, None]:
        (gradient,) = gradients
        raw, factor = ctx.saved_tensors
        to_raw = _mixed(gradient, ctx.twin(gradient), factor)
        if raw is None:
            return to_raw, None, None
        minus_twice_odd = ctx.twin(raw).sub_(raw)  # exactly 0 where the odd part is
        if factor.numel() == 1:
            total = torch.dot(gradient.reshape(-1), minus_twice_odd.reshape(-1))
            return to_raw, (total / -2).reshape(factor.shape), None
        return to_raw, (gradient * minus_twice_odd).sum_to_size(factor.shape) / -2, None


def _mixed(raw: Tensor, twin: Tensor, factor: Tensor | None) -> Tensor:
    """The formula; the twin is used up, unless a second derivative needs it."""
    if factor is None:
        return twin.add_(raw).mul_(0.5)
    share = (1.0 + factor) / 2
    return torch.lerp(twin, raw, share) if torch.is_grad_enabled() else twin.lerp_(raw, share)
