"""Ways to save a part of the second pass, each giving the outputs of both passes.

The first pass sees the whole brain and is the coarse one: it says where the asymmetry may reach a
finding. The second, on the mirrored scan, is the fine one: it makes the symmetry exact and measures
the defect. Where it is not run, the mirror image of the first pass stands for it.
"""

import time
from collections.abc import Callable
from dataclasses import dataclass

import numpy as np
import torch
from numpy.typing import NDArray
from scipy.ndimage import distance_transform_edt
from torch import Tensor, nn

from medsym.benchmarks.partial.memory import frozen, mirrored, placed, recorded
from medsym.inference.passes import swap_sides
from medsym.models.asymmetry_net import AsymmetryNet, NetworkOutput
from medsym.models.structures import mirror_permutation
from medsym.models.support import Box, support_box
from medsym.nn.head import HeadOutput
from medsym.symmetry.mirror import flip

BoolMap = NDArray[np.bool_]
#: The second pass sees this much around the places in question, mm.
MARGIN_MM = 24.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Passes:
    """Outputs of the first and the second pass on the whole brain's box, and what they cost.

    Attributes:
        first: of the scan.
        second: of the mirrored scan, as far as it was run.
        share: of the box's voxels on which the second pass was run, in [0, 1].
        cpu_s: processor seconds of both.
    """

    first: NetworkOutput
    second: NetworkOutput
    share: float
    cpu_s: float


Question = Callable[[NetworkOutput], BoolMap]
"""From the first pass to the voxels of its box where a finding is possible, mirror-symmetric."""


@dataclass(frozen=True, kw_only=True, slots=True)
class Variant:
    """How the second pass is run.

    Attributes:
        name: in the table.
        boxed: only in a box around the places in question.
        keeps_statistics: with the statistics of the first pass, mirrored.
        skips: not at all where nothing is in question.
    """

    name: str
    boxed: bool = False
    keeps_statistics: bool = False
    skips: bool = False


FULL = Variant(name="both passes")
VARIANTS = (
    FULL,
    Variant(name="second only if something may be found", skips=True),
    Variant(name="second in a box, its own statistics", boxed=True, skips=True),
    Variant(
        name="second in a box, statistics of the first",
        boxed=True,
        keeps_statistics=True,
        skips=True,
    ),
)


def run_variant(
    variant: Variant, network: AsymmetryNet, image: Tensor, *, asks: Question, spacing_mm: float
) -> Passes:
    """Run both passes as a variant says.

    Args:
        variant: how.
        network: in evaluation mode, its channels of regular type.
        image: (1, 1, x, y, z) the box of the brain.
        asks: where a finding is possible.
        spacing_mm: edge of a voxel.
    """
    began = time.process_time()
    with torch.inference_mode():
        with recorded(network) as kept:
            first: NetworkOutput = network(image)
        second, share = mirror_of(first), 0.0
        marked = asks(first) if variant.skips else np.ones(tuple(image.shape[2:]), dtype=bool)
        if marked.any():
            box = _box(marked, network, spacing_mm=spacing_mm) if variant.boxed else _whole(marked)
            part = flip(image)[(..., *box)].contiguous()
            share = part.numel() / image.numel()
            statistics = mirrored(kept) if variant.keeps_statistics else {}
            with frozen(network, statistics), placed(network, box, shape=marked.shape):
                second = _put(network(part), box, into=second)
    return Passes(first=first, second=second, share=share, cpu_s=time.process_time() - began)


def mirror_of(output: NetworkOutput) -> NetworkOutput:
    """What the mirrored scan would give if the parts were exactly equivariant."""
    head = output.pathology
    anatomy = swap_sides(output.anatomy_logits[0], mirror_classes=mirror_permutation())[None]
    return NetworkOutput(
        anatomy_logits=anatomy,
        pathology=HeadOutput(
            even=flip(head.even), odd=-flip(head.odd), tolerance=flip(head.tolerance)
        ),
    )


def _box(marked: BoolMap, network: AsymmetryNet, *, spacing_mm: float) -> Box:
    """Mirror-symmetric box of the marked voxels and their surroundings."""
    near = distance_transform_edt(~marked, sampling=spacing_mm) <= MARGIN_MM
    return support_box(near | near[::-1], multiple=network.size_multiple)


def _whole(marked: BoolMap) -> Box:
    x, y, z = marked.shape
    return slice(0, x), slice(0, y), slice(0, z)


def _put(inner: NetworkOutput, box: Box, *, into: NetworkOutput) -> NetworkOutput:
    """The output of a part in its place, all else as it was."""

    def joined(part: Tensor, whole: Tensor) -> Tensor:
        together = whole.clone()
        together[(..., *box)] = part
        return together

    here, there = inner.pathology, into.pathology
    return NetworkOutput(
        anatomy_logits=joined(inner.anatomy_logits, into.anatomy_logits),
        pathology=HeadOutput(
            even=joined(here.even, there.even),
            odd=joined(here.odd, there.odd),
            tolerance=joined(here.tolerance, there.tolerance),
        ),
    )


class Replayed(nn.Module):
    """Gives the outputs of finished passes, one per call, to what makes maps of them.

    Args:
        outputs: in order, on the box of the brain.
        like: the network that made them.
    """

    def __init__(self, *outputs: NetworkOutput, like: AsymmetryNet) -> None:
        super().__init__()
        self._left = iter(outputs)
        self.settings, self.size_multiple = like.settings, like.size_multiple

    def forward(self, _image: Tensor) -> NetworkOutput:
        """The next output."""
        return next(self._left)
