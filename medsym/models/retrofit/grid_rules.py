"""On which sizes the operations of a network are one-sided along the mirrored axis.

A strided window that leaves voxels of one side unread, padding on one side, a nearest-neighbour
resampling by a broken factor, or an attention window that does not tile: each is fine on some
sizes and breaks the mirror on others, whatever the weights are.
"""

from collections.abc import Callable
from functools import partial
from typing import Any

from monai.networks.blocks.patchembedding import PatchEmbed
from monai.networks.nets.swin_unetr import PatchMergingV2, SwinTransformerBlock
from torch import Tensor, nn

from medsym.models.retrofit.strides import axis_index
from medsym.symmetry.mirror import Axis
from medsym.symmetry.walk import Call

Fact = bool


class OneSidedError(Exception):
    """A layer treats the two sides differently on this size.

    Args:
        path: Of the layer.
        cause: What it does, with the numbers.
    """

    def __init__(self, path: str, cause: str) -> None:
        super().__init__(cause)
        self.path, self.cause = path, cause


GridRule = Callable[[int, Call[Fact], Any], None]
"""(axis 0, 1, 2; call; output): raises :class:`OneSidedError`."""


def _edge(value: Any, index: int) -> int:
    """Entry of a setting that is one number or one per axis."""
    return int(value[index] if isinstance(value, list | tuple) and len(value) > 1 else _one(value))


def _one(value: Any) -> Any:
    return value[0] if isinstance(value, list | tuple) else value


def _tiles(call: Call[Fact], size: int, span: int, stride: int, padding: int) -> None:
    if (size + 2 * padding - span) % stride:
        raise OneSidedError(
            call.path,
            f"size {size} with a window of {span}, stride {stride}, padding {padding} leaves "
            "voxels of one side unread",
        )


def check_convolution(index: int, call: Call[Fact], _output: Any) -> None:
    """A strided convolution has to tile its padded input."""
    volume, weight = call.argument(0, "input"), call.argument(1, "weight")
    stride = _edge(call.argument(3, "stride", 1), index)
    padding = call.argument(4, "padding", 0)
    if stride > 1 and not isinstance(padding, str):
        span = _edge(call.argument(5, "dilation", 1), index) * (weight.shape[2 + index] - 1) + 1
        _tiles(call, volume.shape[2 + index], span, stride, _edge(padding, index))


def check_transposed(index: int, call: Call[Fact], _output: Any) -> None:
    """A transposed convolution must not pad its output, which happens on one side."""
    extra = _edge(call.argument(5, "output_padding", 0), index)
    if extra:
        raise OneSidedError(call.path, f"output_padding {extra} extends one side")


def check_pooling(index: int, call: Call[Fact], _output: Any) -> None:
    """A pooling window has to tile its padded input."""
    volume, kernel = call.argument(0, "input"), _edge(call.argument(1, "kernel_size"), index)
    given = call.argument(2, "stride")
    stride = _edge(given, index) if given not in (None, (), []) else kernel
    padding = _edge(call.argument(3, "padding", 0), index)
    maximum = "max" in call.name
    dilation = _edge(call.argument(4, "dilation", 1), index) if maximum else 1
    _tiles(call, volume.shape[2 + index], dilation * (kernel - 1) + 1, stride, padding)


def check_padding(index: int, call: Call[Fact], _output: Any) -> None:
    """Padding has to be the same on both sides."""
    pads = list(call.argument(1, "pad"))
    low, high = (pads + [0] * 6)[2 * (2 - index) : 2 * (2 - index) + 2]
    if low != high:
        raise OneSidedError(call.path, f"pads {low} voxels on one side and {high} on the other")


def check_resampling(index: int, call: Call[Fact], output: Any) -> None:
    """Nearest neighbours need a whole factor, a given factor has to give a whole size."""
    before, after = call.argument(0, "input").shape[2 + index], output.shape[2 + index]
    mode = call.argument(3, "mode", "nearest")
    factor = call.argument(2, "scale_factor")
    uneven = after % before if mode.startswith("nearest") else 0
    if factor is not None:
        chosen = factor[index] if isinstance(factor, list | tuple) else factor
        uneven = uneven or before * chosen != after
    if uneven:
        raise OneSidedError(call.path, f"{mode} resampling from {before} to {after} is one-sided")


GRID_RULES: dict[str, GridRule] = {
    "conv3d": check_convolution,
    "conv_transpose3d": check_transposed,
    "max_pool3d": check_pooling,
    "avg_pool3d": check_pooling,
    "pad": check_padding,
    "interpolate": check_resampling,
}
"""Bare name of the torch function -> its check."""


def watch_windows(network: nn.Module, axis: Axis) -> None:
    """Add checks to the parts of Swin transformers, whose tensors are (b, x, y, z, c)."""
    for path, module in network.named_modules():
        for kind, check in _WINDOW_CHECKS:
            if isinstance(module, kind):
                module.register_forward_pre_hook(partial(check, path, axis_index(axis)))


def _check_window(path: str, index: int, block: nn.Module, args: tuple[Tensor, ...]) -> None:
    size = args[0].shape[1 + index]
    edges, shifts = (getattr(block, name) for name in ("window_size", "shift_size"))
    window, shift = int(edges[index]), int(shifts[index])
    if size > window and (size % window or shift not in (0, window / 2)):
        raise OneSidedError(
            path, f"attention windows of {window}, shift {shift}, do not tile {size} tokens evenly"
        )


def _check_merging(path: str, index: int, _layer: nn.Module, args: tuple[Tensor, ...]) -> None:
    size = args[0].shape[1 + index]
    if size % 2:
        raise OneSidedError(path, f"pads the odd size {size} on one side")


def _check_embedding(path: str, index: int, layer: nn.Module, args: tuple[Tensor, ...]) -> None:
    patch = _edge(getattr(layer, "patch_size", 1), index)
    size = args[0].shape[2 + index]
    if size % patch:
        raise OneSidedError(path, f"pads the size {size} to a multiple of {patch} on one side")


_WINDOW_CHECKS: tuple[tuple[type[nn.Module], Callable[..., None]], ...] = (
    (SwinTransformerBlock, _check_window),
    (PatchMergingV2, _check_merging),
    (PatchEmbed, _check_embedding),
)
