"""Softness: how far a weight may leave the equivariant subspace.

``W_a = W_even + a W_odd`` with softness a in [0, 1]: 0 is exact, 1 is the free weight. For one
mirror every soft-equivariance construction is this family (tunable softness, arXiv 2603.26657;
residual pathway priors, arXiv 2112.01388; ACE, arXiv 2505.13631). The defect of one layer is
exactly ``f_a(S x) - S f_a(x) = -2 a S W_odd x``. Softness per layer or per channel is part of the
kernel; softness that varies over voxels or inputs (``medsym.nn.soft_layers``) is a subclass and
is handled by the same functions.
"""

from collections.abc import Iterator
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import ModelError
from medsym.symmetry.mirror import ChannelAction

_LOGIT_LIMIT = 1e-4
_SATURATED = 800.0  # sigmoid(-800) is exactly 0 and sigmoid(800) exactly 1, in float64 too


class Softness(nn.Module):
    """A softness in [0, 1], fixed or learned, one per layer or one per output channel.

    Args:
        value: Initial softness.
        learned: Train it (as a logit, so it stays inside (0, 1)); else it is a constant.
        num_channels: One softness per output channel; None for a single one. Channels that the
            mirror swaps use the mean of their two values.

    Raises:
        ModelError: MS-210, a value outside [0, 1].
    """

    varies = False
    """True in subclasses whose softness differs between voxels or inputs."""

    def __init__(
        self, value: float = 0.0, *, learned: bool = False, num_channels: int | None = None
    ) -> None:
        super().__init__()
        self._start(torch.full((num_channels or 1,), float(value)), learned=learned)

    def _start(self, values: Tensor, *, learned: bool) -> None:
        """Hold ``values``, as a logit if learned."""
        check_softness(values)
        self.learned = learned
        self._zero_test: tuple[Tensor, int, bool] | None = None
        if learned:
            self.logit = nn.Parameter(_inner_logit(values))
        else:
            self.register_buffer("constant", values)

    @property
    def value(self) -> Tensor:
        """Softness (1,) or (channels,), each in [0, 1]; where it varies, the upper limit."""
        return torch.sigmoid(self.logit) if self.learned else self.get_buffer("constant")

    def barrier(self) -> Tensor:
        """``-log(1 - a)`` of a learned softness a, without overflow as a approaches 1."""
        return F.softplus(self.logit)

    @property
    def uniform(self) -> Tensor | None:
        """Softness (1,) or (channels,) that acts everywhere; None where it varies at present."""
        return self.value

    def field(self, volume: Tensor, size: torch.Size) -> Tensor:
        """Softness for this input, broadcastable against the layer's output.

        Args:
            volume: Input of the layer, (b, c_in, x, y, z).
            size: Spatial size (x', y', z') of the layer's output.

        Returns:
            (1 or b, 1 or c_out, 1 or x', 1 or y', 1 or z').
        """
        del volume, size
        return self.value.reshape(1, -1, 1, 1, 1)

    @property
    def is_exact(self) -> bool:
        """True if the softness is a constant zero: the odd part is then not computed at all.

        The values are read again only after they changed, so a GPU is not waited for.
        """
        if self.learned:
            return False
        constant = self.get_buffer("constant")
        if constant.is_inference():  # has no version counter
            return not bool(constant.any())
        version = constant._version  # noqa: SLF001
        known = self._zero_test
        if known is None or known[0] is not constant or known[1] != version:
            known = (constant, version, not bool(constant.any()))
            self._zero_test = known
        return known[2]

    def __getstate__(self) -> dict[str, Any]:
        """The state for copies and pickles; what was known of another tensor's values stays."""
        return {**self.__dict__, "_zero_test": None}

    def on(self, tensor: Tensor, action_out: ChannelAction, *, dim: int) -> Tensor:
        """The softness shaped to multiply ``tensor`` along its output-channel dimension.

        Raises:
            ModelError: MS-223, it differs between voxels or inputs.
        """
        uniform = self.uniform
        if uniform is None:
            raise not_in_a_kernel("softness")
        value = uniform.to(tensor.dtype)
        if value.numel() > 1:
            value = (value + action_out.apply(value, dim=0, signed=False)) / 2
        shape = [1] * tensor.ndim
        shape[dim] = value.numel()
        return value.reshape(shape)

    @torch.no_grad()
    def write(self, values: Tensor | float, *, keep_learning: bool = False) -> None:
        """Set the softness now; parameters and buffers keep their identity.

        Args:
            values: A number, or a tensor of the shape of ``value``, in [0, 1].
            keep_learning: Keep a learned softness within [1e-4, 1 - 1e-4], where it has a
                gradient. Else 0 and 1 are reached exactly, and a learned one no longer moves.

        Raises:
            ModelError: MS-210, a value outside [0, 1]; MS-221, another shape.
        """
        held = self.logit if self.learned else self.get_buffer("constant")
        given = torch.as_tensor(values, dtype=torch.float64, device=held.device)
        check_softness(given)
        if given.ndim and given.shape != held.shape:
            raise ModelError(
                code="MS-221",
                subject="softness",
                cause=f"values of shape {tuple(given.shape)} for one of {tuple(held.shape)}",
                fix="give one number, or as many values as the softness has",
            )
        if not self.learned:
            held.copy_(given.expand(held.shape))
        elif keep_learning:
            held.copy_(_inner_logit(given).expand(held.shape))
        else:
            logit = torch.logit(given).clamp(-_SATURATED, _SATURATED)
            held.copy_(logit.expand(held.shape))

    def harden(self) -> None:
        """Become a constant zero."""
        if self.learned:
            zeros = torch.zeros_like(self.logit, requires_grad=False)
            del self.logit
            self.learned = False
            self.register_buffer("constant", zeros)
        else:
            self.get_buffer("constant").zero_()


