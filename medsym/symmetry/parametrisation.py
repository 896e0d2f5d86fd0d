"""The mirror carried by a layer's weights, as torch parametrisations.

``soften_layer`` attaches the parametrisation to ordinary torch layers, ``harden`` makes them
exact, ``fold`` removes it and leaves plain weights with the same function and the plain speed.
"""

from collections.abc import Iterator
from dataclasses import dataclass
from typing import TypeVar, cast

from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction, spatial_dim
from medsym.symmetry.soft_weight import SoftKernel, SoftVector, SoftWeight
from medsym.symmetry.softness import Softness, not_in_a_kernel

__all__ = [
    "SoftKernel",
    "SoftTensor",
    "SoftVector",
    "SoftWeight",
    "attach",
    "fold",
    "harden",
    "parametrisation",
    "soft_tensors",
    "soften_layer",
]

Model = TypeVar("Model", bound=nn.Module)


@dataclass(frozen=True, kw_only=True, slots=True)
class SoftTensor:
    """One softened tensor of a network.

    Attributes:
        layer: Dotted name of its layer.
        name: Name in the layer, such as "weight".
        weight: The parametrisation.
        raw: The trained tensor, even and odd part together.
    """

    layer: str
    name: str
    weight: SoftWeight
    raw: nn.Parameter


def soft_tensors(model: nn.Module) -> Iterator[SoftTensor]:
    """All softened tensors of a network, in order of registration."""
    for path, module in model.named_modules():
        if not parametrize.is_parametrized(module):
            continue
        for name, entry in cast("nn.ModuleDict", module.parametrizations).items():
            weight = cast("nn.ModuleList", entry)[0]
            if isinstance(weight, SoftWeight):
                raw = cast("nn.Parameter", entry.original)
                yield SoftTensor(layer=path, name=name, weight=weight, raw=raw)


def soften_layer(
    layer: nn.Module,
    *,
    action_in: ChannelAction,
    action_out: ChannelAction,
    softness: Softness | None = None,
) -> nn.Module:
    """Attach the mirror to one layer, in place; the layer is also returned.

    Supported by name: Conv3d, ConvTranspose3d (grouped too, where the mirror maps groups onto
    groups), InstanceNorm3d (acts on ``action_out``), and containers of them in which the first
    convolution goes from ``action_in`` to ``action_out``.
    Layers without parameters are left alone.

    Args:
        layer: A torch layer or a small container (for example a MONAI ``Convolution`` block).
        action_in: Channel action on the input.
        action_out: Channel action on the output.
        softness: Shared by all weights of the layer; None is exact.

    Raises:
        ModelError: MS-211, a layer with parameters that is not supported, by name; MS-217, one
            that pads one side; MS-223, a softness that varies over voxels or inputs on a layer
            that cannot carry it.
    """
    shared = Softness() if softness is None else softness
    current = action_in
    for name, module in list(layer.named_modules()):
        if shared.varies and any(True for _ in module.parameters(recurse=False)):
            _check_carries(name, module)
        if isinstance(module, nn.Conv3d | nn.ConvTranspose3d):
            _soften_convolution(module, current, action_out, shared)
            current = action_out
        elif isinstance(module, nn.InstanceNorm3d):
            _soften_norm(module, current, shared)
        elif any(True for _ in module.parameters(recurse=False)):
            raise ModelError(
                code="MS-211",
                subject=name or type(module).__name__,
                cause=f"{type(module).__name__} has parameters that soften_layer() does not know",
                fix="use Conv3d, ConvTranspose3d or InstanceNorm3d, or soften the output instead",
            )
    return layer


def _check_carries(name: str, module: nn.Module) -> None:
    """Refuse a softness that varies on a layer that runs with a single kernel."""
    if not getattr(module, "mixes_parts", False):
        raise not_in_a_kernel(name or type(module).__name__)


def attach(layer: nn.Module, name: str, weight: SoftWeight) -> None:
    """Register a parametrisation on one tensor of a layer; missing tensors are passed over.

    A softness that varies is checked when the layer runs or is folded, not here.
    """
    if getattr(layer, name) is not None:
        parametrize.register_parametrization(layer, name, weight, unsafe=weight.softness.varies)


