"""The soft head: an equivariant part plus a bounded odd part, with an exact one-pass defect.

A strictly equivariant backbone gives ``e`` (even: ``e(S x) = S e(x)``), ``o`` (odd: ``o(S x) =
-S o(x)``) and a tolerance ``t >= 0`` (even). The output is

    f(x) = e(x) + t(x) tanh(o(x)).

Its defect is known exactly from one pass and bounded for every input (derivation: insert the
three types)::

    E(x) = f(S x) - S f(x) = -2 S[t tanh(o)](x),      |E(x)| <= 2 S t(x).

For any increasing read-out phi (probability, evidence) the defect of ``phi(f)`` is known from the
same pass, ``S[phi(e - t tanh o) - phi(e + t tanh o)]``, and bounded by ``S[phi(e + t) - phi(e -
t)]``. The rounding of the pass itself is added as an explicit term: a bound that fails in
floating point is not a bound.
"""

from collections.abc import Callable

import torch
from torch import Tensor

from medsym.symmetry.mirror import ChannelAction, mirror

ReadOut = Callable[[Tensor], Tensor]


def soft_odd(odd: Tensor, tolerance: Tensor) -> Tensor:
    """``t tanh(o)``: the odd part limited to the tolerance, voxel by voxel."""
    return tolerance * torch.tanh(odd)


def identity(values: Tensor) -> Tensor:
    """The read-out that shows the output as it is."""
    return values


def one_pass_defect(
    even: Tensor,
    odd: Tensor,
    *,
    action: ChannelAction | None = None,
    readout: ReadOut = identity,
) -> Tensor:
    """Exact defect of ``readout(even + odd)`` from one pass, up to the rounding of the backbone.

    Args:
        even: The equivariant part e, (b, c, x, y, z).
        odd: The limited odd part ``t tanh(o)``, same shape.
        action: Channel action on the output, trivial if None; must be a permutation when the
            read-out is not the identity.
        readout: An increasing function applied voxel by voxel.

    Returns:
        E(x) = readout(f(S x)) - S readout(f(x)), same shape.
    """
    return mirror(readout(even - odd) - readout(even + odd), action)


def defect_bound(
    even: Tensor,
    tolerance: Tensor,
    *,
    action: ChannelAction | None = None,
    readout: ReadOut = identity,
    rounding: float = 0.0,
) -> Tensor:
    """Bound on |E(x)| for every value of the odd part, from one pass.

    Args:
        even: The equivariant part e, (b, c, x, y, z).
        tolerance: t >= 0, same shape.
        action: Channel action on the output; signs play no role in a magnitude.
        readout: An increasing function with slope at most 1 applied voxel by voxel.
        rounding: Largest difference between the pass and its mirrored twin that the arithmetic
            which ran can make, in the units of the output (see ``rounding_slack``).

    Returns:
        Bound, same shape, >= rounding.
    """
    gap = readout(even + tolerance) - readout(even - tolerance)
    width = torch.finfo(even.dtype).eps * (readout(even + tolerance).abs() + tolerance)
    return mirror(gap + 4.0 * width, None if action is None else action.unsigned()) + rounding


def rounding_slack(measured: Tensor, *, factor: float = 4.0) -> float:
    """Slack from measured rounding: ``factor`` times the largest |measured| residue.

    The residue is ``f(S x) - S f(x) - E_predicted(x)``: zero in exact arithmetic, so whatever is
    left is what the floating-point pass made.
    """
    return factor * float(measured.abs().max())
