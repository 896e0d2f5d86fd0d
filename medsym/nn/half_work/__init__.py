"""Layers in the trivial/sign basis that need about half the multiplications of dense ones.

Channels of trivial and of sign type do not mix in a pointwise map that commutes with the mirror,
and a 3x3x3 kernel between them is even or odd along x, so that its two outer taps can be added
before they are multiplied (Boekman, Nordstroem, Kahl, "Flopping for FLOPs", arXiv 2502.05169, for
the first). The layers choose the short way only where it was measured to be the faster one, and
run dense where softness is not 0.
"""

from medsym.nn.half_work.block import HalfBlock
from medsym.nn.half_work.convolution import HalfConv3d, half_types

__all__ = ["HalfBlock", "HalfConv3d", "half_types"]
