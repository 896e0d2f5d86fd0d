"""The outputs of AsymmetryNet as other programs want them: one stacked tensor, or named tensors.

MONAI's bundle tools want one tensor per network, ONNX wants names. The order is the same in both:
the scores of the structures, then the three parts of the pathology log-odds.
"""

from typing import NamedTuple, Protocol, cast

import torch
from torch import Tensor, nn

from medsym.models.asymmetry_net import NetworkOutput
from medsym.models.structures import STRUCTURES
from medsym.nn.head import HeadOutput

#: Names and channels of the outputs, in their order.
OUTPUT_CHANNELS = {
    "anatomy_logits": len(STRUCTURES),
    "pathology_even": 1,
    "pathology_odd": 1,
    "tolerance": 1,
}
NUM_CHANNELS = sum(OUTPUT_CHANNELS.values())


class NamedOutputs(NamedTuple):
    """What the network says, (b, c, x, y, z) each; see :class:`NetworkOutput`."""

    anatomy_logits: Tensor
    pathology_even: Tensor
    pathology_odd: Tensor
    tolerance: Tensor


class NamedNetwork(nn.Module):
    """(b, 1, x, y, z) -> the outputs of ``OUTPUT_CHANNELS``, one tensor each.

    Args:
        network: An AsymmetryNet, or a network with the same output.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.network = network

    def forward(self, image: Tensor) -> NamedOutputs:
        """One pass."""
        output = self.network(image)
        head = output.pathology
        return NamedOutputs(output.anatomy_logits, head.even, head.odd, head.tolerance)


class StackedNetwork(nn.Module):
    """(b, 1, x, y, z) -> (b, NUM_CHANNELS, x, y, z), the outputs on top of each other.

    Args:
        network: An AsymmetryNet, or a network with the same output.
    """

    def __init__(self, network: nn.Module) -> None:
        super().__init__()
        self.named = NamedNetwork(network)

    def forward(self, image: Tensor) -> Tensor:
        """One pass."""
        return torch.cat(self.named(image), dim=1)


class Shaped(Protocol):
    """What the analysis asks of a network besides a pass."""

    @property
    def settings(self) -> object:
        """Spacing, prior and softness: a ``ModelSettings``."""


class UnstackedNetwork(nn.Module):
    """(b, 1, x, y, z) -> :class:`NetworkOutput`, from a network that returns a stack.

    So that a bundle can run any module with the stacked output: the one of its configuration, a
    compiled one, or one of another runtime.

    Args:
        stacked: As :class:`StackedNetwork`.
        like: The network that it stands for; it says spacing, prior and sizes.
    """

    def __init__(self, stacked: nn.Module, *, like: Shaped) -> None:
        super().__init__()
        self.stacked = stacked
        self.settings = like.settings
        multiple = getattr(like, "size_multiple", None)
        if multiple is not None:
            self.size_multiple = int(multiple)

    def forward(self, image: Tensor) -> NetworkOutput:
        """One pass."""
        parts = cast("Tensor", self.stacked(image)).split(list(OUTPUT_CHANNELS.values()), dim=1)
        anatomy, even, odd, tolerance = parts
        return NetworkOutput(
            anatomy_logits=anatomy,
            pathology=HeadOutput(even=even, odd=odd, tolerance=tolerance),
        )
