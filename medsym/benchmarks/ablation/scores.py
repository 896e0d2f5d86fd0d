"""Scores of one trained network on the test subjects, voxels inside brain or lesion."""

from collections.abc import Sequence
from typing import Any

import numpy as np
import torch
from torch import Tensor

from medsym.evaluation.metrics import auprc, structure_dice
from medsym.evaluation.precision_recall import counts_between, score_levels
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.training.losses import Batch

Scores = dict[str, Any]
NUMBERS = ("auprc", "subject_auprc", "prevalence", "dice", "defect", "healthy_maximum")


@torch.inference_mode()
def score(
    network: AsymmetryNet, subjects: Sequence[Batch], *, voxel_ml: float, mirrored_subjects: int
) -> Scores:
    """Score a network.

    Args:
        network: In evaluation mode.
        subjects: One subject per batch.
        voxel_ml: Volume of a voxel.
        mirrored_subjects: So many subjects are also passed mirrored.

    Returns:
        ``auprc`` pooled over all voxels and ``subject_auprc``, its mean over subjects with a
        lesion, both in [0, 1], higher is better, chance is ``prevalence``; ``dice`` of the
        structures, mean; ``defect``, the largest ``|f(Sx) - S f(x)|`` of the pathology log-odds;
        ``healthy_maximum``, mean over healthy subjects of the largest log-odds, None without any;
        ``per_subject`` lists of auprc, volume_ml, dice, maximum and histogram (2, BINS).
    """
    values, truths, dices, defect = [], [], [], 0.0
    device = next(network.parameters(), torch.zeros(())).device
    for index, batch in enumerate(subjects):
        image = batch.image.to(device)
        output = network(image)
        logits = output.pathology_logits.cpu()
        inside = (batch.brain + batch.lesion) > 0
        values.append(logits[inside])
        truths.append(batch.lesion[inside] > 0)
        labels = output.anatomy_logits.argmax(1).cpu().numpy()
        dices.append(float(np.nanmean(structure_dice(labels, batch.structures[:, 0].numpy()))))
        if index < mirrored_subjects:
            other = network(image.flip(2)).pathology_logits.flip(2).cpu()
            defect = max(defect, float((other - logits).abs().amax()))
    pooled, truth = torch.cat(values), torch.cat(truths)
    levels = score_levels(pooled)
    areas = [_auprc(v, t) for v, t in zip(values, truths, strict=True)]
    ill = [bool(t.any()) for t in truths]
    maxima = [float(v.amax()) for v in values]
    healthy = [m for m, sick in zip(maxima, ill, strict=True) if not sick]
    return {
        "auprc": _auprc(pooled, truth),
        "subject_auprc": mean([a for a, sick in zip(areas, ill, strict=True) if sick]),
        "prevalence": float(truth.double().mean()),
        "dice": mean(dices),
        "defect": defect,
        "healthy_maximum": mean(healthy) if healthy else None,
        "per_subject": {
            "auprc": [a if sick else None for a, sick in zip(areas, ill, strict=True)],
            "volume_ml": [float(t.sum()) * voxel_ml for t in truths],
            "dice": dices,
            "maximum": maxima,
            "histogram": [
                counts_between(v, t, levels).tolist() for v, t in zip(values, truths, strict=True)
            ],
        },
    }


def _auprc(scores: Tensor, truth: Tensor) -> float:
    return auprc(scores.numpy(), truth.numpy())


def mean(values: Sequence[float]) -> float:
    """NaN of none."""
    return sum(values) / len(values) if values else float("nan")
