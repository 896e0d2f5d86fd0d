"""One synthesised case, what was drawn into it, and what is true of its healthy head."""

from dataclasses import dataclass, fields, replace
from typing import Any

import torch
from torch import Tensor


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionRecord:
    """What was drawn: origin of the shape, side ("left", "right", "both"), volume, contrast.

    The volume is in ml. The contrast is the mean difference from the healthy image inside the
    label, in SD of the brain's intensities; positive is brighter.
    """

    origin: str
    side: str
    volume_ml: float
    contrast_sd: float


@dataclass(frozen=True, kw_only=True, slots=True)
class SyntheticCase:
    """One training example on the symmetric grid; x grows to the patient's right.

    Attributes:
        image: (x, y, z) float32, scaled as `medsym.volumes.intensity.normalise` does it.
        structures: (x, y, z) int64, channels of `medsym.models.structures`; 0 outside the view.
        lesion: (x, y, z) bool, where lesions fill more than half of the voxel; as in an expert's
            outline it may enclose sulci, which are not brain in `structures`.
        brain: (x, y, z) bool, structures other than background.
        coverage: (x, y, z) bool, inside the field of view.
        stripped: True when everything but the brain was removed.
        kind: contrast, "T1", "T2", "FLAIR", "CT" or "random".
        records: one per lesion.
        anatomy: name of the source anatomy.
        healthy: (x, y, z) float32, the same head in the same scanner without its lesions and
            without what they pushed away; None when the truths were not asked for.
        normal_asymmetry: (x, y, z) float32, what the healthy head is expected to show against its
            own mirror: ``h - S h`` of its intensities before texture, bias and noise; tissues lie
            between 0 and about 1; None like `healthy`.
        torque_mm: (3, x, y, z) float32, how far the natural torque moved the tissue; None like it.
    """

    image: Tensor
    structures: Tensor
    lesion: Tensor
    brain: Tensor
    coverage: Tensor
    stripped: bool
    kind: str
    records: tuple[LesionRecord, ...]
    anatomy: str
    healthy: Tensor | None = None
    normal_asymmetry: Tensor | None = None
    torque_mm: Tensor | None = None

    def to(self, device: torch.device) -> "SyntheticCase":
        """The same case on a device."""
        moved: dict[str, Any] = {
            part.name: value.to(device)
            for part in fields(self)
            if isinstance(value := getattr(self, part.name), Tensor)
        }
        return replace(self, **moved)
