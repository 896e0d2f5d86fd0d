"""A softened network: the network itself, what was done to it, and the grids that it takes."""

from collections.abc import Sequence
from typing import Any

import torch
from torch import Tensor, nn

from medsym.models.retrofit.grid_check import check_grid
from medsym.models.retrofit.report import RetrofitReport
from medsym.symmetry.mirror import Axis, ChannelAction


class SoftNetwork(nn.Module):
    """Made by :func:`medsym.models.retrofit.soften`; runs like the network that it holds.

    ``medsym.symmetry.harden`` makes it exactly equivariant. ``medsym.symmetry.fold`` leaves plain
    weights; ``fold(soft).network`` is then the plain network, without this wrapper.

    Attributes:
        network: The network, softened in place.
        report: What was found and done.
        axis: The mirrored axis.
        action_in: Channel action on the input.
        action_out: Channel action on the output.
    """

    def __init__(
        self,
        network: nn.Module,
        report: RetrofitReport,
        *,
        axis: Axis,
        action_in: ChannelAction,
        action_out: ChannelAction,
    ) -> None:
        super().__init__()
        self.network, self.report = network, report
        self.axis: Axis = axis
        self.action_in, self.action_out = action_in, action_out
        self._checked: set[tuple[int, ...]] = set()

    def forward(self, volume: Tensor) -> Any:
        """The network's output for (b, c, x, y, z).

        Raises:
            GridError: A grid on which the mirror does not hold; see :meth:`check_grid`.
        """
        if not torch.compiler.is_compiling():
            self.check_grid(volume.shape)
        return self.network(volume)

    def check_grid(self, shape: Sequence[int]) -> None:
        """Refuse sizes that break the mirror; a size that was accepted is remembered.

        Args:
            shape: (x, y, z), or the shape (b, c, x, y, z) of a tensor.

        Raises:
            GridError: MS-250 or MS-251, by the name of the layer, with the sizes that work.
        """
        grid = tuple(int(n) for n in shape[-3:])
        if grid not in self._checked:
            check_grid(self.network, grid, axis=self.axis, channels=self.action_in.channels)
            self._checked.add(grid)
