"""Which grids keep the mirror of a network, found by running it without data."""

from collections.abc import Sequence
from functools import partial
from typing import Any

import torch
from monai.networks.nets.swin_unetr import SwinTransformer
from torch import Tensor, nn

from medsym.errors import GridError
from medsym.models.retrofit.grid_rules import (
    GRID_RULES,
    GridRule,
    OneSidedError,
    watch_windows,
)
from medsym.models.retrofit.named_rules import NamedRules
from medsym.models.retrofit.rehearsal import empty_volume, full_size, meta_copy
from medsym.models.retrofit.strides import axis_index
from medsym.symmetry.mirror import Axis
from medsym.symmetry.walk import Call, Rule, Walk

_NEAR, _FAR, _COARSE = 16, 128, 16
"""Working sizes are looked for within 16 voxels of a refused one, then at multiples of 16."""


def check_grid(network: nn.Module, shape: Sequence[int], *, axis: Axis, channels: int) -> None:
    """Refuse a grid on which the network cannot commute with the mirror.

    Args:
        network: A softened network; only a copy without values is run.
        shape: (x, y, z), or a tensor shape (b, c, x, y, z).
        axis: The mirrored axis.
        channels: Number of input channels.

    Raises:
        GridError: MS-250, names the layer that is one-sided and the nearest sizes that work;
            MS-251, the network itself does not run on the grid, with its words.
    """
    grid = full_size(tuple(int(n) for n in shape[-3:]))
    rehearsed = meta_copy(network).eval()
    watch_windows(rehearsed, axis)
    try:
        _run(rehearsed, grid, axis, channels)
    except OneSidedError as problem:
        raise GridError(
            code="MS-250",
            subject=problem.path or type(network).__name__,
            cause=f"{_shown(grid)} breaks the mirror along {axis}: {problem.cause}",
            fix=_advice(rehearsed, grid, axis, channels),
        ) from None
    except (RuntimeError, ValueError) as error:
        raise GridError(
            code="MS-251",
            subject=type(network).__name__,
            cause=f"does not run on {_shown(grid)}: {error}",
            fix=_advice(rehearsed, grid, axis, channels),
        ) from None


def _shown(grid: Sequence[int]) -> str:
    return "x".join(str(n) for n in grid)


def _run(rehearsed: nn.Module, grid: Sequence[int], axis: Axis, channels: int) -> None:
    inside = {p for p, m in rehearsed.named_modules() if isinstance(m, SwinTransformer)}
    rules: dict[str, Rule[bool]] = {
        name: partial(_checked, rule, inside, axis) for name, rule in GRID_RULES.items()
    }
    walk = Walk[bool](rehearsed, rules=NamedRules(rules, _pass_on))
    with torch.no_grad():
        walk.run((empty_volume(channels, grid), True))


def _pass_on(_call: Call[bool], _output: Any) -> bool:
    return True


def _checked(rule: GridRule, inside: set[str], axis: Axis, call: Call[bool], output: Any) -> bool:
    """One check; padding inside a Swin transformer is that of its windows, checked there."""
    parents = {call.path[:i] for i, c in enumerate(call.path) if c == "."} | {call.path, ""}
    volume = call.argument(0, "input")
    is_volume = isinstance(volume, Tensor) and volume.ndim == 5
    if is_volume and not (call.name.endswith("pad") and inside & parents):
        rule(axis_index(axis), call, output)
    return True


def _advice(rehearsed: nn.Module, grid: tuple[int, ...], axis: Axis, channels: int) -> str:
    """The nearest sizes along the axis that work, below and above."""
    index = axis_index(axis)
    found = []
    for sizes in _nearest(grid[index]):
        for size in sizes:
            tried = [size if i == index else n for i, n in enumerate(grid)]
            if _works(rehearsed, tried, axis, channels):
                found.append(str(size))
                break
    if not found:
        return f"no size along {axis} near {grid[index]} works; check the other axes too"
    return f"use a size of {' or '.join(found)} along {axis}"


def _nearest(size: int) -> tuple[list[int], list[int]]:
    """Sizes to try, below and above, nearest first."""
    below = [n for n in range(size - 1, 0, -1) if size - n <= _NEAR or n % _COARSE == 0]
    above = [n for n in range(size + 1, size + _FAR) if n - size <= _NEAR or n % _COARSE == 0]
    return [n for n in below if size - n < _FAR], above


def _works(rehearsed: nn.Module, grid: Sequence[int], axis: Axis, channels: int) -> bool:
    try:
        _run(rehearsed, grid, axis, channels)
    except (OneSidedError, RuntimeError, ValueError):
        return False
    return True
