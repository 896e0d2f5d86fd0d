"""The networks whose training steps and passes are timed, each beside its plain twin.

A small U-Net (two convolutions with instance norm per level, kernel 2 stride 2 between levels) is
built from plain torch layers or from mirror layers with regular channels, operation by operation
the same. For escnn it is a stack of convolutions and ReLUs on equal fields.
"""

from collections.abc import Callable

import torch
from torch import Tensor, nn

from medsym.nn.layers import MirrorConv3d, MirrorInstanceNorm3d, MirrorUpsample, downsample
from medsym.nn.representations import Fields, escnn, mirror_space, representations_of
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.softness import Softness

_SLOPE = 0.01


class PlainLayers:
    """Ordinary torch layers; channels are counted in pairs, as the mirror's regular fields."""

    def conv(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """3x3x3."""
        return nn.Conv3d(2 * pairs_in, 2 * pairs_out, 3, padding=1)

    def norm(self, pairs: int) -> nn.Module:
        """Instance norm with scale and shift."""
        return nn.InstanceNorm3d(2 * pairs, affine=True)

    def down(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """Halves every size."""
        return nn.Conv3d(2 * pairs_in, 2 * pairs_out, 2, stride=2)

    def up(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """Doubles every size."""
        return nn.ConvTranspose3d(2 * pairs_in, 2 * pairs_out, 2, stride=2)


class MirrorLayers(PlainLayers):
    """The same layers with the mirror: soft, each with its own learned softness."""

    def conv(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """3x3x3."""
        first, second = ChannelAction.regular(pairs_in), ChannelAction.regular(pairs_out)
        return MirrorConv3d(first, second, softness=self._softness())

    def norm(self, pairs: int) -> nn.Module:
        """Instance norm with scale and shift."""
        return MirrorInstanceNorm3d(ChannelAction.regular(pairs), softness=self._softness())

    def down(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """Halves every size."""
        first, second = ChannelAction.regular(pairs_in), ChannelAction.regular(pairs_out)
        return downsample(first, second, softness=self._softness())

    def up(self, pairs_in: int, pairs_out: int) -> nn.Module:
        """Doubles every size."""
        first, second = ChannelAction.regular(pairs_in), ChannelAction.regular(pairs_out)
        return MirrorUpsample(first, second, softness=self._softness())

    @staticmethod
    def _softness() -> Softness:
        return Softness(0.1, learned=True)


class TimedUNet(nn.Module):
    """U-Net of three levels, (b, 2, x, y, z) -> (b, 2, x, y, z), sizes divisible by 4.

    Args:
        layers: Plain or mirror layers.
        pairs: Pairs of channels on the first level; they double on every level.
    """

    def __init__(self, layers: PlainLayers, *, pairs: int) -> None:
        super().__init__()
        self.first = _stage(layers, 1, pairs)
        self.down1, self.second = layers.down(pairs, 2 * pairs), _stage(layers, 2 * pairs)
        self.down2, self.third = layers.down(2 * pairs, 4 * pairs), _stage(layers, 4 * pairs)
        self.up2, self.back2 = layers.up(4 * pairs, 2 * pairs), _stage(layers, 4 * pairs, 2 * pairs)
        self.up1, self.back1 = layers.up(2 * pairs, pairs), _stage(layers, 2 * pairs, pairs)
        self.last = layers.conv(pairs, 1)

    def forward(self, volume: Tensor) -> Tensor:
        """The U-Net."""
        first = self.first(volume)
        second = self.second(self.down1(first))
        third = self.third(self.down2(second))
        back = self.back2(torch.cat((second, self.up2(third)), dim=1))
        output: Tensor = self.last(self.back1(torch.cat((first, self.up1(back)), dim=1)))
        return output


def _stage(layers: PlainLayers, pairs_in: int, pairs: int | None = None) -> nn.Sequential:
    out = pairs or pairs_in
    return nn.Sequential(
        *(layers.conv(pairs_in, out), layers.norm(out), nn.LeakyReLU(_SLOPE)),
        *(layers.conv(out, out), layers.norm(out), nn.LeakyReLU(_SLOPE)),
    )


def mirror_stack(
    convolution: Callable[[ChannelAction, ChannelAction], nn.Module], *, pairs: int, depth: int
) -> nn.Module:
    """Exactly equivariant 3x3x3 convolutions and ReLUs on ``pairs`` regular fields."""
    action = ChannelAction.regular(pairs)
    layers: list[nn.Module] = []
    for _ in range(depth):
        layers += [convolution(action, action), nn.ReLU()]
    return nn.Sequential(*layers[:-1])


class EscnnStack(nn.Module):
    """The same stack built by escnn: ``R3Conv`` and ReLU on ``pairs`` regular fields."""

    def __init__(self, *, pairs: int, depth: int) -> None:
        super().__init__()
        self.fields = escnn.nn.FieldType(mirror_space(), representations_of(Fields(regular=pairs)))
        layers: list[nn.Module] = []
        for _ in range(depth):
            layers += [escnn.nn.R3Conv(self.fields, self.fields, 3, padding=1)]
            layers += [escnn.nn.ReLU(self.fields)]
        self.layers = nn.Sequential(*layers[:-1])

    def forward(self, volume: Tensor) -> Tensor:
        """The convolutions."""
        output: Tensor = self.layers(self.fields(volume)).tensor
        return output


def training_step(network: nn.Module, volume: Tensor) -> Callable[[], object]:
    """One step of Adam on the mean square of the output, as a function to be timed."""
    optimiser = torch.optim.Adam(network.parameters(), lr=1e-4)

    def step() -> None:
        optimiser.zero_grad()
        network(volume).square().mean().backward()
        optimiser.step()

    return step
