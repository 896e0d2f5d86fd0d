"""The mirror carried by a layer's weights, as torch parametrisations.

``soften_layer`` attaches the parametrisation to ordinary torch layers, ``harden`` makes them
exact, ``fold`` removes it and leaves plain weights with the same function and the plain speed.
"""

from typing import cast

from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parts import split_kernel, split_vector
from medsym.symmetry.softness import Softness


class SoftKernel(nn.Module):
    """Parametrisation of a convolution kernel: raw weight -> ``W_even + a W_odd``."""

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        softness: Softness,
        *,
        transposed: bool = False,
        groups: int = 1,
    ) -> None:
        super().__init__()
        self.action_in, self.action_out = action_in, action_out
        self.softness = softness
        self.transposed, self.groups = transposed, groups

    def parts(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even, a W_odd); the second is what the layer's defect is made of."""
        even, odd = split_kernel(
            raw,
            self.action_in,
            self.action_out,
            transposed=self.transposed,
            groups=self.groups,
        )
        return even, self.softness.on(odd, self.action_out, dim=int(self.transposed)) * odd

    def forward(self, raw: Tensor) -> Tensor:
        """The weight that the layer runs with."""
        even, odd = self.parts(raw)
        return even if self.softness.is_exact else even + odd

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Any weight is a valid raw weight."""
        return weight


class SoftVector(nn.Module):
    """Parametrisation of a bias (signed) or of a norm's scale (unsigned)."""

    def __init__(self, action: ChannelAction, softness: Softness, *, signed: bool = True) -> None:
        super().__init__()
        self.action = action
        self.softness = softness
        self.signed = signed

    def forward(self, raw: Tensor) -> Tensor:
        """The vector that the layer runs with."""
        even, odd = split_vector(raw, self.action, signed=self.signed)
        if self.softness.is_exact:
            return even
        return even + self.softness.on(odd, self.action, dim=0) * odd

    def right_inverse(self, vector: Tensor) -> Tensor:
        """Any vector is a valid raw vector."""
        return vector


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
        ModelError: A layer with parameters that is not supported, by name.
    """
    shared = Softness() if softness is None else softness
    current = action_in
    for name, module in list(layer.named_modules()):
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


def _soften_convolution(
    layer: nn.Conv3d | nn.ConvTranspose3d,
    action_in: ChannelAction,
    action_out: ChannelAction,
    softness: Softness,
) -> None:
    transposed = isinstance(layer, nn.ConvTranspose3d)
    if transposed and layer.groups != 1 and softness.value.numel() > 1:
        raise ModelError(
            code="MS-212",
            subject=type(layer).__name__,
            cause=f"groups={layer.groups} with a softness per channel is not supported",
            fix="give a grouped transposed convolution a single softness",
        )
    kernel = SoftKernel(action_in, action_out, softness, transposed=transposed, groups=layer.groups)
    parametrize.register_parametrization(layer, "weight", kernel)
    if layer.bias is not None:
        parametrize.register_parametrization(layer, "bias", SoftVector(action_out, softness))


def _soften_norm(layer: nn.InstanceNorm3d, action: ChannelAction, softness: Softness) -> None:
    if layer.affine:
        scale = SoftVector(action, softness, signed=False)
        parametrize.register_parametrization(layer, "weight", scale)
        parametrize.register_parametrization(layer, "bias", SoftVector(action, softness))


def harden(model: nn.Module) -> nn.Module:
    """Set every softness of a model to a constant zero, in place: exact equivariance."""
    for module in list(model.modules()):
        if isinstance(module, Softness):
            module.harden()
    return model


def fold(model: nn.Module) -> nn.Module:
    """Replace every parametrised weight by its value, in place: same function, plain speed."""
    for module in list(model.modules()):
        if parametrize.is_parametrized(module):
            _own_class(module)
            for name in list(cast("nn.ModuleDict", module.parametrizations)):
                parametrize.remove_parametrizations(module, name, leave_parametrized=True)
    return model


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
