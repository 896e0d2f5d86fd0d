"""The Reynolds average over a grid group, by cosets, with itself as its derivative.

``P = mean_g g`` is the orthogonal projection onto what every element leaves alone (Finzi et al.
2021, arXiv 2112.01388, section 3). Along a chain of subgroups it is a product of small averages
(11 terms instead of 48 for Oh), and because an orthogonal projection is its own adjoint, the
gradient is projected in the same way instead of backwards through every permutation.
"""

from collections.abc import Callable
from typing import Any, cast

import torch
from torch import Tensor

from medsym.symmetry.groups.grid_group import GridGroup

Act = Callable[[Tensor, int], Tensor]
"""(tensor, index of g) -> g tensor."""


def group_average(group: GridGroup, act: Act, tensor: Tensor) -> Tensor:
    """``mean_g g tensor``, of the shape of the tensor.

    Args:
        group: The group.
        act: An orthogonal representation; (tensor, index of g) -> g tensor.
        tensor: What is averaged.
    """
    if group.order == 1:
        return tensor
    return cast("Tensor", _Average.apply(tensor, group, act))  # type: ignore[no-untyped-call]


class _Average(torch.autograd.Function):
    """One sum per entry of ``transversals``, each of which begins with the identity."""

    @staticmethod
    def forward(tensor: Tensor, group: GridGroup, act: Act) -> Tensor:
        for step in group.transversals:
            total = tensor
            for g in step[1:]:
                total = total + act(tensor, g)
            tensor = total / len(step)
        return tensor

    @staticmethod
    def setup_context(ctx: Any, inputs: tuple[Any, ...], output: Tensor) -> None:  # noqa: ARG004
        ctx.projection = inputs[1:]

    @staticmethod
    def backward(ctx: Any, *gradients: Tensor) -> tuple[Tensor, None, None]:
        group, act = ctx.projection
        return group_average(group, act, gradients[0]), None, None
