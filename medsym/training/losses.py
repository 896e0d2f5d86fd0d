"""The training loss: anatomy, pathology and the price of tolerance."""

from collections.abc import Callable
from dataclasses import dataclass, fields

import torch
from monai.losses.dice import DiceCELoss, DiceLoss
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
        structures: (b, 1, x, y, z) int64, channel of the anatomy table.
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
    """Weighted sum of the parts; calling it returns (total, parts by name)."""

    def __init__(self, settings: LossSettings) -> None:
        super().__init__()
        self.settings = settings
        self.anatomy = DiceCELoss(to_onehot_y=True, softmax=True)
        self.dice = DiceLoss(sigmoid=True, batch=True, smooth_nr=1.0, smooth_dr=1.0)

    def forward(self, output: NetworkOutput, batch: Batch) -> tuple[Tensor, dict[str, float]]:
        """Loss of one batch in float32, whatever the pass ran in; lower is better."""
        weights = self.settings
        value, tolerance = (t.float() for t in (output.pathology.value, output.pathology.tolerance))
        voxel_weight = batch.brain + weights.outside_weight * (1.0 - batch.brain)
        entropy = F.binary_cross_entropy_with_logits(
            value, batch.lesion, weight=voxel_weight, reduction="sum"
        ) / batch.brain.sum().clamp_min(1.0)
        parts = {
            "anatomy": weights.anatomy
            * self.anatomy(output.anatomy_logits.float(), batch.structures),
            "cross_entropy": weights.cross_entropy * entropy,
            "tolerance": weights.tolerance * tolerance.mean(),
        }
        if bool(batch.lesion.any()):
            parts["dice"] = weights.dice * self.dice(value, batch.lesion)
        total = torch.stack(list(parts.values())).sum()
        return total, {name: float(part.detach()) for name, part in parts.items()}