def not_in_a_kernel(layer: str) -> ModelError:
    """The error for a softness that no single kernel can hold; raise it."""
    return ModelError(
        code="MS-223",
        subject=layer,
        cause="its softness differs between voxels or inputs, which no single kernel does",
        fix="use medsym.nn.VaryingConv3d and do not fold it, or harden() it first",
    )


def check_softness(values: Tensor) -> None:
    """Refuse values outside [0, 1].

    Raises:
        ModelError: MS-210, with the first such value.
    """
    outside = values[~((values >= 0.0) & (values <= 1.0))]
    if outside.numel():
        raise ModelError(
            code="MS-210",
            subject="softness",
            cause=f"{outside.flatten()[0].item():g} lies outside [0, 1]",
            fix="use 0 for exact symmetry, 1 for a free weight, or a number between",
        )


def softnesses(model: nn.Module) -> Iterator[tuple[str, Softness]]:
    """(name of the layer, its softness), each softness once, in order of registration.

    A softness shared by several layers is listed under the first; one that has no layer of its
    own, or is the second in its layer, under its full path.
    """
    seen: set[str] = set()
    for path, module in model.named_modules():
        if isinstance(module, Softness):
            layer = f".{path}".split(".parametrizations.")[0].removesuffix("softness").strip(".")
            name = path if layer in seen else layer
            seen.add(name)
            yield name, module


def softness_values(model: nn.Module) -> dict[str, Tensor]:
    """Softness of every layer by name, detached copies; see :func:`softnesses` for the names."""
    return {name: softness.value.detach().clone() for name, softness in softnesses(model)}


def load_softness(model: nn.Module, values: dict[str, Tensor]) -> None:
    """Take over softness that was learned elsewhere; nothing is changed if any entry is wrong.

    A learned softness stays learned and keeps within [1e-4, 1 - 1e-4].

    Args:
        model: A network with the same layer names.
        values: As :func:`softness_values` returns them.

    Raises:
        ModelError: MS-222, names that are missing or unknown; MS-221, another shape; MS-210, a
            value outside [0, 1].
    """
    own = dict(softnesses(model))
    wrong = {"missing": own.keys() - values.keys(), "unknown": values.keys() - own.keys()}
    if own.keys() != values.keys():
        raise ModelError(
            code="MS-222",
            subject="softness values",
            cause="; ".join(f"{how}: {', '.join(sorted(n))}" for how, n in wrong.items() if n),
            fix="give exactly one entry per name of softness_values(model)",
        )
    for name, softness in own.items():
        check_softness(values[name])
        if values[name].shape != softness.value.shape:
            raise ModelError(
                code="MS-221",
                subject=name or "softness",
                cause=f"values of shape {tuple(values[name].shape)} for a softness of "
                f"{tuple(softness.value.shape)}",
                fix="load into a network whose softness has the same channels or regions",
            )
    for name, softness in own.items():
        softness.write(values[name], keep_learning=True)


def _inner_logit(values: Tensor) -> Tensor:
    """Logit of values kept off 0 and 1, in the default precision."""
    inner = values.double().clamp(_LOGIT_LIMIT, 1.0 - _LOGIT_LIMIT)
    return torch.logit(inner).to(torch.get_default_dtype())
