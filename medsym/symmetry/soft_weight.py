"""One tensor of a layer that carries the mirror: raw -> ``W_even + a W_odd``.

These are torch parametrisations; ``medsym.symmetry.parametrisation`` attaches them to layers.
The raw tensor holds both parts, ``W_even = (W + S W S) / 2`` and ``W_odd = W - W_even``, so any
tensor is a valid raw tensor and softness 1 is the free layer.
"""

from typing import Literal

from torch import Tensor, nn

from medsym.symmetry.mirror import ChannelAction
from medsym.symmetry.softness import Softness
from medsym.symmetry.twin import KernelTwin, VectorTwin, soft_weight

Part = Literal["even", "odd", "softness"]
"""What can be frozen in ``W_even + a W_odd``."""


class OddPath(nn.Module):
    """A module with an odd part that may be learned.

    Attributes:
        frozen: Parts that receive no gradient at present.
    """

    def __init__(self) -> None:
        super().__init__()
        self.frozen: frozenset[Part] = frozenset()

    @property
    def learns_odd_part(self) -> bool:
        """True if training decides how asymmetric the module is."""
        return True

    def clear(self) -> None:
        """Leave nothing odd; only for modules in which no tensor can be projected."""


class SoftWeight(OddPath):
    """Parametrisation of one tensor: raw -> ``W_even + a W_odd``, a the softness.

    Attributes:
        softness: The softness a.
        frozen: Parts that receive no gradient at present.
    """

    _dim = 0  # of the output channels
    has_no_odd_part = False
    """True where the mirror leaves every entry alone, as for a bias of trivial channels."""

    def __init__(self, softness: Softness, action_out: ChannelAction) -> None:
        super().__init__()
        self.softness = softness
        self.action_out = action_out

    @property
    def learns_odd_part(self) -> bool:
        """True if the softness is not a constant zero."""
        return not self.softness.is_exact

    def twin(self, raw: Tensor) -> Tensor:
        """S W S; twice gives back the tensor."""
        raise NotImplementedError

    def split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even, W_odd), which add up to the raw tensor."""
        twin = self.twin(raw)
        return (raw + twin) / 2, (raw - twin) / 2

    def live_split(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even, W_odd), the frozen ones without gradient."""
        even, odd = self.split(raw)
        even = even.detach() if "even" in self.frozen else even
        return even, odd.detach() if "odd" in self.frozen else odd

    def factor(self, raw: Tensor) -> Tensor:
        """The softness a, shaped to multiply the raw tensor."""
        value = self.softness.on(raw, self.action_out, dim=self._dim)
        return value.detach() if "softness" in self.frozen else value

    def parts(self, raw: Tensor) -> tuple[Tensor, Tensor]:
        """(W_even, a W_odd); the second is what the layer's defect is made of."""
        even, odd = self.live_split(raw)
        return even, self.factor(raw) * odd

    def forward(self, raw: Tensor) -> Tensor:
        """The tensor that the layer runs with."""
        if self.frozen and not self.softness.is_exact:
            even, odd = self.parts(raw)
            return even + odd
        if self.has_no_odd_part:
            return raw.detach() if "even" in self.frozen else raw
        factor = None if self.softness.is_exact else self.factor(raw)
        return soft_weight(raw.detach() if "even" in self.frozen else raw, self.twin, factor)

    def right_inverse(self, weight: Tensor) -> Tensor:
        """Any weight is a valid raw weight."""
        return weight


class SoftKernel(SoftWeight):
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
        super().__init__(softness, action_out)
        self.action_in = action_in
        self.transposed, self.groups = transposed, groups
        self._dim = int(transposed)
        self._twin = KernelTwin(action_in, action_out, transposed=transposed, groups=groups)

    def twin(self, raw: Tensor) -> Tensor:
        """S W S of the kernel."""
        return self._twin(raw)


class SoftVector(SoftWeight):
    """Parametrisation of a bias (signed) or of a norm's scale (unsigned)."""

    def __init__(self, action: ChannelAction, softness: Softness, *, signed: bool = True) -> None:
        super().__init__(softness, action)
        self.action = action
        self.signed = signed
        self._twin = VectorTwin(action, signed=signed)
        self.has_no_odd_part = self._twin.is_identity

    def twin(self, raw: Tensor) -> Tensor:
        """R b, without the signs for a scale."""
        return self._twin(raw)
