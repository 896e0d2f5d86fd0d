"""MedNeXt's up block without its one-sided padding.

MONAI's block runs a transposed convolution of 2 n - 1 planes and puts one plane of zeros in front
to get 2 n. Here the kernel has one zero tap in front instead, along the mirrored axis: every
plane that was computed keeps its value before the norm, and the first one is computed instead of
padded, so the output changes there (and a little everywhere, through the norm's statistics).
"""

from typing import cast

from monai.networks.blocks.mednext_block import MedNeXtBlock, MedNeXtUpBlock
from torch import Tensor
from torch.nn import functional as F

from medsym.models.retrofit.strides import axis_index
from medsym.symmetry.mirror import Axis


class MirrorUpBlock(MedNeXtUpBlock):
    """MedNeXt's up block; made from MONAI's by :func:`soften_up_block`.

    Attributes:
        padding: For ``torch.nn.functional.pad``: the other axes keep their plane of zeros.
    """

    padding: tuple[int, ...]

    def forward(self, x: Tensor) -> Tensor:
        """(b, c, x, y, z) -> (b, c / 2, 2 x, 2 y, 2 z)."""
        computed: Tensor = MedNeXtBlock.forward(self, x)  # type: ignore[no-untyped-call]
        grown = F.pad(computed, self.padding)
        if self.resample_do_res:
            grown = grown + F.pad(self.res_conv(x), self.padding)
        return grown


def soften_up_block(block: MedNeXtUpBlock, axis: Axis) -> None:
    """Replace the forward of an up block, in place; its convolutions need a tap in front."""
    padding = [1, 0, 1, 0, 1, 0]
    padding[2 * (2 - axis_index(axis))] = 0
    block.__class__ = MirrorUpBlock
    cast("MirrorUpBlock", block).padding = tuple(padding)
