"""When half the multiplications are also less time.

Half-work layers pay for fewer multiplications with more passes over memory: the gain grows with
the width, the price does not. Below the widths given here a layer runs its dense kernel, the very
operation of an ordinary layer. The widths were measured on one thread of an AMD EPYC (AVX-512)
with torch 2.13 by ``medsym bench layers``, over volumes from 2^3 to 48^3; they are constants, so
that a network computes the same on every machine.
"""

from torch import Tensor

CONVOLUTION_WIDTH = 32
"""Inference: measured 0.97 of the dense time at 32 channels, 0.73 at 64, 1.6 at 16.

Twice as wide for regular channels, for their sums and differences: 0.81 at 64, 0.69 at 128.
"""

CONVOLUTION_WIDTH_TRAINING = 64
"""Step of training: 0.8 at 64 channels, 0.9 at 32, 2.5 at 16; regular 1.0 at 64, 0.7 at 128."""

BLOCK_WIDTH = 16
"""Inference: measured 0.4 to 0.6 of the dense time, below 128 channels mostly by saving memory."""

BLOCK_WIDTH_TRAINING = 256
"""Step of training: 0.7 at 256 channels, near 1 at 128, 1.4 at 64 (the butterflies' memory)."""

BLOCK_WORK = 2**22
"""Least width^2 times voxels of a block, 32 channels at 16^3; smaller ones only lose."""


def convolution_wins(
    channels_in: int, channels_out: int, *, recorded: bool, regular: bool = False
) -> bool:
    """Whether a convolution with pre-added taps is faster than the dense one.

    Args:
        channels_in: Input channels of both types together.
        channels_out: Output channels of both types together.
        recorded: Whether a gradient will be asked for.
        regular: Whether input or output are regular channels, taken to halves and back.
    """
    limit = CONVOLUTION_WIDTH_TRAINING if recorded else CONVOLUTION_WIDTH
    limit = 2 * limit if regular else limit
    return min(channels_in, channels_out) >= limit


def block_wins(volume: Tensor, *, recorded: bool) -> bool:
    """Whether a block with block-diagonal pointwise maps is faster than the dense one.

    Args:
        volume: Its input (b, c, x, y, z).
        recorded: Whether a gradient will be asked for.
    """
    width = BLOCK_WIDTH_TRAINING if recorded else BLOCK_WIDTH
    return volume.shape[1] >= width and volume.shape[1] * volume.numel() >= BLOCK_WORK
