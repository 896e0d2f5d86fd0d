"""Which layers soften knows; everything else that has parameters is refused by name."""

from monai.networks.blocks.mednext_block import (
    MedNeXtBlock,
    MedNeXtDownBlock,
    MedNeXtUpBlock,
)
from monai.networks.blocks.patchembedding import PatchEmbeddingBlock
from monai.networks.nets.swin_unetr import WindowAttention
from torch import nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError

KNOWN: tuple[type[nn.Module], ...] = (
    *(nn.Conv3d, nn.ConvTranspose3d, nn.InstanceNorm3d, nn.BatchNorm3d, nn.GroupNorm, nn.PReLU),
    *(nn.LayerNorm, nn.Linear, WindowAttention, PatchEmbeddingBlock),
    *(MedNeXtBlock, MedNeXtDownBlock, MedNeXtUpBlock),
)
"""Classes whose own parameters are understood; subclasses are not, they may do anything."""

_USUAL = {"weight", "bias"}
"""Parameters of torch's own layers; others (weight_g, weight_orig) come from rewritten layers."""


def check_layer_types(network: nn.Module) -> None:
    """Refuse layers with parameters of unknown classes, all by name.

    Raises:
        ModelError: MS-252, unknown layers; MS-253, layers that carry a parametrisation already.
    """
    modules = list(network.named_modules())
    soft = [path for path, module in modules if parametrize.is_parametrized(module)]
    if soft:
        raise ModelError(
            code="MS-253",
            subject=type(network).__name__,
            cause=f"weights are parametrised already: {', '.join(soft[:5])}",
            fix="fold the network first (medsym.symmetry.fold), or remove the parametrisations",
        )
    causal = [path for path, module in modules if getattr(module, "causal", False) is True]
    unknown = [
        f"{path or 'network'} ({type(module).__name__})"
        for path, module in modules
        if not _is_known(module)
    ]
    unknown += [f"{path} (causal attention)" for path in causal]
    if unknown:
        raise ModelError(
            code="MS-252",
            subject=type(network).__name__,
            cause=f"layers whose mirror is not known: {', '.join(unknown)}",
            fix="replace them, or soften the output instead (SoftEquivariant), which needs no rule",
        )


def _is_known(module: nn.Module) -> bool:
    names = {name for name, _ in module.named_parameters(recurse=False)}
    rewritten = type(module).__module__.startswith("torch.nn") and not names <= _USUAL
    return not names or (type(module) in KNOWN and not rewritten)
