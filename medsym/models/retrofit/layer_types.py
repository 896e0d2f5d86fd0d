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


_FLAT = (nn.Conv1d, nn.Conv2d, nn.ConvTranspose1d, nn.ConvTranspose2d)


def check_layer_types(network: nn.Module) -> None:
    """Refuse layers with parameters of unknown classes, all by name.

    Raises:
        ModelError: MS-252, unknown layers; MS-253, layers that carry a parametrisation already;
            MS-256, weights that several layers share; MS-257, a network in 1D or 2D.
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
    flat = [f"{path} ({type(m).__name__})" for path, m in modules if isinstance(m, _FLAT)]
    if flat:
        raise ModelError(
            code="MS-257",
            subject=type(network).__name__,
            cause=f"its layers are not three-dimensional: {', '.join(flat[:5])}",
            fix="build the network with spatial_dims=3",
        )
    _check_shared(network)
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


def _check_shared(network: nn.Module) -> None:
    """One tensor in two layers: each layer has a mirror of its own, and kernels may grow."""
    owners: dict[int, list[str]] = {}
    for path, module in network.named_modules():
        for name, parameter in module.named_parameters(recurse=False):
            owners.setdefault(id(parameter), []).append(f"{path}.{name}".lstrip("."))
    shared = [" = ".join(names) for names in owners.values() if len(names) > 1]
    if shared:
        raise ModelError(
            code="MS-256",
            subject=type(network).__name__,
            cause=f"layers share weights: {', '.join(shared)}",
            fix="use one module in both places, or give each layer its own copy",
        )


def _is_known(module: nn.Module) -> bool:
    names = {name for name, _ in module.named_parameters(recurse=False)}
    rewritten = type(module).__module__.startswith("torch.nn") and not names <= _USUAL
    return not names or (type(module) in KNOWN and not rewritten)
