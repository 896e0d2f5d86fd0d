"""Weights that half-work layers make from their parameters, and when they may.

A parametrised weight is computed on every use. In inference that is lost time, so what is derived
from parameters is kept until a parameter changes. (A change in place through ``parameter.data``
is invisible to torch's version counter; write under ``torch.no_grad()`` instead.)
"""

from collections.abc import Callable, Iterator
from typing import Any, TypeVar, cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.nn.layers import MirrorConv3d
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parts import twin_kernel
from medsym.symmetry.soft_weight import SoftWeight

Result = TypeVar("Result")


class Derived:
    """Results computed from the tensors of one module; a copy of the module starts without any."""

    def __init__(self) -> None:
        self._kept: dict[str, tuple[list[tuple[Any, ...]], Any]] = {}

    def __reduce__(self) -> tuple[type["Derived"], tuple[()]]:
        """Copied and pickled as empty."""
        return Derived, ()

    def get(self, module: nn.Module, name: str, build: Callable[[], Result]) -> Result:
        """``build()``, a function of the module's tensors alone, or its last result if it holds.

        Always built anew where the result has to carry a gradient.
        """
        sources = list(_tensors(module))
        if torch.is_grad_enabled() and any(s.requires_grad for s in sources):
            return build()
        if any(s.is_inference() for s in sources):  # have no version counter
            return build()
        state = [(s, s._version, s.data_ptr(), s.dtype) for s in sources]  # noqa: SLF001
        known = self._kept.get(name)
        if known is None or not _same(known[0], state):
            with torch.inference_mode(mode=False), torch.no_grad():
                known = (state, build())
            self._kept[name] = known
        return cast("Result", known[1])


def _tensors(module: nn.Module) -> Iterator[Tensor]:
    """Parameters and buffers; much faster than ``parameters()`` on small trees."""
    yield from (t for t in module._parameters.values() if t is not None)  # noqa: SLF001
    yield from (t for t in module._buffers.values() if t is not None)  # noqa: SLF001
    for child in module.children():
        yield from _tensors(child)


def _same(first: list[tuple[Any, ...]], second: list[tuple[Any, ...]]) -> bool:
    return len(first) == len(second) and all(
        a[0] is b[0] and a[1:] == b[1:] for a, b in zip(first, second, strict=True)
    )


def is_recorded(layer: nn.Module, volume: Tensor) -> bool:
    """Whether this pass will be differentiated, by the input or by a parameter."""
    if not torch.is_grad_enabled():
        return False
    return volume.requires_grad or any(t.requires_grad for t in _tensors(layer))


def exact_source(layer: MirrorConv3d) -> Tensor | None:
    """A tensor whose even part is the layer's weight, if that is exactly equivariant; else None.

    The weight of a folded layer is free: it counts as exact only where it is not trained.
    """
    if not parametrize.is_parametrized(layer, "weight"):
        weight = layer.weight
        if torch.is_grad_enabled() and weight.requires_grad:
            return None
        even = torch.equal(weight, twin_kernel(weight, layer.action_in, layer.action_out))
        return weight if even else None
    entry = cast("nn.ModuleDict", layer.parametrizations)["weight"]
    chain = list(cast("nn.ModuleList", entry))
    soft = chain[0]
    if len(chain) > 1 or not isinstance(soft, SoftWeight):
        return None
    exact = soft.softness.is_exact and not soft.frozen
    return cast("Tensor", entry.original) if exact else None


def half_types(channels: int) -> ChannelAction:
    """Channels in two equal halves, trivial then sign: the type that half-work layers map.

    It is the regular type in another basis: ``(trivial + sign, trivial - sign) / sqrt 2``.

    Args:
        channels: Even.
    """
    half = channels // 2
    return ChannelAction.trivial(half) + ChannelAction.sign(channels - half)


def check_half_types(action: ChannelAction, name: str) -> None:
    """Refuse channels other than trivial and sign halves mirrored along x.

    Raises:
        ModelError: MS-215.
    """
    if action.channels % 2 or action != half_types(action.channels):
        raise ModelError(
            code="MS-215",
            subject=name,
            cause="its channels are not one half trivial, then one half sign, mirrored along x",
            fix="give half_types(channels), or use MirrorConv3d, which takes every action",
        )


def is_regular(action: ChannelAction) -> bool:
    """Whether all channels swap in neighbouring pairs, mirrored along x."""
    return action == ChannelAction.regular(action.channels // 2)


def halves_of_pairs(tensor: Tensor, *, dim: int) -> Tensor:
    """From the regular type to halves, times sqrt 2: (a, b) pairs to all a + b, then all a - b."""
    first, second = tensor.unflatten(dim, (-1, 2)).unbind(dim + 1)
    return torch.cat((first + second, first - second), dim=dim)


def pairs_of_halves(tensor: Tensor) -> Tensor:
    """From halves to the regular type, times sqrt 2: all t, then all s to pairs (t + s, t - s)."""
    trivial, sign = tensor.chunk(2, dim=1)
    return torch.stack((trivial + sign, trivial - sign), dim=2).flatten(1, 2)
