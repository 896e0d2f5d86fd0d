"""Softness: how far a weight may leave the equivariant subspace, as a torch parametrisation.

``W_a = W_even + a W_odd`` with softness a in [0, 1]: 0 is exact, 1 is the free weight. For one
mirror every soft-equivariance construction is this family (tunable softness, arXiv 2603.26657;
residual pathway priors, arXiv 2112.01388; ACE, arXiv 2505.13631). The defect of one layer is
exactly ``f_a(S x) - S f_a(x) = -2 a S W_odd x``.

``soften`` attaches the parametrisation to ordinary torch layers, ``harden`` makes them exact,
``fold`` removes it and leaves plain weights with the same function and the plain speed.
"""

from typing import cast

import torch
from torch import Tensor, nn
from torch.nn.utils import parametrize

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.parts import split_kernel, split_vector

_LOGIT_LIMIT = 1e-4


class Softness(nn.Module):
    """A softness in [0, 1], fixed or learned, one per layer or one per output channel.

    Args:
        value: Initial softness.
        learned: Train it (as a logit, so it stays inside (0, 1)); else it is a constant.
        num_channels: One softness per output channel; None for a single one. Channels that the
            mirror swaps use the mean of their two values.
    """

    def __init__(
        self, value: float = 0.0, *, learned: bool = False, num_channels: int | None = None
    ) -> None:
        super().__init__()
        if not 0.0 <= value <= 1.0:
            raise ModelError(
                code="MS-210",
                subject="softness",
                cause=f"{value} lies outside [0, 1]",
                fix="use 0 for exact symmetry, 1 for a free weight, or a number between",
            )
        self.learned = learned
        size = num_channels or 1
        if learned:
            clipped = min(max(value, _LOGIT_LIMIT), 1.0 - _LOGIT_LIMIT)
            start = torch.logit(torch.tensor(clipped, dtype=torch.float64)).item()
            self.logit = nn.Parameter(torch.full((size,), start))
        else:
            self.register_buffer("constant", torch.full((size,), float(value)))

    @property
    def value(self) -> Tensor:
        """Softness (1,) or (channels,), each in [0, 1]."""
        return torch.sigmoid(self.logit) if self.learned else self.get_buffer("constant")

    @property
    def is_exact(self) -> bool:
        """True if the softness is a constant zero: the odd part is then not computed at all."""
        return not self.learned and not bool(self.get_buffer("constant").any())

    def on(self, tensor: Tensor, action_out: ChannelAction, *, dim: int) -> Tensor:
        """The softness shaped to multiply ``tensor`` along its output-channel dimension."""
        value = self.value.to(tensor.dtype)
        if value.numel() > 1:
            value = (value + action_out.apply(value, dim=0, signed=False)) / 2
        shape = [1] * tensor.ndim
        shape[dim] = value.numel()
        return value.reshape(shape)

    def harden(self) -> None:
        """Become a constant zero."""
        if self.learned:
            size = self.logit.numel()
            device = self.logit.device
            del self.logit
            self.learned = False
            self.register_buffer("constant", torch.zeros(size, device=device))
        else:
            self.get_buffer("constant").zero_()


class SoftKernel(nn.Module):
    """Parametrisation of a convolution kernel: raw weight -> ``W_even + a W_odd``."""

    def __init__(
        self,
        action_in: ChannelAction,
        action_out: ChannelAction,
        softness: Softness,
        *,
        transposed: bool = False,
    ) -> None:
        super().__init__()
        self.action_in, self.action_out = action_in, action_out
        self.softness = softness
        self.transposed = transposed

    def parts(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even, a W_odd); the second is what the layer's defect is made of."""
        even, odd = split_kernel(raw, self.action_in, self.action_out, transposed=self.transposed)
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


def soften(
    layer: nn.Module,
    *,
    action_in: ChannelAction,
    action_out: ChannelAction,
    softness: Softness | None = None,
) -> nn.Module:
    """Attach the mirror to one layer, in place; the layer is also returned.

    Supported by name: Conv3d, ConvTranspose3d, InstanceNorm3d (acts on ``action_out``), and
    containers of them in which the first convolution goes from ``action_in`` to ``action_out``.
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
                cause=f"{type(module).__name__} has parameters that soften() does not know",
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
    if layer.groups != 1 or any(d != 1 for d in layer.dilation):
        raise ModelError(
            code="MS-212",
            subject=type(layer).__name__,
            cause=f"groups={layer.groups}, dilation={layer.dilation} are not supported",
            fix="use an ungrouped convolution without dilation",
        )
    kernel = SoftKernel(action_in, action_out, softness, transposed=transposed)
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
    """(parametrisation, raw tensor) of a softened weight: what ``soften`` attached to ``name``.

    Raises:
        ModelError: The layer was not softened.
    """
    if not parametrize.is_parametrized(layer, name):
        raise ModelError(
            code="MS-213",
            subject=type(layer).__name__,
            cause=f"its {name} carries no mirror",
            fix="call soften(layer, action_in=..., action_out=...) first",
        )
    entry = cast("nn.ModuleDict", layer.parametrizations)[name]
    return cast("nn.ModuleList", entry)[0], cast("Tensor", entry.original)
