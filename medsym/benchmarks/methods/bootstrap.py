"""Confidence intervals over subjects and seeds, the same resamples for every method.

A resample draws test subjects and seeds with replacement. Because all methods meet the same
subjects, the difference from plain is formed within each resample, which removes what is common.
"""

from collections.abc import Mapping, Sequence
from typing import Any

import torch
from torch import Tensor

from medsym.evaluation.bootstrap import resampled_weights
from medsym.evaluation.precision_recall import area_from_counts


def resample_scores(
    per_seed: Sequence[Mapping[str, Any]], *, resamples: int, seed: int = 0
) -> dict[str, Tensor]:
    """(resamples,) auprc, dice, alarms_torque and alarms_brain, each a mean over drawn seeds.

    Args:
        per_seed: ``per_subject`` of every seed of one method and version.
        resamples: Number of draws.
        seed: Of the draws; equal seeds and sizes draw equal subjects and seeds.
    """
    generator = torch.Generator().manual_seed(seed)
    subjects = len(per_seed[0]["lesion"])
    weight = resampled_weights(subjects, resamples=resamples, generator=generator)
    which = torch.randint(0, len(per_seed), (resamples, len(per_seed)), generator=generator)
    by_seed = [_weighted(counts, weight) for counts in per_seed]
    return {
        name: torch.stack([scores[name] for scores in by_seed], dim=1).gather(1, which).mean(dim=1)
        for name in by_seed[0]
    }


def _weighted(counts: Mapping[str, Any], weight: Tensor) -> dict[str, Tensor]:
    """Scores of one seed under subject weights (resamples, subjects)."""
    plain = {name: torch.tensor(values).float() for name, values in counts.items()}
    histogram = plain.pop("histogram")
    summed = (weight @ histogram.flatten(1)).reshape(len(weight), *histogram.shape[1:])
    sums = {name: weight @ values for name, values in plain.items()}
    return {
        "auprc": area_from_counts(summed).float(),
        "dice": 2.0 * sums["hits"] / (sums["called"] + sums["lesion"]).clamp_min(1.0),
        "alarms_torque": sums["torque"] / sums["torque_voxels"].clamp_min(1.0),
        "alarms_brain": sums["brain"] / sums["brain_voxels"].clamp_min(1.0),
    }
