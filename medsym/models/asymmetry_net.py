"""AsymmetryNet: softly equivariant encoder, contralateral exchange, decoder, three heads.

Legend: b batch, c channels, A structures, (x, y, z) the symmetric grid, x to the patient's right.
All hidden features are of regular type: channels come in pairs that the mirror swaps, so
pointwise non-linearities commute with it. Blocks are MONAI's ``Convolution`` units (convolution,
instance norm, LeakyReLU: all mirror-safe at stride 1) that carry the mirror as a parametrisation,
put together here under MONAI's names: importing MONAI takes longer than analysing half a scan, and
nothing else that screening runs needs it;
resolution changes are kernel 2 stride 2, the only common choice that keeps even sizes symmetric.
"""

import math
from collections import OrderedDict
from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor, nn

from medsym.models.settings import ModelSettings
from medsym.models.structures import mirror_permutation
from medsym.nn.exchange import ContralateralExchange
from medsym.nn.head import HeadOutput, SoftHead
from medsym.nn.layers import MirrorConv3d, MirrorUpsample, downsample
from medsym.nn.position import scan_action, with_position
from medsym.nn.representations import label_action, mirror_action
from medsym.nn.steerable import SteerableLevel
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import soften_layer
from medsym.symmetry.softness import Softness


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkOutput:
    """One pass of an AsymmetryNet.

    Attributes:
        anatomy_logits: (b, A, x, y, z), exactly equivariant: left and right swap by name.
        pathology: Soft head of one trivial channel, log-odds of pathology per voxel.
    """

    anatomy_logits: Tensor
    pathology: HeadOutput

    @property
    def pathology_logits(self) -> Tensor:
        """(b, 1, x, y, z) log-odds, even + limited odd part."""
        return self.pathology.value


def _unit(action_in: ChannelAction, action_out: ChannelAction, softness: Softness) -> nn.Module:
    """Convolution unit (conv 3, instance norm, LeakyReLU) that carries the mirror."""
    adn = OrderedDict(
        N=nn.InstanceNorm3d(action_out.channels, affine=True), A=nn.LeakyReLU(negative_slope=0.01)
    )
    conv = nn.Conv3d(action_in.channels, action_out.channels, kernel_size=3, padding=1, bias=False)
    unit = nn.Sequential(OrderedDict(conv=conv, adn=nn.Sequential(adn)))
    return soften_layer(unit, action_in=action_in, action_out=action_out, softness=softness)


class _Level(nn.Module):
    """One encoder resolution: (down, unit), then a residual unit."""

    def __init__(
        self, before: ChannelAction, action: ChannelAction, softness: Softness, *, first: bool
    ) -> None:
        super().__init__()
        self.enter = (
            MirrorConv3d(before, action, softness=softness)
            if first
            else downsample(before, action, softness=softness)
        )
        self.unit = _unit(action, action, softness)

    def forward(self, features: Tensor) -> Tensor:
        entered: Tensor = self.enter(features)
        return entered + self.unit(entered)


class _Ascent(nn.Module):
    """One decoder resolution: up, join with the skip, unit."""

    def __init__(
        self, below: ChannelAction, skip: ChannelAction, action: ChannelAction, softness: Softness
    ) -> None:
        super().__init__()
        self.up = MirrorUpsample(below, action, softness=softness)
        self.unit = _unit(action + skip, action, softness)

    def forward(self, below: Tensor, skip: Tensor) -> Tensor:
        lifted: Tensor = self.up(below)
        joined: Tensor = self.unit(torch.cat([lifted, skip], dim=1))
        return lifted + joined


class AsymmetryNet(nn.Module):
    """(b, 1, x, y, z) normalised scan on the symmetric grid -> :class:`NetworkOutput`.

    Sizes must be divisible by ``size_multiple``; the strided layers refuse others.

    Args:
        settings: Widths, windows and where softness is allowed.
    """

    def __init__(self, settings: ModelSettings) -> None:
        super().__init__()
        self.settings = settings
        encoder_soft = settings.softness in ("encoder", "both")
        softness = settings.initial_softness if encoder_soft else 0.0
        exact = Softness()
        if settings.softness == "free":
            softness, exact = 1.0, Softness(1.0)
        actions = [mirror_action(regular=n) for n in settings.pairs]
        befores = [scan_action(position=settings.position), *actions[:-1]]
        level = SteerableLevel if settings.encoder == "steerable" else _Level
        self.levels = nn.ModuleList(
            level(before, action, Softness(softness, learned=encoder_soft), first=index == 0)
            for index, (before, action) in enumerate(zip(befores, actions, strict=True))
        )
        self.exchanges = nn.ModuleList(
            ContralateralExchange(a, radius=r, softness=exact)
            if settings.exchange
            else nn.Identity()
            for a, r in zip(actions, settings.window, strict=True)
        )
        outs = [mirror_action(regular=settings.decoder_pairs), *actions[1:-1]]
        belows = [*outs[1:], actions[-1]]
        self.ascents = nn.ModuleList(
            _Ascent(below, skip, out, exact)
            for below, skip, out in zip(belows, actions[:-1], outs, strict=True)
        )
        self.anatomy = MirrorConv3d(
            outs[0], label_action(mirror_permutation()), kernel_size=1, softness=exact
        )
        prior = settings.pathology_prior
        self.pathology = SoftHead(
            outs[0],
            mirror_action(trivial=1),
            hidden=mirror_action(regular=settings.head_pairs),
            bias=math.log(prior / (1.0 - prior)),
            tolerance=settings.head_tolerance,
            side_width=settings.head_side_width,
            softness=exact,
        )

    @property
    def size_multiple(self) -> int:
        """Every spatial size has to be a multiple of this: each level halves it."""
        return int(2 ** (len(self.levels) - 1))

    def encode(self, scan: Tensor) -> tuple[Tensor, ...]:
        """(b, 1, x, y, z) to what the decoder receives per resolution, finest first."""
        latent = []
        features = with_position(scan) if self.settings.position else scan
        for level, exchange in zip(self.levels, self.exchanges, strict=True):
            features = level(features)
            latent.append(exchange(features))
        return tuple(latent)

    def decode(self, latent: Sequence[Tensor]) -> Tensor:
        """What ``encode`` gives to the features (b, 2 decoder_pairs, x, y, z) the heads read."""
        *skips, features = latent
        for ascent in reversed(self.ascents):
            features = ascent(features, skips.pop())
        return features

    def forward(self, scan: Tensor) -> NetworkOutput:
        """One pass; see the class for shapes."""
        features = self.decode(self.encode(scan))
        head: HeadOutput = self.pathology(features)
        if self.settings.softness not in ("head", "both"):
            zero = torch.zeros_like(head.even)
            head = HeadOutput(even=head.even, odd=zero, tolerance=zero)
        return NetworkOutput(anatomy_logits=self.anatomy(features), pathology=head)
