"""A network on a part of its input that remembers the whole: statistics and places.

An instance norm takes mean and variance over all voxels, so a network that is run on a part of its
input answers differently everywhere. With the statistics of the whole kept, only the border of the
part is wrong. The statistics of a mirrored scan are those of the scan with the channels swapped, by
the exactness of the layers: of regular type, channels swap in neighbouring pairs.
"""

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from typing import Any

import torch
from torch import Tensor, nn

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.support import Box
from medsym.nn.position import with_position

Statistics = dict[str, tuple[Tensor, Tensor]]
"""Name of a norm -> mean and variance of its input, (1, c, 1, 1, 1) each."""


@contextmanager
def recorded(network: nn.Module) -> Iterator[Statistics]:
    """While open, a pass of the network leaves the statistics of its norms."""
    found: Statistics = {}

    def keep(name: str) -> Any:
        def hook(_module: nn.Module, inputs: tuple[Tensor, ...]) -> None:
            variance, mean = torch.var_mean(inputs[0], dim=(2, 3, 4), correction=0, keepdim=True)
            found[name] = (mean, variance)

        return hook

    handles = [module.register_forward_pre_hook(keep(name)) for name, module in _norms(network)]
    try:
        yield found
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def frozen(network: nn.Module, statistics: Statistics) -> Iterator[None]:
    """While open, norms with statistics among these use them instead of their input's."""

    def use(name: str) -> Any:
        mean, variance = statistics[name]

        def hook(module: nn.InstanceNorm3d, inputs: tuple[Tensor, ...], _output: Tensor) -> Tensor:
            scale = module.weight.view(1, -1, 1, 1, 1) * torch.rsqrt(variance + module.eps)
            return (inputs[0] - mean) * scale + module.bias.view(1, -1, 1, 1, 1)

        return hook

    handles = [
        module.register_forward_hook(use(name))
        for name, module in _norms(network)
        if name in statistics
    ]
    try:
        yield
    finally:
        for handle in handles:
            handle.remove()


@contextmanager
def placed(network: AsymmetryNet, box: Box, *, shape: Sequence[int]) -> Iterator[None]:
    """While open, a network that is told places is told those of the whole, not of the part.

    Args:
        network: whose passes are of the part alone.
        box: the part.
        shape: (x, y, z) of the whole.
    """

    def tell(_module: nn.Module, inputs: tuple[Tensor, ...]) -> tuple[Tensor, ...]:
        whole = with_position(inputs[0].new_zeros(1, 1, *shape))
        return (torch.cat([inputs[0][:, :1], whole[(..., *box)][:, 1:]], dim=1),)

    if not network.settings.position:
        yield
        return
    handle = network.levels[0].register_forward_pre_hook(tell)
    try:
        yield
    finally:
        handle.remove()


def mirrored(statistics: Statistics) -> Statistics:
    """Statistics of the mirrored scan: neighbouring channels swap."""
    return {
        name: (_swapped(mean), _swapped(variance)) for name, (mean, variance) in statistics.items()
    }


def _swapped(values: Tensor) -> Tensor:
    return values.unflatten(1, (-1, 2)).flip(2).flatten(1, 2)


def _norms(network: nn.Module) -> list[tuple[str, nn.InstanceNorm3d]]:
    return [
        (name, module)
        for name, module in network.named_modules()
        if isinstance(module, nn.InstanceNorm3d)
    ]
