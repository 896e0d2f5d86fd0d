"""The training loss: anatomy, pathology and the price of tolerance."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from monai.losses.dice import DiceLoss
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.models.asymmetry_net import NetworkOutput
from medsym.models.support import Box
from medsym.training.settings import LossSettings


@dataclass(frozen=True, kw_only=True, slots=True)
class Batch:
    """Training batch; b subjects on the grid (x, y, z).

    Attributes:
        image: (b, 1, x, y, z) float32, normalised.
        structures: (b, 1, x, y, z) int64, channel of the anatomy table; -1 where none is known.
        lesion: (b, 1, x, y, z) float32, 1 inside pathology.
        brain: (b, 1, x, y, z) float32, 1 inside the brain.
    """

    image: Tensor
    structures: Tensor
    lesion: Tensor
    brain: Tensor

    def to(self, device: torch.device) -> "Batch":
        """The same batch on another device."""
        return self._each(lambda volume: volume.to(device))

    def cut(self, box: Box) -> "Batch":
        """The same batch inside a box of the grid."""
        return self._each(lambda volume: volume[:, :, *box].contiguous())

    def _each(self, change: Callable[[Tensor], Tensor]) -> "Batch":
        return Batch(**{part.name: change(getattr(self, part.name)) for part in fields(self)})


class AsymmetryLoss(nn.Module):
    """Weighted sum of the parts; calling it returns (total, parts by name).

    Every part is a mean over subjects of something that one subject determines alone, so the mean
    over several processes of their means is the loss of the whole batch. A subject with no label
    of any structure (-1 everywhere) adds nothing to the anatomy part.
    """

    def __init__(self, settings: LossSettings) -> None:
        super().__init__()
        self.settings = settings
        self.overlap = DiceLoss(to_onehot_y=True, softmax=True, reduction="none")
        self.dice = DiceLoss(sigmoid=True, smooth_nr=1.0, smooth_dr=1.0, reduction="none")

    def forward(self, output: NetworkOutput, batch: Batch) -> tuple[Tensor, dict[str, Tensor]]:
        """Loss of one batch in float32, whatever the pass ran in; lower is better.

        Args:
            output: Of the network on ``batch.image``.
            batch: The truth.

        Returns:
            The total and its weighted parts, detached scalars on the device; nothing waits for it.
        """
        weights = self.settings
        value, tolerance = (t.float() for t in (output.pathology.value, output.pathology.tolerance))
        voxel_weight = batch.brain + weights.outside_weight * (1.0 - batch.brain)
        entropy = F.binary_cross_entropy_with_logits(
            value, batch.lesion, weight=voxel_weight, reduction="none"
        )
        diseased = batch.lesion.flatten(1).amax(dim=1)
        parts = {
            "anatomy": weights.anatomy * self._anatomy(output.anatomy_logits, batch.structures),
            "cross_entropy": weights.cross_entropy
            * (_total(entropy) / _total(batch.brain).clamp_min(1.0)).mean(),
            "tolerance": weights.tolerance * tolerance.mean(),
            "dice": weights.dice * (self.dice(value, batch.lesion).flatten() * diseased).mean(),
        }
        total = torch.stack(list(parts.values())).sum()
        return total, {name: part.detach() for name, part in parts.items()}

    def _anatomy(self, logits: Tensor, structures: Tensor) -> Tensor:
        """Mean over subjects of Dice loss over all channels plus cross entropy over all voxels."""
        logits = logits.float()
        known = (structures.flatten(1).amin(dim=1) >= 0).float()
        labels = structures.clamp_min(0)
        overlap = self.overlap(logits, labels).flatten(1).mean(dim=1)
        entropy = F.cross_entropy(logits, labels[:, 0], reduction="none").flatten(1).mean(dim=1)
        return (known * (overlap + entropy)).mean()


def _total(volume: Tensor) -> Tensor:
    """(b,) sum over everything but the subject."""
    return volume.flatten(1).sum(dim=1)
