"""Projection of weights and functions onto the equivariant ones, for a grid group.

Every linear map splits as ``W = W_G + (W - W_G)`` with ``W_G = mean_g g W g^-1``, the Reynolds
projection (Finzi et al. 2021, arXiv 2112.01388, section 3). For more than two elements the rest
is not of one type (anti-equivariant): it is only orthogonal to ``W_G``.

A convolution with kernel K becomes under ``g W g^-1`` the one with ``rho_out(g) K(g^-1 v)
rho_in(g)^T``; for a transposed one the same holds with the first two dimensions exchanged.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from medsym.errors import GridError
from medsym.symmetry.groups.action import GroupAction, check_same_group
from medsym.symmetry.groups.average import group_average
from medsym.symmetry.groups.element import GridElement

Function = Callable[[Tensor], Tensor]


def conjugate_kernel(
    kernel: Tensor,
    g: int,
    action_in: GroupAction,
    action_out: GroupAction,
    *,
    transposed: bool = False,
    groups: int = 1,
) -> Tensor:
    """Kernel of ``g W g^-1`` for a convolution kernel (out, in / groups, x, y, z).

    A transposed one has the shape (in, out / groups, x, y, z).

    Raises:
        GridError: MS-297, actions of different groups; MS-298, an element does not map the groups
            of a grouped convolution onto each other.
    """
    check_same_group(action_in.group, action_out.group)
    first, second = (action_in, action_out) if transposed else (action_out, action_in)
    moved = first.apply(action_in.group.elements[g].apply(kernel), g, dim=0)
    if groups == 1:
        return second.apply(moved, g, dim=1)
    return _along_grouped(moved, g, first, second, groups)


def _along_grouped(
    kernel: Tensor, g: int, first: GroupAction, second: GroupAction, groups: int
) -> Tensor:
    """``second`` along dimension 1, which counts channels within the group of each row."""
    first.check_signed("grouped convolution")
    second.check_signed("grouped convolution")
    rows, width = first.channels // groups, second.channels // groups
    start = torch.arange(first.channels, device=kernel.device) // rows * width
    channel = start[:, None] + torch.arange(width, device=kernel.device)
    read = torch.tensor(second.perms[g], device=kernel.device)[channel]
    source = torch.tensor(first.perms[g], device=kernel.device) // rows
    if bool((read // width != source[:, None]).any()):
        raise GridError(
            code="MS-298",
            subject="grouped convolution",
            cause=f"{first.group.elements[g].name} does not map its {groups} groups to groups",
            fix="give actions that move whole groups, for example one field each, or groups=1",
        )
    signs = torch.tensor(second.signs[g], device=kernel.device, dtype=kernel.dtype)[channel]
    index = (read % width)[..., None, None, None].expand_as(kernel)
    return kernel.gather(1, index) * signs[..., None, None, None]


def project_kernel(
    kernel: Tensor,
    action_in: GroupAction,
    action_out: GroupAction,
    *,
    transposed: bool = False,
    groups: int = 1,
) -> Tensor:
    """W_G, the equivariant part of a convolution kernel; see :func:`conjugate_kernel`."""
    check_same_group(action_in.group, action_out.group)

    def act(tensor: Tensor, g: int) -> Tensor:
        return conjugate_kernel(
            tensor, g, action_in, action_out, transposed=transposed, groups=groups
        )

    return group_average(action_in.group, act, kernel)


def project_vector(vector: Tensor, action: GroupAction, *, signed: bool = True) -> Tensor:
    """Invariant part of a per-channel vector: a bias (signed) or a scale (``signed=False``)."""

    def act(tensor: Tensor, g: int) -> Tensor:
        return action.apply(tensor, g, dim=0, signed=signed)

    return group_average(action.group, act, vector)


def orbit_of(
    function: Function, volume: Tensor, action_in: GroupAction, action_out: GroupAction
) -> list[Tensor]:
    """``g^-1 f(g x)`` for every element g, by as many passes; all equal if f is equivariant.

    Raises:
        GridError: MS-297 or MS-293 (sizes that an element exchanges).
    """
    check_same_group(action_in.group, action_out.group)
    group = action_in.group
    group.check_grid(volume.shape[-3:], name="volume")
    return [
        action_out.act(function(action_in.act(volume, g).contiguous()), group.inverses[g])
        for g in range(group.order)
    ]


def project_function(
    function: Function, volume: Tensor, action_in: GroupAction, action_out: GroupAction
) -> Tensor:
    """``mean_g g^-1 f(g x)``: exactly equivariant whatever f is, by one pass per element."""
    return torch.stack(orbit_of(function, volume, action_in, action_out)).mean(dim=0)


def element_defect(
    function: Function,
    volume: Tensor,
    element: GridElement | str,
    action_in: GroupAction,
    action_out: GroupAction,
) -> Tensor:
    """E_g(x) = f(g x) - g f(x) for one element, voxel by voxel, by two passes.

    Raises:
        GridError: MS-292, MS-293 or MS-297.
    """
    check_same_group(action_in.group, action_out.group)
    g = action_in.group.index(element)
    action_in.group.check_grid(volume.shape[-3:], name="volume")
    return function(action_in.act(volume, g).contiguous()) - action_out.act(function(volume), g)


def worst_defect(
    function: Function, volume: Tensor, action_in: GroupAction, action_out: GroupAction
) -> float:
    """Largest |E_g(x)| / |f(x)| over the group in the 2-norm; 0 is exact."""
    scale = function(volume).norm().clamp_min(1e-30)
    defects = [
        element_defect(function, volume, e, action_in, action_out).norm() / scale
        for e in action_in.group.elements[1:]
    ]
    return float(torch.stack(defects).max().detach()) if defects else 0.0
