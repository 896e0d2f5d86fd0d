"""The mirror S: a flip of the left-right axis together with its action on channels.

S acts on tensors (b, c, x, y, z) as ``(S h)(v) = R h(F v)``: F flips the x axis, R is a signed
permutation of the channels with ``R R = 1``. Four kinds of channels (Boekman, Nordstroem, Kahl,
"Flopping for FLOPs", arXiv 2502.05169, section 3; Cesa, Lang, Weiler, "A program to build
E(n)-equivariant steerable CNNs", ICLR 2022):

* *trivial*: the channel stays; *sign*: it changes sign;
* *regular*: two channels swap; *labels*: left and right structures swap by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import torch
from torch import Tensor

from medsym.errors import GridError

MIRROR_DIM = 2
"""Tensor dimension of the left-right axis in (b, c, x, y, z)."""


@dataclass(frozen=True, slots=True)
class ChannelAction:
    """The signed channel permutation R of the mirror; ``(R h)[c] = signs[c] * h[perm[c]]``.

    Args:
        perm: Channel read for each output channel; an involution.
        signs: +1 or -1 per channel, equal on swapped channels.

    Raises:
        GridError: The pair (perm, signs) is not an involution.

    Example:
        >>> ChannelAction.regular(1) + ChannelAction.sign(1)
        ChannelAction(perm=(1, 0, 2), signs=(1, 1, -1))
    """

    perm: tuple[int, ...]
    signs: tuple[int, ...]

    def __post_init__(self) -> None:
        """Refuse anything for which R R = 1 fails."""
        size = len(self.perm)
        valid = len(self.signs) == size and sorted(self.perm) == list(range(size))
        valid = valid and all(
            self.perm[p] == c and abs(self.signs[c]) == 1 and self.signs[p] == self.signs[c]
            for c, p in enumerate(self.perm)
        )
        if not valid:
            raise GridError(
                code="MS-201",
                subject="channel action",
                cause=f"perm {self.perm} with signs {self.signs} is not an involution",
                fix="swap channels in pairs and give both channels of a pair the same sign",
            )

    @classmethod
    def trivial(cls, num: int) -> "ChannelAction":
        """Channels that the mirror leaves alone (an image, a probability)."""
        return cls(tuple(range(num)), (1,) * num)

    @classmethod
    def sign(cls, num: int) -> "ChannelAction":
        """Channels that change sign (a left-minus-right difference)."""
        return cls(tuple(range(num)), (-1,) * num)

    @classmethod
    def regular(cls, num: int) -> "ChannelAction":
        """Pairs of channels (2 k, 2 k + 1) that swap; 2 * num channels."""
        return cls(tuple(c ^ 1 for c in range(2 * num)), (1,) * (2 * num))

    @classmethod
    def labels(cls, permutation: Sequence[int]) -> "ChannelAction":
        """One channel per structure; left and right structures swap by name."""
        return cls(tuple(int(p) for p in permutation), (1,) * len(permutation))

    def __add__(self, other: "ChannelAction") -> "ChannelAction":
        """Direct sum: the channels of self, then those of other."""
        shifted = tuple(p + len(self.perm) for p in other.perm)
        return ChannelAction(self.perm + shifted, self.signs + other.signs)

    @property
    def channels(self) -> int:
        """Number of channels acted on."""
        return len(self.perm)

    @property
    def is_permutation(self) -> bool:
        """True where pointwise non-linearities commute with the action (no sign channels)."""
        return all(s == 1 for s in self.signs)

    def twisted(self) -> "ChannelAction":
        """The same channels with the opposite sign: the type of an odd (anti-equivariant) part."""
        return ChannelAction(self.perm, tuple(-s for s in self.signs))

    def apply(self, tensor: Tensor, *, dim: int = 1, signed: bool = True) -> Tensor:
        """R along one tensor dimension; ``signed=False`` permutes only (for scales)."""
        if tensor.shape[dim] != self.channels:
            raise GridError(
                code="MS-202",
                subject="channel action",
                cause=f"tensor has {tensor.shape[dim]} channels in dim {dim}, the action has "
                f"{self.channels}",
                fix="give the layer the action of the channels that it receives",
            )
        if self.perm != tuple(range(self.channels)):
            tensor = tensor.index_select(dim, torch.tensor(self.perm, device=tensor.device))
        if signed and not self.is_permutation:
            shape = [1] * tensor.ndim
            shape[dim] = self.channels
            signs = torch.tensor(self.signs, dtype=tensor.dtype, device=tensor.device)
            tensor = tensor * signs.reshape(shape)
        return tensor


def flip_x(tensor: Tensor) -> Tensor:
    """F: the spatial flip alone, along the first spatial axis of (..., x, y, z)."""
    return tensor.flip(-3)


def mirror(tensor: Tensor, action: ChannelAction | None = None) -> Tensor:
    """S applied to (b, c, x, y, z); without an action all channels are trivial. S S = 1."""
    flipped = flip_x(tensor)
    return flipped if action is None else action.apply(flipped)


def check_strided(size: int, *, kernel: int, stride: int, padding: int, name: str) -> None:
    """Refuse a strided layer that breaks the mirror: needs ``(size + 2 p - k) % stride == 0``.

    On other sizes the last voxels are read by no window on one side only: the layer is then not
    equivariant whatever its weights (kernel 3, stride 2, even size: 141 % defect on noise).

    Raises:
        GridError: Names the layer, its numbers and the sizes that work.
    """
    if (size + 2 * padding - kernel) % stride:
        raise GridError(
            code="MS-203",
            subject=name,
            cause=f"left-right size {size} with kernel {kernel}, stride {stride}, padding "
            f"{padding} leaves voxels of one side unread, which breaks the mirror",
            fix=f"use a size with (size + {2 * padding - kernel}) divisible by {stride}",
        )
