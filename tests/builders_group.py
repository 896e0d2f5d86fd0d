"""Grid groups, channel actions and random volumes for the tests of groups beyond one mirror."""

import torch
from torch import Tensor

from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.grid_group import GridGroup

GROUPS = ("mirror_x", "C4_z", "D2h", "T", "O", "Oh")


def named(name: str) -> GridGroup:
    return GridGroup.named(name)


def everything(group: GridGroup) -> GroupAction:
    """Trivial, pseudoscalar, vector and quotient channels: signs and permutations."""
    half = GridGroup.generated(group.elements[-1])
    return (
        GroupAction.trivial(group, 1)
        + GroupAction.character(group, lambda element: element.determinant)
        + GroupAction.vector(group)
        + GroupAction.quotient(group, half)
    )


def regular(group: GridGroup) -> GroupAction:
    return GroupAction.regular(group, 1)


def volume_for(
    action: GroupAction,
    *,
    seed: int = 0,
    size: tuple[int, int, int] = (4, 4, 4),
    dtype: torch.dtype = torch.float64,
) -> Tensor:
    """(1, channels, x, y, z) standard normal volume."""
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(1, action.channels, *size, generator=generator, dtype=torch.float64).to(
        dtype
    )
