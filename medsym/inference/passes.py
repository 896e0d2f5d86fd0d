r"""Run the network on a scan and on its mirror image, and make the symmetry exact in floats.

In real arithmetic the parts of the network are equivariant by construction; as executed in float32
they agree only up to rounding. With both passes the parts are averaged over the group, for example
``e = (e(x) + S e(Sx)) / 2``. Floating-point addition commutes, so the averaged parts are
equivariant to the last bit, and the interval between ``e(x)`` and ``S e(Sx)`` is the rounding of
this scan, measured rather than assumed. With one pass an assumed margin takes its place, and the
case says so.
"""

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
import torch
from torch import Tensor, nn
from torch.nn.functional import pad

from medsym.models.support import Box, support_box
from medsym.nn.products import exact_products
from medsym.symmetry.mirror import flip

#: Margin for the logits of a single pass, relative to ``1 + |logit|``. Measured flip noise of an
#: eight-layer float32 network is 4e-6 to 8e-6; this is more than ten times that. Not a proof.
SINGLE_PASS_MARGIN = 1e-4

#: Where the image is empty and the network is not run: score of "no structure", and minus the logit
#: of pathology. Any number far beyond the logits of a trained network would do.
EMPTY_LOGIT = 30.0


@dataclass(frozen=True, kw_only=True, slots=True)
class NetworkParts:
    """What the network says about one scan; spatial shape (x, y, z) on the symmetric grid.

    Attributes:
        even: equivariant part of the pathology logit, float64.
        odd: anti-equivariant part, ``|odd| <= tolerance``, float64.
        even_low: lower end of the interval that holds every executed value of ``even``.
        even_high: upper end of it.
        tolerance: ``t >= 0`` in logit units, the larger of the two passes.
        scores: class scores (class, x, y, z), float32, left/right swapped back and averaged, in the
            box that the network was run on; most of a grid is empty and there are many classes.
        margins: voxels around that box, as torch pads: from the last axis to the first.
        raw_logits: pathology logits of the two passes as executed, ``f(x)`` and ``f(Sx)``; the
            second is None after a single pass.
        rounding: largest disagreement between the passes in logit units, or the assumed margin.
    """

    even: Tensor
    odd: Tensor
    even_low: Tensor
    even_high: Tensor
    tolerance: Tensor
    scores: Tensor
    margins: tuple[int, ...]
    raw_logits: tuple[Tensor, Tensor | None]
    rounding: float

    @property
    def is_mirrored(self) -> bool:
        """True if the mirrored pass ran, so that the rounding term is measured."""
        return self.raw_logits[1] is not None

    @property
    def labels(self) -> Tensor:
        """Structure index per voxel of the grid (x, y, z), int64; 0 outside the box."""
        return pad(self.scores.argmax(0), self.margins)

    @property
    def anatomy(self) -> Tensor:
        """Class scores on the whole grid (class, x, y, z), float32; made anew on every call."""
        scores = pad(self.scores, self.margins)
        outside = pad(torch.zeros_like(self.scores[0]), self.margins, value=EMPTY_LOGIT)
        scores[0] += outside
        return scores


@dataclass(frozen=True, kw_only=True, slots=True)
class _Pass:
    even: Tensor
    odd: Tensor
    tolerance: Tensor
    scores: Tensor
    margins: tuple[int, ...]


def _box(network: nn.Module, image: Tensor) -> Box:
    """Part of the image that the network is run on: all of it unless the network states sizes."""
    multiple = getattr(network, "size_multiple", None)
    if multiple is None:
        return slice(0, image.shape[0]), slice(0, image.shape[1]), slice(0, image.shape[2])
    return support_box((image != 0).cpu().numpy(), multiple=multiple)


def _forward(network: nn.Module, image: Tensor) -> _Pass:
    """One pass over the box that holds the image; what lies outside of it is called empty."""
    box = _box(network, image)
    output = network(image[box][None, None])
    margins: list[int] = []
    for side, size in reversed(list(zip(box, image.shape, strict=True))):
        margins += [side.start, size - side.stop]  # torch pads the last axis first
    head = output.pathology
    return _Pass(
        even=pad(head.even[0, 0].double(), margins, value=-EMPTY_LOGIT),
        odd=pad(head.odd[0, 0].double(), margins),
        tolerance=pad(head.tolerance[0, 0].double(), margins),
        scores=output.anatomy_logits[0].float(),
        margins=tuple(margins),
    )


def swap_sides(scores: Tensor, *, mirror_classes: Sequence[int]) -> Tensor:
    """Mirror class scores (class, x, y, z): positions flip and left/right classes swap."""
    return flip(scores[list(mirror_classes)])


def run_network(
    network: nn.Module, image: np.ndarray, *, mirror_classes: Sequence[int], mirrored: bool = True
) -> NetworkParts:
    """Evaluate the network on a normalised image of the symmetric grid.

    Args:
        network: module whose output is like ``medsym.models`` ``NetworkOutput``.
        image: (x, y, z) float32, mirror = flip of axis 0.
        mirror_classes: for each anatomy class the index of its mirror partner.
        mirrored: also run the mirrored image (twice the time, exact symmetry and measured defect).
    """
    was_training = network.training
    network.eval()
    device = next(network.parameters(), torch.zeros(())).device
    tensor = torch.from_numpy(np.ascontiguousarray(image, dtype=np.float32)).to(device)
    try:
        with exact_products(), torch.inference_mode():
            first = _forward(network, tensor)
            second = _forward(network, flip(tensor)) if mirrored else None
    finally:
        network.train(was_training)
    if second is None:
        return _single(first)
    return _paired(first, second, mirror_classes=mirror_classes)


def _single(first: _Pass) -> NetworkParts:
    margin = SINGLE_PASS_MARGIN * (1.0 + first.even.abs() + first.tolerance)
    return NetworkParts(
        even=first.even,
        odd=first.odd,
        even_low=first.even - margin,
        even_high=first.even + margin,
        tolerance=first.tolerance,
        scores=first.scores,
        margins=first.margins,
        raw_logits=(first.even + first.odd, None),
        rounding=float(margin.amax()),
    )


def _paired(first: _Pass, second: _Pass, *, mirror_classes: Sequence[int]) -> NetworkParts:
    even_back, odd_back = flip(second.even), flip(second.odd)
    scores_back = swap_sides(second.scores, mirror_classes=mirror_classes)
    disagreement = torch.maximum(
        (first.even - even_back).abs().amax(), (first.odd + odd_back).abs().amax()
    )
    return NetworkParts(
        even=(first.even + even_back) / 2,
        odd=(first.odd - odd_back) / 2,
        even_low=torch.minimum(first.even, even_back),
        even_high=torch.maximum(first.even, even_back),
        tolerance=torch.maximum(first.tolerance, flip(second.tolerance)),
        scores=scores_back.add_(first.scores).mul_(0.5),
        margins=first.margins,
        raw_logits=(first.even + first.odd, second.even + second.odd),
        rounding=float(disagreement),
    )
