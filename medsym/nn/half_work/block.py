"""A ConvNeXt-like block in the trivial/sign basis that does half the multiplications.

depthwise convolution, norm, pointwise expansion, GELU, pointwise projection, residual (Liu et
al., "A ConvNet for the 2020s", arXiv 2201.03545; in 3D: Roy et al., "MedNeXt", arXiv 2303.09975).
Depthwise kernels are even on half of the channels and odd on the other half, where they turn one
type into the other ("Flopping for FLOPs", arXiv 2502.05169); pointwise maps are block-diagonal.

The pointwise part runs in pieces that fit the processor's cache, which a dense block could do as
well: below 128 channels that is most of what ``medsym bench layers`` measures as the block's gain.
"""

from typing import Literal

import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.nn.half_work.pointwise import DenseMaps, HalfMaps
from medsym.nn.half_work.rule import block_wins
from medsym.nn.half_work.spatial import Spatial
from medsym.nn.half_work.taps import runs_blocked
from medsym.nn.half_work.weights import (
    Derived,
    check_half_types,
    exact_source,
    half_types,
    is_recorded,
)
from medsym.nn.layers import MirrorConv3d, MirrorInstanceNorm3d
from medsym.nn.soft_norms import MirrorLayerNorm3d
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parametrisation import soften_layer
from medsym.symmetry.softness import Softness

_ROOT = 0.5**0.5


class HalfBlock(nn.Module):
    """Residual block (b, c, x, y, z) -> (b, c, x, y, z) on ``half_types(c)``.

    Args:
        action: ``half_types(c)`` with c divisible by 4.
        expansion: Hidden channels per channel.
        kernel_size: Of the depthwise convolution, odd.
        norm: "instance" (MedNeXt) or "layer" (ConvNeXt).
        softness: Shared by all weights; None is exact. Where it is not 0 the block runs as a
            dense one: expansion and projection are taken to the regular basis, where the GELU
            acts without butterflies.

    Raises:
        ModelError: MS-215, channels that are not two halves of trivial and sign type; MS-218, a
            width that is not divisible by 4.
    """

    def __init__(
        self,
        action: ChannelAction,
        *,
        expansion: int = 4,
        kernel_size: int = 3,
        norm: Literal["instance", "layer"] = "instance",
        softness: Softness | None = None,
    ) -> None:
        super().__init__()
        check_half_types(action, "HalfBlock")
        width = action.channels
        if width % 4:
            raise ModelError(
                code="MS-218",
                subject="HalfBlock",
                cause=f"{width} channels do not split into even and odd kernels of both types",
                fix="use a width that is divisible by 4",
            )
        self.action_in = self.action_out = action
        quarter = width // 4
        pair = ChannelAction.trivial(quarter) + ChannelAction.sign(quarter)
        crossed, hidden = pair + pair, half_types(expansion * width)
        shared = Softness() if softness is None else softness
        self.depthwise = nn.Conv3d(
            width, width, kernel_size, padding=kernel_size // 2, groups=width, bias=False
        )
        soften_layer(self.depthwise, action_in=action, action_out=crossed, softness=shared)
        norms = {"instance": MirrorInstanceNorm3d, "layer": MirrorLayerNorm3d}
        self.norm = norms[norm](crossed, softness=shared)
        self.expand = MirrorConv3d(crossed, hidden, kernel_size=1, softness=shared)
        self.project = MirrorConv3d(hidden, action, kernel_size=1, softness=shared)
        self._derived = Derived()

    def forward(self, volume: Tensor) -> Tensor:
        """The block, by the faster of two equal computations."""
        maps = spatial = None
        if block_wins(volume, recorded=is_recorded(self, volume)):
            maps, spatial = self._derived.get(self, "half", self._half_weights)
        if maps is not None and spatial is not None and runs_blocked(volume, maps.expand):
            return _in_chunks(volume, spatial, maps)
        features = self.norm(self.depthwise(volume))
        if maps is None:
            return volume + self._derived.get(self, "dense", self._dense_maps).apply(features)
        batch, voxels = volume.shape[0], volume[0, 0].numel()
        typed = features.reshape(batch, 2, 2, -1, voxels).transpose(1, 2)
        return maps.apply(typed, volume.reshape(batch, 2, -1, voxels)).view(volume.shape)

    def works_half(self, volume: Tensor, *, recorded: bool) -> bool:
        """Whether a pass runs block-diagonal maps; ``recorded``: it will be differentiated."""
        wins = block_wins(volume, recorded=recorded)
        with torch.set_grad_enabled(recorded):
            return wins and self._half_maps() is not None

    def _half_maps(self) -> HalfMaps | None:
        """Block-diagonal weights; the input types of the expansion alternate by quarters."""
        expand, project = exact_source(self.expand), exact_source(self.project)
        if expand is None or project is None:
            return None
        rows = expand.unflatten(0, (2, -1)).unflatten(2, (2, 2, -1))
        first = torch.stack([rows[kind][:, :, kind].flatten(1) for kind in (0, 1)])
        columns = project.unflatten(0, (2, -1)).unflatten(2, (2, -1))
        second = torch.stack([columns[kind][:, kind].flatten(1) for kind in (0, 1)])
        return HalfMaps(
            expand=first * _ROOT,
            expand_bias=_bias(self.expand).chunk(2)[0][:, None] * _ROOT,
            project=second * _ROOT,
            project_bias=_bias(self.project).chunk(2)[0][:, None],
        )

    def _half_weights(self) -> tuple[HalfMaps | None, Spatial | None]:
        norm = self.norm
        if not isinstance(norm, MirrorInstanceNorm3d):
            return self._half_maps(), None
        kernel = self.depthwise.weight
        spatial = Spatial(kernel=kernel, scale=norm.weight, shift=norm.bias, eps=norm.eps)
        return self._half_maps(), spatial

    def _dense_maps(self) -> DenseMaps:
        """Dense weights whose hidden channels are in the regular basis."""
        return DenseMaps(
            expand=_to_regular(self.expand.weight, dim=0),
            expand_bias=_to_regular(_bias(self.expand), dim=0),
            project=_to_regular(self.project.weight, dim=1),
            project_bias=_bias(self.project),
        )


def _in_chunks(volume: Tensor, spatial: Spatial, maps: HalfMaps) -> Tensor:
    """The block without gradients: channels-last up to the norm, then chunk by chunk of voxels."""
    output = torch.empty(volume.shape, dtype=volume.dtype)
    for sample, target in zip(volume, output, strict=True):
        width = sample.shape[0] // 2
        residual, out = sample.reshape(2, width, -1), target.view(2, width, -1)
        maps.apply_in_chunks(spatial.apply(sample).typed, residual, out)
    return output


def _bias(layer: MirrorConv3d) -> Tensor:
    assert layer.bias is not None  # both maps of a block have one
    return layer.bias


def _to_regular(weight: Tensor, *, dim: int) -> Tensor:
    """H along the hidden channels: (t, s) -> (t + s, t - s) / sqrt 2."""
    trivial, sign = weight.chunk(2, dim=dim)
    return torch.cat((trivial + sign, trivial - sign), dim=dim) * _ROOT
