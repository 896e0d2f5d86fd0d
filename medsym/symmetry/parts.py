"""Even and odd parts of weights and functions under the mirror.

Every linear map splits uniquely as ``W = W_even + W_odd`` with ``W_even = (W + S W S) / 2``: the
Reynolds projection onto the equivariant maps (Finzi et al. 2021, arXiv 2112.01388, section 3).
For the two-element group the rest W_odd is exactly the anti-equivariant part, ``S W_odd S =
-W_odd``.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from medsym.errors import GridError
from medsym.symmetry.mirror import ChannelAction, check_same_axis, flip, mirror


def twin_kernel(
    kernel: Tensor,
    action_in: ChannelAction,
    action_out: ChannelAction,
    *,
    transposed: bool = False,
    groups: int = 1,
) -> Tensor:
    """S W S for a convolution kernel (out, in / groups, x, y, z).

    A transposed one has the shape (in, out / groups, x, y, z).

    Raises:
        GridError: Actions of different axes; the actions do not map the groups onto each other.
    """
    check_same_axis(action_in, action_out)
    first, second = (action_in, action_out) if transposed else (action_out, action_in)
    flipped = first.apply(flip(kernel, action_in.axis), dim=0)
    return second.apply(flipped, dim=1) if groups == 1 else _grouped(flipped, first, second, groups)


def _grouped(kernel: Tensor, first: ChannelAction, second: ChannelAction, groups: int) -> Tensor:
    """``second`` along dimension 1, which counts channels within the group of each row."""
    rows, width = first.channels // groups, second.channels // groups
    index, signs = [], []
    for row in range(first.channels):
        columns = [second.perm[row // rows * width + j] for j in range(width)]
        if any(c // width != first.perm[row] // rows for c in columns):
            raise GridError(
                code="MS-206",
                subject="grouped convolution",
                cause=f"the mirror does not map its {groups} groups onto each other",
                fix="give input and output actions that swap whole groups, or use groups=1",
            )
        index.append([c % width for c in columns])
        signs.append([second.signs[row // rows * width + j] for j in range(width)])
    where = torch.tensor(index, device=kernel.device)[..., None, None, None]
    gathered = kernel.gather(1, where.expand_as(kernel))
    return (
        gathered
        * torch.tensor(signs, device=kernel.device, dtype=kernel.dtype)[..., None, None, None]
    )


def split_kernel(
    kernel: Tensor,
    action_in: ChannelAction,
    action_out: ChannelAction,
    *,
    transposed: bool = False,
    groups: int = 1,
) -> tuple[Tensor, Tensor]:
    """(W_even, W_odd) of a convolution kernel; they add up to the kernel."""
    twin = twin_kernel(kernel, action_in, action_out, transposed=transposed, groups=groups)
    return (kernel + twin) / 2, (kernel - twin) / 2


def split_vector(
    vector: Tensor, action: ChannelAction, *, signed: bool = True
) -> tuple[Tensor, Tensor]:
    """(even, odd) of a per-channel vector: a bias (signed) or a scale (``signed=False``)."""
    twin = action.apply(vector, dim=0, signed=signed)
    return (vector + twin) / 2, (vector - twin) / 2


def split_function(
    function: Callable[[Tensor], Tensor],
    volume: Tensor,
    *,
    action_in: ChannelAction | None = None,
    action_out: ChannelAction | None = None,
) -> tuple[Tensor, Tensor]:
    """Even and odd part of any function at one input, by two passes.

    ``even(x) = (f(x) + S f(S x)) / 2`` is exactly equivariant, ``odd(x) = (f(x) - S f(S x)) / 2``
    exactly anti-equivariant: ``odd(S x) = -S odd(x)``.

    Args:
        function: Maps (b, c, x, y, z) to (b, c', x, y, z).
        volume: The input x.
        action_in: Channel action on the input, trivial if None.
        action_out: Channel action on the output, trivial if None.

    Returns:
        (even, odd), each of the shape of the output.
    """
    direct = function(volume)
    mirrored = mirror(function(mirror(volume, action_in)), action_out)
    return (direct + mirrored) / 2, (direct - mirrored) / 2
