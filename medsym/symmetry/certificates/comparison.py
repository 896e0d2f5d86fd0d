"""What a certificate compares: two passes, and in what each layer of the other one differs.

The rules for layers ask for the difference itself where the features are at hand (the source term
of this input) and for its norm where only their size is known (every input).
"""

from dataclasses import dataclass

import torch
from torch import Tensor
from torch.nn.utils import parametrize

from medsym.symmetry.certificates.gap import Gap, size
from medsym.symmetry.mirror import ChannelAction, check_same_axis, mirror
from medsym.symmetry.operator_norm import absolute_norm, conv_norm
from medsym.symmetry.parametrisation import SoftKernel, parametrisation
from medsym.symmetry.soft_weight import SoftWeight
from medsym.symmetry.walk import Call


@dataclass(frozen=True, kw_only=True, slots=True)
class Geometry:
    """What besides the weight decides the norm of a convolution."""

    stride: tuple[int, ...] = ()
    dilation: tuple[int, ...] = ()
    groups: int = 1
    transposed: bool = False

    def norm(self, weight: Tensor) -> float:
        """Upper bound on the operator norm."""
        return conv_norm(weight, stride=self.stride, dilation=self.dilation, groups=self.groups)

    def absolute(self, weight: Tensor) -> float:
        """Upper bound on the operator norm with |weight|."""
        return absolute_norm(weight, stride=self.stride, dilation=self.dilation, groups=self.groups)


@dataclass(frozen=True, kw_only=True, slots=True)
class KernelPair:
    """A kernel and how the kernel of the other pass differs.

    Attributes:
        difference: Other kernel minus this one, float64.
        difference_norm: Its operator norm.
        gain: Operator norm of this kernel and of the other one, the larger.
        gain_any: The factor on the error where the source is ``difference_norm * magnitude``.
        absolute: Norm with |kernel|, the larger of the two.
        action_out: Channel action of the output.
    """

    difference: Tensor
    difference_norm: float
    gain: float
    gain_any: float
    absolute: float
    action_out: ChannelAction


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """Where two passes differ: one layer, its norms, and what it contributes on this input.

    Attributes:
        name: Dotted name of the module, and what was called.
        softness: Largest softness of the layer; 1 for a weight that carries no mirror.
        even_norm: Norm of the even part of the weight.
        odd_norm: Norm of ``a W_odd``.
        source: ``|2 a W_odd h + 2 a b_odd|`` on this input, the largest of the batch.
    """

    name: str
    softness: float
    even_norm: float
    odd_norm: float
    source: float


@dataclass(frozen=True, kw_only=True, slots=True)
class Parameter:
    """A tensor of a layer as a call uses it.

    Attributes:
        call: The call; its module is the layer.
        name: Name of the tensor in the layer.
        values: The tensor.
        action: Channel action of the layer's input for a kernel, of its own channels for a vector.
        signed: A bias changes sign with its channel, a scale does not.
    """

    call: Call[Gap]
    name: str
    values: Tensor
    action: ChannelAction
    signed: bool = True

    def __post_init__(self) -> None:
        """Refuse weights made from the input (MS-220)."""
        if self.call.fact(self.values) is not None:
            cause = f"its {self.name} depends on the input"
            raise self.call.refuse(cause, "treat the network as a whole by two passes")


class Comparison:
    """Two passes; see the subclasses."""

    mirrored = True
    """True if the other pass sees the mirrored scan: functions have to commute with the mirror.

    Otherwise gaps have to stay linear, and the range of a function is no limit to them.
    """

    def __init__(self) -> None:
        self.sources: list[Source] = []

    def note(self, call: Call[Gap], *, even: float, odd: float, source: Tensor) -> None:
        """Keep what a layer contributes."""
        found = soft_weight(call, "weight")
        value = float(found[0].softness.value.max()) if found else 1.0
        name = f"{call.path or 'network'} ({call.name.rsplit('.', 1)[-1]})"
        self.sources.append(
            Source(
                name=name,
                softness=value,
                even_norm=even,
                odd_norm=odd,
                source=float(source.max()) if source.numel() else 0.0,
            )
        )

    def kernel(self, use: Parameter, form: Geometry) -> KernelPair:
        """How the kernel of a convolution or linear layer differs; see :class:`KernelPair`."""
        raise NotImplementedError

    def vector(self, use: Parameter) -> Tensor:
        """Other vector minus this one, float64."""
        raise NotImplementedError

    def largest(self, values: Tensor, change: Tensor) -> Tensor:
        """Magnitude of a vector in whichever of the passes it is larger, elementwise."""
        if self.mirrored:
            return torch.maximum(values.abs(), (values + change).abs())
        return values.abs() + change.abs()  # any softness b with |b - a| <= 1

    def constant(self, values: Tensor, action: ChannelAction) -> Tensor:
        """Other constant feature map (b, c, ...) minus this one: ``S p - p``."""
        if not self.mirrored:
            return torch.zeros_like(values)
        return (action.apply(values) if values.ndim == 2 else mirror(values, action)) - values

    def retyped(self, tensor: Tensor, gap: Gap, action: ChannelAction) -> Gap:
        """The gap of a tensor that is read with another channel action from here on.

        Where the tensor's own action is R, the twin's features move by ``|R' R h - h|`` at most.

        Raises:
            GridError: MS-205, mirrors along two axes; MS-202, another number of channels.
        """
        if not self.mirrored or gap.action == action:
            return gap
        check_same_axis(gap.action, action)
        values = tensor.detach().double()
        source = size(action.apply(gap.action.apply(values)) - values)
        self.sources.append(
            Source(
                name="change of channel action",
                softness=1.0,
                even_norm=1.0,
                odd_norm=1.0,
                source=float(source.max()),
            )
        )
        return gap.through(
            gain=1.0,
            source=source,
            source_any=2.0 * gap.magnitude,
            magnitude=gap.magnitude,
            action=action,
        )

    def demand_mirror(self, call: Call[Gap], holds: bool, cause: str, fix: str) -> None:
        """Refuse a function that does not commute with the mirror, if one is compared.

        Raises:
            ModelError: MS-220, by name.
        """
        if self.mirrored and not holds:
            raise call.refuse(cause, fix)

    def cap(self, limit: float) -> float | None:
        """The largest distance of two outputs, where gaps may saturate."""
        return limit if self.mirrored else None


def soft_weight(call: Call[Gap], name: str) -> tuple[SoftWeight, Tensor] | None:
    """(parametrisation, raw tensor) of the running layer's ``name``, or None if not softened."""
    if not parametrize.is_parametrized(call.module, name):
        return None
    found, raw = parametrisation(call.module, name)
    return (found, raw) if isinstance(found, SoftWeight) else None


def action_expected(call: Call[Gap]) -> ChannelAction | None:
    """The input action that a softened kernel was made for."""
    found = soft_weight(call, "weight")
    return found[0].action_in if found and isinstance(found[0], SoftKernel) else None
