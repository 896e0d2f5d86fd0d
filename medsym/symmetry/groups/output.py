"""Output-space softness for a grid group: an exact guarantee for any network, by |G| passes.

With the average ``e(x) = mean_g g^-1 f(g x)`` (equivariant) and the rest ``r = f - e`` the network
``e + clamp(r, -t, t)`` has a defect that the same passes know for every element::

    E_g(x) = clamp(r(g x)) - g clamp(r(x)),    r(g x) = f(g x) - g e(x),    |E_g| <= 2 t.

For one mirror this is :class:`medsym.symmetry.SoftEquivariant`.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.parts import orbit_of


@dataclass(frozen=True, kw_only=True, slots=True)
class GroupOutput:
    """Output of a softly equivariant network with what is known about its defect.

    Attributes:
        value: Average + limited rest, (b, c, x, y, z).
        limited: (elements, b, c, x, y, z): ``g^-1 clamp(r(g x))`` for every element g.
        bound: (b, c, x, y, z): largest |E_g| of any element that the tolerance and the rounding
            of the average allow, in the place where g^-1 puts it.
        action_out: Channel action on the output.
    """

    value: Tensor
    limited: Tensor
    bound: Tensor
    action_out: GroupAction

    def defect(self, element: GridElement | str) -> Tensor:
        """E_g(x) = f(g x) - g f(x) for one element, exact up to rounding, (b, c, x, y, z)."""
        g = self.action_out.group.index(element)
        return self.action_out.act(self.limited[g] - self.limited[0], g)

    def bound_of(self, element: GridElement | str) -> Tensor:
        """Bound on |E_g(x)| for one element, in the voxels of the defect, (b, c, x, y, z)."""
        group, g = self.action_out.group, self.action_out.group.index(element)
        return self.action_out.apply(group.elements[g].apply(self.bound), g, signed=False)


class GroupEquivariant(nn.Module):
    """Wraps any network: its average over a grid group plus the rest limited to a tolerance.

    Args:
        network: Maps (b, c, x, y, z) to (b, c', x, y, z).
        action_in: Channel action on the input.
        action_out: Channel action on the output, a signed permutation.
        tolerance: t >= 0 in units of the output; 0 is exact equivariance.

    Raises:
        ModelError: MS-207, a tolerance that is not >= 0.
        GridError: MS-296, an output action that is no signed permutation; MS-297, two groups.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        action_in: GroupAction,
        action_out: GroupAction,
        tolerance: float = 0.0,
    ) -> None:
        super().__init__()
        action_out.check_signed("GroupEquivariant output")
        if not tolerance >= 0.0:
            raise ModelError(
                code="MS-207",
                subject="GroupEquivariant tolerance",
                cause=f"{tolerance} is not >= 0",
                fix="use 0 for exact equivariance, or a positive number",
            )
        self.network = network
        self.action_in, self.action_out = action_in, action_out
        self.register_buffer("tolerance", torch.tensor(float(tolerance)))

    def forward(self, volume: Tensor) -> GroupOutput:
        """|G| passes of the network; see the class for the shapes.

        Raises:
            GridError: MS-293, sizes that an element exchanges.
        """
        orbit = torch.stack(orbit_of(self.network, volume, self.action_in, self.action_out))
        average = orbit.mean(dim=0)
        tolerance = self.get_buffer("tolerance").to(orbit.dtype)
        limited = torch.clamp(orbit - average, -tolerance, tolerance)
        terms = 2.0 * len(orbit) + 8.0
        rounding = terms * torch.finfo(orbit.dtype).eps * (orbit.abs().mean(dim=0) + tolerance)
        return GroupOutput(
            value=average + limited[0],
            limited=limited,
            bound=2.0 * tolerance + rounding,
            action_out=self.action_out,
        )
