"""Swin transformers that keep the mirror: window attention, shifted windows, patch merging.

Shifted windows are mirror-symmetric along an axis if the window tiles the size and the shift is
half the window, so the window has to be even (MONAI's default is 7, shift 3); or if the size is
not larger than the window. Within a window the relative position bias B has to satisfy
``B[i, j] = B[S i, S j]``. It is split as the matrix that the attention adds, not as the table: on
grids smaller than the window MONAI reads the table at the places of the full window, and only
the matrix shows what that means.
"""

from typing import Any, cast

import torch
from monai.networks.nets.swin_unetr import SwinTransformerBlock, WindowAttention
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.models.retrofit.soft_tensors import flipped_order, share_softness
from medsym.models.retrofit.strides import axis_index
from medsym.symmetry.mirror import Axis
from medsym.symmetry.softness import Softness


class _GivenBias:
    """A window attention seen with another table and index of position biases."""

    def __init__(self, attention: WindowAttention, bias: Tensor) -> None:
        tokens = bias.shape[0]
        self._attention = attention
        self.relative_position_bias_table = bias.reshape(tokens * tokens, -1)
        index = torch.arange(tokens * tokens, device=bias.device)
        self.relative_position_index = index.reshape(tokens, tokens)

    def __getattr__(self, name: str) -> Any:
        return getattr(self._attention, name)


class MirrorWindowAttention(WindowAttention):
    """Window attention whose position bias is even part + softness times odd part.

    Attributes:
        axis: The mirrored axis.
        share: The softness, a number.
        edges: Edges of the window in this pass; the block writes them.
    """

    axis: Axis
    share: Tensor
    edges: tuple[int, ...]

    def forward(self, x: Tensor, mask: Tensor | None) -> Tensor:
        """(windows, tokens, channels) -> the same shape; MONAI's attention with this bias."""
        given = cast("WindowAttention", _GivenBias(self, self.position_bias(x.shape[1])))
        return cast("Tensor", WindowAttention.forward(given, x, mask))  # type: ignore[no-untyped-call]

    def position_bias(self, tokens: int) -> Tensor:
        """(tokens, tokens, heads): what is added to the attention, already soft."""
        index = cast("Tensor", self.relative_position_index)[:tokens, :tokens]
        bias = self.relative_position_bias_table[index.reshape(-1)].reshape(tokens, tokens, -1)
        order = flipped_order(self.edges, self.axis, device=bias.device)
        twin = bias[order][:, order]
        return (bias + twin) / 2 + self.share * (bias - twin) / 2


class MirrorSwinBlock(SwinTransformerBlock):
    """A Swin block that tells its attention which window it runs with."""

    def forward_part1(self, x: Tensor, mask_matrix: Tensor | None) -> Tensor:
        """(b, x, y, z, c) -> the same shape."""
        attention = cast("MirrorWindowAttention", self.attn)
        attention.edges = tuple(
            min(n, int(w)) for n, w in zip(x.shape[1:4], self.window_size, strict=True)
        )
        return cast("Tensor", super().forward_part1(x, mask_matrix))  # type: ignore[no-untyped-call]


def soften_swin_block(
    block: SwinTransformerBlock, axis: Axis, window: int, softness: Softness
) -> None:
    """Give a Swin block an even window along the axis and a soft position bias, in place."""
    index = axis_index(axis)
    attention: Any = block.attn
    if window != block.window_size[index]:
        _resize_table(attention, index, window)
        shifted = any(block.shift_size)
        block.window_size = attention.window_size
        block.shift_size = _changed(block.shift_size, index, window // 2 if shifted else 0)
    block.__class__ = MirrorSwinBlock
    attention.__class__ = MirrorWindowAttention
    mirrored = cast("MirrorWindowAttention", attention)
    mirrored.axis, mirrored.edges = axis, tuple(attention.window_size)
    share_softness(attention, softness, attention.relative_position_bias_table)


def soften_swin_layer(layer: Any, axis: Axis, window: int) -> None:
    """The same window for the stage that makes the attention mask, in place."""
    index = axis_index(axis)
    layer.window_size = _changed(layer.window_size, index, window)
    layer.shift_size = _changed(layer.shift_size, index, window // 2)


def _changed(values: Any, index: int, value: int) -> tuple[int, ...]:
    return tuple(value if i == index else int(v) for i, v in enumerate(values))


def _resize_table(attention: Any, index: int, window: int) -> None:
    """Crop the table of biases (kept exactly) or enlarge it by repeating its edge."""
    old = [2 * w - 1 for w in attention.window_size]
    table = attention.relative_position_bias_table
    volume = table.detach().reshape(*old, -1).movedim(-1, 0)[None]
    grown = window - attention.window_size[index]
    pads = [0] * 6
    pads[2 * (2 - index)] = pads[2 * (2 - index) + 1] = grown
    volume = F.pad(volume, pads, mode="replicate") if grown > 0 else F.pad(volume, pads)
    attention.window_size = _changed(attention.window_size, index, window)
    attention.relative_position_bias_table = nn.Parameter(
        volume[0].movedim(0, -1).reshape(-1, volume.shape[1]).contiguous(),
        requires_grad=table.requires_grad,
    )
    attention.relative_position_index = _relative_index(attention.window_size).to(table.device)


def _relative_index(window: tuple[int, ...]) -> Tensor:
    """Row of the table for each pair of tokens, as MONAI counts them."""
    places = torch.stack(torch.meshgrid(*(torch.arange(w) for w in window), indexing="ij"))
    tokens = places.flatten(1)
    between = (tokens[:, :, None] - tokens[:, None, :]).permute(1, 2, 0)
    rows = torch.zeros(between.shape[:2], dtype=torch.long)
    for position, edge in enumerate(window):
        rows = rows * (2 * edge - 1) + between[..., position] + edge - 1
    return rows