def _soften_convolution(
    layer: nn.Conv3d | nn.ConvTranspose3d,
    action_in: ChannelAction,
    action_out: ChannelAction,
    softness: Softness,
) -> None:
    _check_padding(layer, spatial_dim(action_out.axis))
    transposed = isinstance(layer, nn.ConvTranspose3d)
    if transposed and layer.groups != 1 and softness.value.numel() > 1:
        raise ModelError(
            code="MS-212",
            subject=type(layer).__name__,
            cause=f"groups={layer.groups} with a softness per channel is not supported",
            fix="give a grouped transposed convolution a single softness",
        )
    kernel = SoftKernel(action_in, action_out, softness, transposed=transposed, groups=layer.groups)
    attach(layer, "weight", kernel)
    attach(layer, "bias", SoftVector(action_out, softness))


def _check_padding(layer: nn.Conv3d | nn.ConvTranspose3d, axis: int) -> None:
    """Refuse padding on one side, which breaks the mirror on every size."""
    same = layer.padding == "same" and layer.dilation[axis] * (layer.kernel_size[axis] - 1) % 2
    if same or layer.output_padding[axis]:
        raise ModelError(
            code="MS-217",
            subject=type(layer).__name__,
            cause="an even kernel padded to 'same'"
            if same
            else f"output_padding={layer.output_padding[axis]} extends one side of the mirror",
            fix="use an odd kernel, kernel = stride without output_padding, or "
            "medsym.models.retrofit.soften(), which rewrites such layers",
        )


def _soften_norm(layer: nn.InstanceNorm3d, action: ChannelAction, softness: Softness) -> None:
    attach(layer, "weight", SoftVector(action, softness, signed=False))
    attach(layer, "bias", SoftVector(action, softness))


def harden(model: Model) -> Model:
    """Set every softness of a model to a constant zero, in place: exact equivariance."""
    for module in list(model.modules()):
        if isinstance(module, Softness):
            module.harden()
    return model


def fold(model: Model) -> Model:
    """Replace every parametrised weight by its value, in place: same function, plain speed.

    Weights that several layers shared are then separate.

    Raises:
        ModelError: MS-223, a softness that varies over voxels or inputs, by layer; the model is
            then unchanged.
    """
    for tensor in soft_tensors(model):
        if tensor.weight.softness.uniform is None:
            raise not_in_a_kernel(tensor.layer or type(model).__name__)
    _separate(model)
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            _own_class(module)
            for name in list(cast("nn.ModuleDict", module.parametrizations)):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return model


def _separate(model: nn.Module) -> None:
    """Give each layer a raw tensor of its own; folding one twice would soften it twice."""
    seen: set[int] = set()
    for module in model.modules():
        if not parametrize.is_parametrized(module):
            continue
        for entry in cast("nn.ModuleDict", module.parametrizations).values():
            raw = entry.original
            if isinstance(raw, nn.Parameter) and id(raw) in seen:
                entry.original = nn.Parameter(raw.detach().clone(), raw.requires_grad)
            seen.add(id(raw))


def _own_class(module: nn.Module) -> None:
    """Give a parametrised module a class of its own.

    torch keeps the parametrised attribute as a property on a generated class that copies of the
    module share: removing it from one copy would break all others.
    """
    shared = type(module)
    content = {k: v for k, v in vars(shared).items() if k not in ("__dict__", "__weakref__")}
    module.__class__ = type(shared.__name__, shared.__bases__, content)


def parametrisation(layer: nn.Module, name: str) -> tuple[nn.Module, Tensor]:
    """(parametrisation, raw tensor) that ``soften_layer`` attached to the weight ``name``.

    Raises:
        ModelError: The layer was not softened.
    """
    if not parametrize.is_parametrized(layer, name):
        raise ModelError(
            code="MS-213",
            subject=type(layer).__name__,
            cause=f"its {name} carries no mirror",
            fix="call soften_layer(layer, action_in=..., action_out=...) first",
        )
    entry = cast("nn.ModuleDict", layer.parametrizations)[name]
    return cast("nn.ModuleList", entry)[0], cast("Tensor", entry.original)
