"""The one backbone of all methods: a small 3-level U-Net whose layers can carry the mirror.

Hidden channels are of regular type (pairs that the mirror swaps). Resolution changes are kernel 2,
stride 2, which keep even sizes symmetric. The plain network is the same without any tie; a tied one
is wider at the deeper levels, so that both have nearly the same number of free parameters while
the finest level, which costs most of the time, is equally wide.
"""

from collections.abc import Callable, Iterator
from itertools import pairwise
from typing import cast

import torch
from torch import Tensor, nn

from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import SoftWeight, soft_tensors, soften_layer
from medsym.symmetry.softness import Softness

Widths = tuple[int, int, int]
MakeSoftness = Callable[[], Softness]
LOGIT_START = -3.0  # log-odds of a lesion voxel before training


def unit(before: int, after: int) -> nn.Sequential:
    """Convolution 3, instance norm, LeakyReLU: all of them commute with a swap of pairs."""
    return nn.Sequential(
        nn.Conv3d(before, after, 3, padding=1, bias=False),
        nn.InstanceNorm3d(after, affine=True),
        nn.LeakyReLU(0.01),
    )


class UNet(nn.Module):
    """(b, inputs, x, y, z) -> (b, 1, x, y, z) log-odds; sizes divisible by 4.

    Args:
        widths: Channels per level, finest first, even numbers.
        inputs: Input channels, all of trivial type.
    """

    def __init__(self, widths: Widths, *, inputs: int = 1) -> None:
        super().__init__()
        self.widths, self.inputs = widths, inputs
        pairs = list(pairwise(widths))
        self.enter = nn.Conv3d(inputs, widths[0], 3, padding=1)
        self.downs = nn.ModuleList(nn.Conv3d(fine, coarse, 2, 2) for fine, coarse in pairs)
        self.units = nn.ModuleList(unit(width, width) for width in widths)
        self.ups = nn.ModuleList(nn.ConvTranspose3d(coarse, fine, 2, 2) for fine, coarse in pairs)
        self.joins = nn.ModuleList(unit(2 * fine, fine) for fine, _ in pairs)
        self.hidden = nn.Sequential(
            nn.Conv3d(widths[0], widths[0], 3, padding=1), nn.LeakyReLU(0.01)
        )
        self.readout = nn.Conv3d(widths[0], 1, 1)
        nn.init.constant_(cast("Tensor", self.readout.bias), LOGIT_START)

    def encode(self, image: Tensor) -> list[Tensor]:
        """Features of every level, finest first; the last one is the latent."""
        entered: Tensor = self.enter(image)
        levels = [entered + self.units[0](entered)]
        for down, residual in zip(self.downs, list(self.units)[1:], strict=True):
            entered = down(levels[-1])
            levels.append(entered + residual(entered))
        return levels

    def decode(self, levels: list[Tensor]) -> Tensor:
        """Features at the finest level, (b, widths[0], x, y, z)."""
        features = levels[-1]
        for index in range(len(self.ups) - 1, -1, -1):
            up: Tensor = self.ups[index](features)
            features = self.joins[index](torch.cat([up, levels[index]], dim=1))
        return features

    def features(self, image: Tensor) -> Tensor:
        """All of the network before its head."""
        return self.decode(self.encode(image))

    def forward(self, image: Tensor) -> Tensor:
        """Log-odds of a lesion."""
        return cast("Tensor", self.readout(self.hidden(self.features(image))))

    def mirrored_layers(self) -> Iterator[tuple[nn.Module, ChannelAction, ChannelAction]]:
        """Every layer with the channel actions of its input and output."""
        actions = [ChannelAction.regular(width // 2) for width in self.widths]
        yield self.enter, ChannelAction.trivial(self.inputs), actions[0]
        for residual, action in zip(self.units, actions, strict=True):
            yield residual, action, action
        for index, (fine, coarse) in enumerate(pairwise(actions)):
            yield self.downs[index], fine, coarse
            yield self.ups[index], coarse, fine
            yield self.joins[index], fine + fine, fine
        yield self.hidden, actions[0], actions[0]
        yield self.readout, actions[0], ChannelAction.trivial(1)


def soften_unet(network: UNet, make_softness: MakeSoftness) -> UNet:
    """Attach the mirror to every layer, each with a softness of its own, in place."""
    for layer, action_in, action_out in network.mirrored_layers():
        soften_layer(layer, action_in=action_in, action_out=action_out, softness=make_softness())
    return network


def free_parameters(network: nn.Module) -> int:
    """Degrees of freedom of all trainable tensors; a tied tensor counts its even part only."""
    tied = {
        id(tensor.raw): even_dimensions(tensor.weight, tensor.raw)
        for tensor in soft_tensors(network)
        if tensor.weight.softness.is_exact
    }
    parameters = [p for p in network.parameters() if p.requires_grad]
    return sum(tied.get(id(p), p.numel()) for p in parameters)


def even_dimensions(weight: SoftWeight, raw: Tensor) -> int:
    """Dimension of the even weights: (n + trace of the mirror) / 2, a signed permutation."""
    index = torch.arange(1.0, raw.numel() + 1.0, dtype=torch.float64).reshape(raw.shape)
    twin = weight.twin(index)
    trace = int((twin == index).sum()) - int((twin == -index).sum())
    return (raw.numel() + trace) // 2
