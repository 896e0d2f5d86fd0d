"""Learned degree of equivariance of any network: a distribution over the elements of a group.

``F(x) = sum_g p(g) g^-1 f(g x)`` with p learned (Veefkind and Cesa, ICML 2024, arXiv 2406.03946, on
the level of functions; with sampled elements this is Augerino, Benton et al. 2020, arXiv
2010.11882). Uniform p is the exact average, p = 1 at the identity the free network, and for one
mirror ``F = even + (1 - 2 p(S)) odd``. The |G| passes of one call know the defect for every h::

    h^-1 E_h(x) = sum_k (p(k h^-1) - p(k)) k^-1 f(k x),      E_h(x) = F(h x) - h F(x).

On one convolution the same is done in weights, by one pass: give a ``GroupConv3d`` an
``ElementDistribution`` as its softness.
"""

from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsym.symmetry.groups.action import GroupAction, check_same_group
from medsym.symmetry.groups.degree import ElementDistribution
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.parts import orbit_of


@dataclass(frozen=True, kw_only=True, slots=True)
class DegreeOutput:
    """Output of a :class:`GroupDegree` with what is known about its defect.

    Attributes:
        value: F(x), (b, c, x, y, z).
        orbit: (elements, b, c, x, y, z): ``g^-1 f(g x)``.
        probabilities: p(g).
        action_out: Channel action on the output.
    """

    value: Tensor
    orbit: Tensor
    probabilities: Tensor
    action_out: GroupAction

    def defect(self, element: GridElement | str) -> Tensor:
        """E_h(x) = F(h x) - h F(x) for one element, exact up to rounding."""
        change, h = self._change(element)
        return self.action_out.act(torch.tensordot(change, self.orbit, dims=1), h)

    def bound(self, element: GridElement | str) -> float:
        """Bound on the 2-norm of the defect: ``sum_k |p(k h^-1) - p(k)| ||f(k x)||``."""
        change, _ = self._change(element)
        norms = self.orbit.detach().flatten(1).norm(dim=1)
        rounding = (8.0 * len(norms) + 8.0) * torch.finfo(norms.dtype).eps
        return float((change.detach().abs() * norms).sum() + rounding * norms.max())

    def _change(self, element: GridElement | str) -> tuple[Tensor, int]:
        group = self.action_out.group
        h = group.index(element)
        shifted = [group.table[k][group.inverses[h]] for k in range(group.order)]
        probabilities = self.probabilities.to(self.orbit.dtype)
        return probabilities[shifted] - probabilities, h


class GroupDegree(nn.Module):
    """Wraps any network; see the module for the formula.

    Args:
        network: Maps (b, c, x, y, z) to (b, c', x, y, z).
        action_in: Channel action on the input.
        action_out: Channel action on the output.
        softness: The distribution; None starts with 5 % on the identity beyond uniform. Add
            ``price * softness.divergence()`` to the loss to ask for symmetry.

    Raises:
        GridError: MS-297, two groups.
    """

    def __init__(
        self,
        network: nn.Module,
        *,
        action_in: GroupAction,
        action_out: GroupAction,
        softness: ElementDistribution | None = None,
    ) -> None:
        super().__init__()
        self.network = network
        self.action_in, self.action_out = action_in, action_out
        self.softness = softness or ElementDistribution(action_in.group)
        check_same_group(self.softness.group, action_out.group)

    def forward(self, volume: Tensor) -> DegreeOutput:
        """|G| passes of the network.

        Raises:
            GridError: MS-293, sizes that an element exchanges.
        """
        orbit = torch.stack(orbit_of(self.network, volume, self.action_in, self.action_out))
        probabilities = self.softness.probabilities
        value = torch.tensordot(probabilities.to(orbit.dtype), orbit, dims=1)
        return DegreeOutput(
            value=value, orbit=orbit, probabilities=probabilities, action_out=self.action_out
        )
