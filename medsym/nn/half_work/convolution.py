"""A 3D convolution that does half the multiplications where that wins.

Same parameters, same softness, same output as :class:`MirrorConv3d`; only the arithmetic is
chosen: pre-added taps (``medsym.nn.half_work.taps``) while the layer is exactly equivariant and
wide enough, the dense kernel otherwise, and always when the softness is not 0.
"""

import torch
from torch import Tensor

from medsym.errors import ModelError
from medsym.nn.half_work.rule import convolution_wins
from medsym.nn.half_work.taps import half_convolution, half_kernel
from medsym.nn.half_work.weights import (
    Derived,
    check_half_types,
    exact_source,
    half_types,
    halves_of_pairs,
    is_recorded,
    is_regular,
    pairs_of_halves,
)
from medsym.nn.layers import MirrorConv3d
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.softness import Softness

__all__ = ["HalfConv3d", "half_types"]


class HalfConv3d(MirrorConv3d):
    """Convolution (b, c_in, x, y, z) -> (b, c_out, x, y, z) with ``W_even + a W_odd``.

    Regular channels are taken to halves and back by sums and differences of their pairs, which
    cost a few passes over the volume.

    Args:
        action_in: ``half_types(c_in)``, or a regular action; the mirror's axis must be x.
        action_out: ``half_types(c_out)``, or a regular action.
        kernel_size: Odd, at least 3; stride 1 and zero padding that keeps the size.
        softness: Shared by weight and bias; None is exact.
        bias: Add a bias (zero on sign channels at softness 0).

    Raises:
        ModelError: MS-215, channels that are neither two halves of trivial and sign type nor
            regular; MS-216, a kernel without
            taps to add.
    """

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        *,
        kernel_size: int = 3,
        softness: Softness | None = None,
        bias: bool = True,
    ) -> None:
        for action in (action_in, action_out):
            if not is_regular(action):
                check_half_types(action, "HalfConv3d")
        if kernel_size < 3:
            raise ModelError(
                code="MS-216",
                subject="HalfConv3d",
                cause=f"kernel {kernel_size} has no neighbouring voxels to add",
                fix="use kernel 3, 5, ..., or MirrorConv3d for a pointwise map",
            )
        super().__init__(
            action_in, action_out, kernel_size=kernel_size, softness=softness, bias=bias
        )
        self._pairs_in, self._pairs_out = is_regular(action_in), is_regular(action_out)
        self._derived = Derived()

    def forward(self, volume: Tensor) -> Tensor:
        """Convolve with the faster of the two equal kernels."""
        if self._wins(recorded=is_recorded(self, volume)):
            kernel, bias = self._derived.get(self, "half", self._half_weights)
            if kernel is not None:
                halves = halves_of_pairs(volume, dim=1) if self._pairs_in else volume
                output = half_convolution(halves, kernel, bias)
                return pairs_of_halves(output) if self._pairs_out else output
        weight, bias = self._derived.get(self, "dense", lambda: (self.weight, self.bias))
        return self._conv_forward(volume, weight, bias)

    def works_half(self, *, recorded: bool) -> bool:
        """Whether the next pass uses the half kernel; ``recorded``: it will be differentiated."""
        with torch.set_grad_enabled(recorded):
            return self._wins(recorded=recorded) and exact_source(self) is not None

    def _wins(self, *, recorded: bool) -> bool:
        pairs = self._pairs_in or self._pairs_out
        return convolution_wins(
            self.in_channels, self.out_channels, recorded=recorded, regular=pairs
        )

    def _half_weights(self) -> tuple[Tensor | None, Tensor | None]:
        weight, bias = exact_source(self), self.bias
        if weight is None:
            return None, None
        if self._pairs_in:
            weight = halves_of_pairs(weight, dim=1) / 2
        if self._pairs_out:
            weight = halves_of_pairs(weight, dim=0) / 2
            bias = None if bias is None else halves_of_pairs(bias, dim=0) / 2
        return half_kernel(weight), bias
