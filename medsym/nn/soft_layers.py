"""The convolution whose softness varies, over regions of the grid or with the input.

    y = W_even h + a W_odd h,    a = a(v) by voxel, or a(h) by input

No single kernel does this, so the layer computes both parts. Its defect is still exact. W_even
commutes with S and W_odd h changes sign, hence, with ``a'`` the softness on the mirrored input::

    E(h) = y(S h) - S y(h) = -(a' + S a) S W_odd h

(S a: flipped, channels permuted, without signs). A map a(v) = a' gives the pair mean of the two
sides as effective softness, ``(a(v) + a(S v)) / 2``: what is different between the sides is an
equivariant part. A gate on invariant features has a' = S a, so the defect is ``-2 S (a W_odd h)``.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.nn.layers import MirrorConv3d
from medsym.nn.varying_softness import ConditionedSoftness, RegionSoftness
from medsym.symmetry.mirror import ChannelAction, flip, mirror
from medsym.symmetry.parametrisation import SoftKernel, SoftWeight, parametrisation, soften_layer
from medsym.symmetry.softness import Softness

__all__ = ["ConditionedSoftness", "RegionSoftness", "VaryingConv3d", "vary"]


class VaryingConv3d(MirrorConv3d):
    """Convolution that runs even and odd part side by side: ``W_even h + a W_odd h``.

    Takes every :class:`Softness`; twice the work of a plain convolution, except at softness 0,
    where only the even part is run. Arguments as for :class:`MirrorConv3d`. ``fold`` works where
    the softness has a single value and refuses the layer by name elsewhere.

    Example:
        >>> grid = RegionSoftness(torch.full((4, 4, 2), 0.1), learned=True)
        >>> pairs = ChannelAction.regular(4)
        >>> layer = VaryingConv3d(pairs, pairs, softness=grid)
    """

    mixes_parts = True

    def forward(self, volume: Tensor) -> Tensor:
        """(b, c_in, x, y, z) -> (b, c_out, x', y', z')."""
        if not parametrize.is_parametrized(self, "weight") or self._softness().is_exact:
            return super().forward(volume)
        self.check_size(volume)
        even, odd = self._run(volume)
        return even + self._factor(volume, odd) * odd

    def defect(self, volume: Tensor) -> Tensor:
        """E(h) = y(S h) - S y(h) from the weights, exact up to rounding; (b, c_out, x', y', z')."""
        _, odd = self._run(volume)
        here = self._factor(volume, odd)
        there = self._factor(mirror(volume, self.action_in), odd)
        return -(there + self._mirrored(here)) * mirror(odd, self.action_out)

    def bound(self, volume: Tensor) -> Tensor:
        """Upper limit of |E(h)| whatever the gate says, with the rounding of both passes.

        ``(a + S a) |S W_odd h|`` with a the map, or the ceiling of the gate, plus the error of
        two convolutions of n terms, ``gamma_n (|W_even| + |W_odd|) * |h|`` each (Higham,
        "Accuracy and Stability of Numerical Algorithms", section 3.1), for arithmetic in the
        precision of ``volume`` (not TF32).
        """
        softness = self._softness()
        _, odd = self._run(volume)
        limit = self._tied(
            softness.field(volume, odd.shape[2:])
            if isinstance(softness, RegionSoftness)
            else softness.value.reshape(1, -1, 1, 1, 1)
        )
        (even_w, odd_w), (even_b, odd_b) = self._parts()
        bias = None if even_b is None or odd_b is None else even_b.abs() + odd_b.abs()
        size = self._conv_forward(volume.abs(), even_w.abs() + odd_w.abs(), bias)
        terms = odd_w[0].numel() + 8  # products, sums, bias, softness, and the parts themselves
        slack = 4.0 * terms * torch.finfo(volume.dtype).eps * self._mirrored(size)
        return (limit + self._mirrored(limit)) * mirror(odd, self.action_out).abs() + slack

    def _softness(self) -> Softness:
        return self._weight("weight")[0].softness

    def _weight(self, name: str) -> tuple[SoftWeight, Tensor]:
        kernel, raw = parametrisation(self, name)
        assert isinstance(kernel, SoftWeight)
        return kernel, raw

    def _parts(self) -> tuple[tuple[Tensor, Tensor], tuple[Tensor | None, Tensor | None]]:
        """((W_even, W_odd), (b_even, b_odd)), frozen ones without gradient."""
        kernel, raw = self._weight("weight")
        if not parametrize.is_parametrized(self, "bias"):
            return kernel.live_split(raw), (None, None)
        vector, raw_bias = self._weight("bias")
        return kernel.live_split(raw), vector.live_split(raw_bias)

    def _run(self, volume: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even h + b_even, W_odd h + b_odd)."""
        (even, odd), (even_bias, odd_bias) = self._parts()
        return (
            self._conv_forward(volume, even, even_bias),
            self._conv_forward(volume, odd, odd_bias),
        )

    def _factor(self, volume: Tensor, output: Tensor) -> Tensor:
        value = self._tied(self._softness().field(volume, output.shape[2:]))
        return value.detach() if "softness" in self._weight("weight")[0].frozen else value

    def _tied(self, field: Tensor) -> Tensor:
        """The mean over channels that the mirror swaps, as in a single kernel."""
        if field.shape[1] == 1:
            return field
        return (field + self.action_out.apply(field, signed=False)) / 2

    def _mirrored(self, field: Tensor) -> Tensor:
        """S without signs, of a field with one or all output channels."""
        flipped = flip(field, self.action_out.axis)
        return self.action_out.apply(flipped, signed=False) if field.shape[1] > 1 else flipped


def vary(model: nn.Module, make: Callable[[str, ChannelAction], Softness]) -> nn.Module:
    """Give the strict convolutions of a network softness that varies, in place, same function.

    Every softened ``Conv3d`` becomes a :class:`VaryingConv3d` with W_odd = 0 and even weights as
    they were (the relaxation morphism, see ``medsym.symmetry.relaxation``).

    Args:
        model: A strict network: softened, at softness 0.
        make: (name of the layer, channel action on its input) -> its softness.

    Raises:
        ModelError: MS-229, a layer is not strict; by name, and the model is then unchanged.
    """
    found = {
        name: layer
        for name, layer in model.named_modules()
        if isinstance(layer, nn.Conv3d) and parametrize.is_parametrized(layer, "weight")
    }
    for name, layer in found.items():
        kernel, _ = parametrisation(layer, "weight")
        if name == "" or not (isinstance(kernel, SoftKernel) and kernel.softness.is_exact):
            raise ModelError(
                code="MS-229",
                subject=name or type(model).__name__,
                cause="only strict layers inside a network can get varying softness",
                fix="call harden() first, or build VaryingConv3d layers",
            )
    made = {id(layer): _varying(layer, name, make) for name, layer in found.items()}
    for name, layer in list(model.named_modules(remove_duplicate=False)):
        if id(layer) in made:  # a layer that is used twice stays one layer
            model.set_submodule(name, made[id(layer)])
    return model


def _varying(
    layer: nn.Conv3d, name: str, make: Callable[[str, ChannelAction], Softness]
) -> VaryingConv3d:
    kernel = parametrisation(layer, "weight")[0]
    assert isinstance(kernel, SoftKernel)
    varying = VaryingConv3d.__new__(VaryingConv3d)
    nn.Conv3d.__init__(
        varying,
        layer.in_channels,
        layer.out_channels,
        layer.kernel_size,  # type: ignore[arg-type]
        layer.stride,  # type: ignore[arg-type]
        layer.padding,  # type: ignore[arg-type]
        layer.dilation,  # type: ignore[arg-type]
        layer.groups,
        layer.bias is not None,
        layer.padding_mode,
        device=layer.weight.device,
        dtype=layer.weight.dtype,
    )
    with torch.no_grad():
        varying.weight.copy_(layer.weight)
        if varying.bias is not None and layer.bias is not None:
            varying.bias.copy_(layer.bias)
    varying.action_in, varying.action_out = kernel.action_in, kernel.action_out
    softness = make(name, kernel.action_in).to(layer.weight.device)
    soften_layer(
        varying, action_in=kernel.action_in, action_out=kernel.action_out, softness=softness
    )
    return varying
