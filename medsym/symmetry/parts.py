"""Even and odd parts of weights and functions under the mirror.

Every linear map splits uniquely as ``W = W_even + W_odd`` with ``W_even = (W + S W S) / 2``: the
Reynolds projection onto the equivariant maps (Finzi et al. 2021, arXiv 2112.01388, section 3).
For the two-element group the rest W_odd is exactly the anti-equivariant part, ``S W_odd S =
-W_odd``.
"""

from collections.abc import Callable

from torch import Tensor

from medsym.symmetry.mirror import ChannelAction, flip_x, mirror


def twin_kernel(
    kernel: Tensor, action_in: ChannelAction, action_out: ChannelAction, *, transposed: bool = False
) -> Tensor:
    """S W S for a convolution kernel (out, in, x, y, z), or (in, out, x, y, z) if transposed."""
    first, second = (action_in, action_out) if transposed else (action_out, action_in)
    return second.apply(first.apply(flip_x(kernel), dim=0), dim=1)


def split_kernel(
    kernel: Tensor, action_in: ChannelAction, action_out: ChannelAction, *, transposed: bool = False
) -> tuple[Tensor, Tensor]:
    """(W_even, W_odd) of a convolution kernel; they add up to the kernel."""
    twin = twin_kernel(kernel, action_in, action_out, transposed=transposed)
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
