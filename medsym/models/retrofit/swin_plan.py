"""How the parts of a Swin transformer are softened: windows, position bias, patch merging."""

from collections.abc import Sequence
from functools import partial

import torch
from monai.networks.nets.swin_unetr import BasicLayer, PatchMergingV2, SwinTransformerBlock
from torch import Tensor, nn

from medsym.models.retrofit.rehearsal import empty_volume, meta_copy
from medsym.models.retrofit.soft_tensors import permute_softly
from medsym.models.retrofit.steps import Planning, Step, kept, refused, said
from medsym.models.retrofit.strides import axis_index
from medsym.models.retrofit.swin import soften_swin_block, soften_swin_layer
from medsym.symmetry.mirror import Axis
from medsym.symmetry.softness import Softness


def plan_swin_stage(planning: Planning, path: str, layer: BasicLayer) -> Step:
    """The step for a stage: one window for all its blocks."""
    old = int(layer.window_size[axis_index(planning.axis)])
    window = planning.window or even_window(old)
    if window == old:
        return kept(path, "window grid", f"window {old} along {planning.axis} is even")
    text = (
        f"window {old} becomes {window} along {planning.axis}, shift {window // 2}: an odd window "
        "has no symmetric shift"
    )
    finding = said(path, "window grid", "fixed", text, exact=False)
    apply = partial(soften_swin_layer, layer, planning.axis, window)
    return Step(findings=(finding,), apply=apply)


def plan_swin_block(planning: Planning, path: str, block: SwinTransformerBlock) -> Step:
    """The step for one block: its window and its relative position bias."""
    old = int(block.window_size[axis_index(planning.axis)])
    window = planning.window or even_window(old)
    softness = planning.softness(f"{path}.attn", 1)
    text = "relative position bias split into even and odd part"
    if window != old:
        text += f"; its table {'cropped' if window < old else 'enlarged'} to window {window}"
    finding = said(f"{path}.attn", "position embedding", "fixed", text)
    apply = partial(soften_swin_block, block, planning.axis, window, softness)
    return Step(findings=(finding,), apply=apply)


def plan_merging(planning: Planning, path: str, layer: PatchMergingV2) -> Step:
    """The step for a patch merging: the mirror swaps the corners that it reads."""
    corners = corner_order(layer)
    if sorted(corners) != list(range(8)):
        return refused(
            path,
            "patch merging",
            f"reads the corners {corners} of a 2x2x2 block, a set that the mirror does not map "
            'onto itself; build the network with downsample="mergingv2"',
        )
    far = 4 >> axis_index(planning.axis)
    blocks = [corners.index(corner ^ far) for corner in corners]
    order = [block * layer.dim + c for block in blocks for c in range(layer.dim)]
    softness = planning.softness(path, 1)
    text = "norm and linear map over the eight corners split into even and odd part"
    return Step(
        findings=(said(path, "patch merging", "fixed", text),),
        apply=partial(_soften_merging, layer, order, softness),
    )


def _soften_merging(layer: PatchMergingV2, order: list[int], softness: Softness) -> None:
    permute_softly(layer.reduction, "weight", order, softness, dim=1)
    if layer.norm.elementwise_affine:
        permute_softly(layer.norm, "weight", order, softness)
        permute_softly(layer.norm, "bias", order, softness)


def even_window(window: int) -> int:
    """The largest even window that is not larger; a window of one voxel stays."""
    return window if window == 1 else window - window % 2


def fitting_window(
    network: nn.Module, axis: Axis, channels: int, grid: Sequence[int]
) -> int | None:
    """An even window near the network's odd one that tiles every stage on this grid, if any."""
    index = axis_index(axis)
    rehearsed = meta_copy(network).eval()
    blocks = [m for m in rehearsed.modules() if isinstance(m, SwinTransformerBlock)]
    old = int(blocks[0].window_size[index]) if blocks else 0
    if old % 2 == 0 or old == 1:
        return None
    sizes: set[int] = set()
    for block in blocks:
        block.register_forward_pre_hook(lambda _block, args: sizes.add(args[0].shape[1 + index]))
    with torch.no_grad():
        rehearsed(empty_volume(channels, grid))
    nearest = sorted(range(2, 2 * old, 2), key=lambda w: (abs(w - old), w))
    return next((w for w in nearest if all(n <= w or n % w == 0 for n in sizes)), None)


def corner_order(layer: PatchMergingV2) -> list[int]:
    """Corner ``4 x + 2 y + z`` of a 2x2x2 block in each of the eight places, found by trying.

    Releases of MONAI differ in the order, and some read corners twice.
    """
    seen: list[Tensor] = []
    watch = layer.norm.register_forward_pre_hook(lambda _norm, args: seen.append(args[0]))
    weight = layer.reduction.weight
    block = torch.arange(8, device=weight.device, dtype=weight.dtype).reshape(1, 2, 2, 2, 1)
    try:
        with torch.no_grad():
            layer(block.expand(-1, -1, -1, -1, layer.dim))
    finally:
        watch.remove()
    return [int(value) for value in seen[0].flatten()[:: layer.dim]]
