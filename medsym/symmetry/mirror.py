"""The mirror S: a flip of the left-right axis together with its action on channels.

S acts on tensors (b, c, x, y, z) as ``(S h)(v) = R h(F v)``: F flips the x axis, R is a signed
permutation of the channels with ``R R = 1``. (The flipped axis travels with R: x, left-right,
unless another is named.) Four kinds of channels (Boekman, Nordstroem, Kahl,
"Flopping for FLOPs", arXiv 2502.05169, section 3; Cesa, Lang, Weiler, "A program to build
E(n)-equivariant steerable CNNs", ICLR 2022):

* *trivial*: the channel stays; *sign*: it changes sign;
* *regular*: two channels swap; *labels*: left and right structures swap by name.
"""

from collections.abc import Sequence
from dataclasses import dataclass
from typing import Literal, get_args

import torch
from torch import Tensor

from medsym.errors import GridError

Axis = Literal["x", "y", "z"]
"""A spatial axis of (b, c, x, y, z); x is left-right in every scan that medsym prepares."""


@dataclass(frozen=True, slots=True)
class ChannelAction:
    """The signed channel permutation R of the mirror; ``(R h)[c] = signs[c] * h[perm[c]]``.

    Args:
        perm: Channel read for each output channel; an involution.
        signs: +1 or -1 per channel, equal on swapped channels.
        axis: The spatial axis that the mirror flips.

    Raises:
        GridError: The pair (perm, signs) is not an involution; an unknown axis.

    Example:
        >>> ChannelAction.regular(1) + ChannelAction.sign(1)
        ChannelAction(perm=(1, 0, 2), signs=(1, 1, -1), axis='x')
    """

    perm: tuple[int, ...]
    signs: tuple[int, ...]
    axis: Axis = "x"

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
        check_axis(self.axis)

    @classmethod
    def trivial(cls, num: int, *, axis: Axis = "x") -> "ChannelAction":
        """Channels that the mirror leaves alone (an image, a probability)."""
        return cls(tuple(range(num)), (1,) * num, axis)

    @classmethod
    def sign(cls, num: int, *, axis: Axis = "x") -> "ChannelAction":
        """Channels that change sign (a left-minus-right difference)."""
        return cls(tuple(range(num)), (-1,) * num, axis)

    @classmethod
    def regular(cls, num: int, *, axis: Axis = "x") -> "ChannelAction":
        """Pairs of channels (2 k, 2 k + 1) that swap; 2 * num channels."""
        return cls(tuple(c ^ 1 for c in range(2 * num)), (1,) * (2 * num), axis)

    @classmethod
    def labels(cls, permutation: Sequence[int], *, axis: Axis = "x") -> "ChannelAction":
        """One channel per structure; left and right structures swap by name."""
        return cls(tuple(int(p) for p in permutation), (1,) * len(permutation), axis)

    def __add__(self, other: "ChannelAction") -> "ChannelAction":
        """Direct sum: the channels of self, then those of other."""
        check_same_axis(self, other)
        shifted = tuple(p + len(self.perm) for p in other.perm)
        return ChannelAction(self.perm + shifted, self.signs + other.signs, self.axis)

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
        return ChannelAction(self.perm, tuple(-s for s in self.signs), self.axis)

    def unsigned(self) -> "ChannelAction":
        """The same swaps without signs: the type of a magnitude (a tolerance, a norm's scale)."""
        return ChannelAction(self.perm, (1,) * self.channels, self.axis)

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


def check_axis(axis: str) -> None:
    """Refuse an axis that is not x, y or z.

    Raises:
        GridError: Names the axis.
    """
    if axis not in get_args(Axis):
        raise GridError(
            code="MS-204",
            subject="mirror",
            cause=f"there is no spatial axis {axis!r}",
            fix="use 'x' (left-right in medsym's own grids), 'y' or 'z'",
        )


def check_same_axis(first: ChannelAction, second: ChannelAction) -> None:
    """Refuse two actions of mirrors that flip different axes.

    Raises:
        GridError: Names both axes.
    """
    if first.axis != second.axis:
        raise GridError(
            code="MS-205",
            subject="channel action",
            cause=f"mirrors along {first.axis!r} and {second.axis!r} meet in one layer",
            fix="give all actions of a network the same axis",
        )


def spatial_dim(axis: Axis) -> int:
    """Tensor dimension of a spatial axis, counted from the end: x is -3, z is -1."""
    return get_args(Axis).index(axis) - 3


def flip(tensor: Tensor, axis: Axis = "x") -> Tensor:
    """F: the spatial flip alone, of (..., x, y, z) along one axis."""
    return tensor.flip(spatial_dim(axis))


def mirror(tensor: Tensor, action: ChannelAction | None = None) -> Tensor:
    """S applied to (b, c, x, y, z), or to the channels of (b, c); S S = 1.

    Without an action all channels are trivial and the flipped axis is x.

    Raises:
        GridError: MS-209, four dimensions: a slice (b, c, x, y) has no third axis, and
            flipping its third last one would exchange channels.
    """
    if tensor.ndim == 4:
        raise GridError(
            code="MS-209",
            subject="mirror",
            cause=f"a tensor of shape {tuple(tensor.shape)} is no volume (b, c, x, y, z)",
            fix="give a volume with batch and channels; 2D networks are not supported",
        )
    axis: Axis = "x" if action is None else action.axis
    flipped = flip(tensor, axis) if tensor.ndim > 2 else tensor
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
            cause=f"size {size} across the mid-plane with kernel {kernel}, stride {stride}, "
            f"padding {padding} leaves voxels of one side unread, which breaks the mirror",
            fix=f"use a size with (size + {2 * padding - kernel}) divisible by {stride}",
        )
