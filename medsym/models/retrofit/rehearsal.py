"""Running a network without data: a copy on torch's meta device, which has shapes only."""

import copy
from collections import OrderedDict
from collections.abc import Sequence
from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.symmetry.dataflow import tensors_in

_CANDIDATES = (32, 64, 96, 128, 160, 192)
"""Edge lengths that are tried if the network does not say which sizes it takes, voxels."""


def meta_copy(network: nn.Module) -> nn.Module:
    """A copy without values: parameters, buffers and remembered tensors live on ``meta``.

    Numbers are float32 whatever the network's are, and hooks that others put on the network are
    neither copied nor run.
    """
    memo: dict[int, object] = {}
    for tensor in [*network.parameters(), *network.buffers()]:
        shape_only = _shape_of(tensor)
        trained = isinstance(tensor, nn.Parameter)
        memo[id(tensor)] = (
            nn.Parameter(shape_only, requires_grad=tensor.requires_grad) if trained else shape_only
        )
    for module in network.modules():
        for name, value in vars(module).items():
            if name.startswith("_") and "hooks" in name:
                memo[id(value)] = OrderedDict()  # a hook's owner is not copied either
            for tensor in tensors_in(value):
                memo.setdefault(id(tensor), _shape_of(tensor))
    copied = copy.deepcopy(network, memo)
    for module in list(copied.modules()):
        if parametrize.is_parametrized(module):
            _without_parametrisation(module)
    return copied


def _shape_of(tensor: Tensor) -> Tensor:
    kind = torch.float32 if tensor.is_floating_point() else tensor.dtype
    return torch.empty(tensor.shape, dtype=kind, device="meta")


def _without_parametrisation(module: nn.Module) -> None:
    """Leave the raw tensors, whose shapes are those of the values, in a copied module.

    torch gives a parametrised module a generated class with the attribute as a property, which
    copies share; so the copy goes back to the class below and the property stays as it is.
    """
    entries = cast("nn.ModuleDict", module.parametrizations)
    originals = {name: cast("Tensor", entry.original) for name, entry in entries.items()}
    del module.parametrizations
    module.__class__ = type(module).__bases__[0]
    for name, original in originals.items():
        if isinstance(original, nn.Parameter):
            module.register_parameter(name, original)
        else:
            module.register_buffer(name, original)


def input_channels(network: nn.Module) -> int:
    """Number of input channels: the network's own word, or its first convolution's.

    Raises:
        ModelError: MS-241, neither is known.
    """
    stated = getattr(network, "in_channels", None)
    if isinstance(stated, int):
        return stated
    for module in network.modules():
        if isinstance(module, nn.Conv3d):
            return module.in_channels
    raise ModelError(
        code="MS-241",
        subject=type(network).__name__,
        cause="it has no 3D convolution and does not state in_channels",
        fix="give soften() an action_in, which states the number of input channels",
    )


def full_size(size: int | Sequence[int]) -> tuple[int, int, int]:
    """(x, y, z) from one edge length or three.

    Raises:
        ModelError: MS-242, not three positive whole numbers.
    """
    edges = (size,) * 3 if isinstance(size, int) else tuple(size)
    if len(edges) != 3 or min(edges) < 1:
        raise ModelError(
            code="MS-242",
            subject="size",
            cause=f"{size!r} is not an edge length or three of them",
            fix="give a number of voxels, or (x, y, z)",
        )
    return edges[0], edges[1], edges[2]


def working_size(
    network: nn.Module, channels: int, size: int | Sequence[int] | None
) -> tuple[int, int, int]:
    """A grid (x, y, z) that the network accepts: the given one, or one found by trying.

    Raises:
        ModelError: MS-243, the network runs on none of them, with its own words.
    """
    tried = [full_size(size)] if size is not None else [*_own_size(network), *_cubes()]
    said = ""
    rehearsed = meta_copy(network).train()
    for grid in tried:
        try:
            with torch.no_grad():
                rehearsed(empty_volume(channels, grid))
        except (RuntimeError, ValueError) as error:
            said = str(error)
        else:
            return grid
    raise ModelError(
        code="MS-243",
        subject=type(network).__name__,
        cause=f"it does not run on the grid {'x'.join(map(str, tried[-1]))}: {said}",
        fix="pass soften() a size (x, y, z) that the network accepts, and an action_in with as "
        f"many channels as it reads (here {channels})",
    )


def _cubes() -> list[tuple[int, int, int]]:
    return [full_size(n) for n in _CANDIDATES]


def _own_size(network: nn.Module) -> list[tuple[int, int, int]]:
    """The grid of a network with a fixed one (UNETR: tokens times patch)."""
    tokens, patch = getattr(network, "feat_size", None), getattr(network, "patch_size", None)
    if isinstance(tokens, tuple) and isinstance(patch, tuple):
        return [full_size(tuple(int(t) * int(p) for t, p in zip(tokens, patch, strict=True)))]
    return []


def empty_volume(channels: int, grid: Sequence[int]) -> Tensor:
    """(2, channels, x, y, z) on the meta device (two scans, so that batch norm has statistics)."""
    return torch.empty((2, channels, *grid), device="meta")
