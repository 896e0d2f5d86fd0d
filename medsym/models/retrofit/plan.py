"""Which step each module of a network needs, in the order of the modules."""

from collections.abc import Iterator
from functools import partial
from typing import Any

from monai.networks.blocks.mednext_block import MedNeXtUpBlock
from monai.networks.blocks.patchembedding import PatchEmbeddingBlock
from monai.networks.nets.swin_unetr import (
    BasicLayer,
    PatchMerging,
    PatchMergingV2,
    SwinTransformerBlock,
)
from torch import nn

from medsym.models.retrofit.convolution_plan import plan_convolution
from medsym.models.retrofit.mednext import soften_up_block
from medsym.models.retrofit.norm_plan import plan_norm, plan_vector
from medsym.models.retrofit.steps import Planning, Step, kept, refused, said
from medsym.models.retrofit.swin_plan import plan_merging, plan_swin_block, plan_swin_stage
from medsym.models.retrofit.token_plan import plan_patch_embedding
from medsym.symmetry.mirror import Axis


def plan_steps(planning: Planning) -> Iterator[Step]:
    """One step per layer that matters; nothing is changed yet."""
    for path, module in planning.network.named_modules():
        plan = _PLANNERS.get(type(module))
        if plan is not None:
            yield plan(planning, path, module)
    for name in planning.actions.vectors:
        owner = planning.network.get_submodule(name.rpartition(".")[0])
        yield plan_vector(planning, name, owner)
    yield _sizes(planning.axis)


def _convolution(planning: Planning, path: str, layer: nn.ConvTranspose3d) -> Step:
    owner = planning.network.get_submodule(path.rpartition(".")[0])
    padded = type(owner) is MedNeXtUpBlock
    return plan_convolution(planning, path, layer, front_taps=int(padded))


def _token_layer(planning: Planning, path: str, _layer: nn.Module) -> Step:
    owner = planning.network.get_submodule(path.rpartition(".")[0])
    if isinstance(owner, PatchMergingV2):  # softened with its owner
        return Step(findings=())
    return kept(path, "norm", "acts on the trivial channels of one token at a time")


def _up_block(planning: Planning, path: str, block: MedNeXtUpBlock) -> Step:
    text = (
        f"zeros put in front along {planning.axis} replaced by a computed plane, which enters the "
        "norm's statistics"
    )
    finding = said(path, "one-sided padding", "fixed", text, exact=False)
    return Step(findings=(finding,), apply=partial(soften_up_block, block, planning.axis))


def _sizes(axis: Axis) -> Step:
    text = f"check_grid refuses sizes along {axis} that a strided layer or a window does not tile"
    return refused("", "odd size", text)


_PLANNERS: dict[type[nn.Module], Any] = {
    nn.Conv3d: plan_convolution,
    nn.ConvTranspose3d: _convolution,
    nn.BatchNorm3d: plan_norm,
    nn.InstanceNorm3d: plan_norm,
    nn.GroupNorm: plan_norm,
    nn.LayerNorm: _token_layer,
    MedNeXtUpBlock: _up_block,
    PatchEmbeddingBlock: plan_patch_embedding,
    BasicLayer: plan_swin_stage,
    SwinTransformerBlock: plan_swin_block,
    PatchMerging: plan_merging,
    PatchMergingV2: plan_merging,
}
