"""Scores of one way to predict, on the test subjects of one version, with what a bootstrap needs.

Everything is over brain voxels, in single precision. Thresholds are frozen on training subjects.
"""

from collections.abc import Callable
from typing import Any

import torch
from torch import Tensor

from medsym.benchmarks.methods.method import Guaranteed, Predict
from medsym.benchmarks.methods.subjects import Subjects
from medsym.benchmarks.methods.training import EVALUATION_BATCH, Population
from medsym.evaluation.metrics import auprc, best_dice
from medsym.evaluation.precision_recall import counts_between, score_levels
from medsym.symmetry.mirror import flip

Scores = dict[str, Any]


def score(
    predict: Predict,
    population: Population,
    *,
    specificity: float,
    threshold_subjects: int,
    guarantee: Guaranteed | None = None,
) -> Scores:
    """All scores of one trained network.

    Args:
        predict: Image to log-odds.
        population: Its training and test subjects.
        specificity: Share of the brain voxels of healthy training subjects below the alarm
            threshold.
        threshold_subjects: Training subjects on which thresholds are frozen.
        guarantee: Known defect and bound; then tightness and violations are scored too.

    Returns:
        auprc, prevalence, dice, defect (|f(Sx) - S f(x)| / |f(x)| of the log-odds, whole grid),
        defect_brain (the same of the probabilities in the brain), alarms_torque and alarms_brain
        (false alarms per voxel of healthy test subjects), and ``per_subject`` counts.
    """
    known = population.train[slice(threshold_subjects)]
    dice_threshold, alarm_threshold = frozen_thresholds(predict, known, specificity=specificity)
    test = population.test
    logits, twins = passes(predict, test.image), passes(predict, flip(test.image))
    defect, brain = twins - flip(logits), test.brain > 0
    chance, twin_chance = torch.sigmoid(logits), torch.sigmoid(flip(twins))
    result: Scores = {
        "auprc": auprc(logits[brain].numpy(), (test.lesion[brain] > 0).numpy()),
        "prevalence": float(test.lesion[brain].mean()),
        "defect": float(defect.norm() / logits.norm()),
        "defect_brain": float((twin_chance - chance)[brain].norm() / chance[brain].norm()),
        "per_subject": per_subject(
            logits, test, dice_threshold=dice_threshold, alarm_threshold=alarm_threshold
        ),
    }
    counts = {name: torch.tensor(v) for name, v in result["per_subject"].items()}
    result["dice"] = float(dice_of(counts))
    result["alarms_torque"] = rate_of(counts, "torque")
    result["alarms_brain"] = rate_of(counts, "brain")
    if guarantee is not None:
        result.update(tightness(guarantee, test, measured=defect))
    return result


def passes(predict: Callable[[Tensor], Tensor], images: Tensor) -> Tensor:
    """Predictions for many images, single precision."""
    with torch.inference_mode():
        groups = images.split(EVALUATION_BATCH)
        return torch.cat([predict(group).float() for group in groups])


def frozen_thresholds(
    predict: Predict, known: Subjects, *, specificity: float
) -> tuple[float, float]:
    """(threshold of the best Dice, threshold of the stated specificity), on training subjects."""
    logits, brain = passes(predict, known.image), known.brain > 0
    best, _ = best_dice(logits[brain].numpy(), (known.lesion[brain] > 0).numpy())
    healthy = brain & ~known.lesion.flatten(1).any(dim=1).view(-1, 1, 1, 1, 1)
    ordered = logits[healthy].sort().values
    if not len(ordered):
        return best, float("inf")
    return best, float(ordered[min(len(ordered) - 1, int(specificity * len(ordered)))])


def per_subject(
    logits: Tensor, test: Subjects, *, dice_threshold: float, alarm_threshold: float
) -> dict[str, list[Any]]:
    """Counts of every test subject, from which every score can be resampled."""
    levels = score_levels(logits[test.brain > 0])
    rows: dict[str, list[Any]] = {
        name: []
        for name in ("histogram", "hits", "called", "lesion", "torque", "torque_voxels", "brain",
                     "brain_voxels")
    }  # fmt: skip
    for index in range(len(test)):
        one = test[slice(index, index + 1)]
        brain, lesion = one.brain > 0, one.lesion > 0
        own = logits[index : index + 1]
        rows["histogram"].append(counts_between(own[brain], lesion[brain], levels).tolist())
        called = brain & (own >= dice_threshold)
        rows["hits"].append(int((called & lesion).sum()))
        rows["called"].append(int(called.sum()))
        rows["lesion"].append(int(lesion.sum()))
        alarm = (own > alarm_threshold) & brain & (not bool(lesion.any()))
        region = (one.torque_region > 0) & brain & (not bool(lesion.any()))
        rows["torque"].append(int((alarm & region).sum()))
        rows["torque_voxels"].append(int(region.sum()))
        rows["brain"].append(int((alarm & ~region).sum()))
        healthy_brain = 0 if bool(lesion.any()) else int(brain.sum())
        rows["brain_voxels"].append(healthy_brain - int(region.sum()))
    return rows


def dice_of(counts: dict[str, Tensor]) -> Tensor:
    """Dice over all voxels of all subjects, from counts with subjects in the last dimension."""
    hits, called, lesion = (counts[n].double().sum(-1) for n in ("hits", "called", "lesion"))
    return 2.0 * hits / (called + lesion).clamp_min(1.0)


def rate_of(counts: dict[str, Tensor], name: str) -> float:
    """False alarms per voxel of healthy subjects, in the torque region or elsewhere."""
    voxels = counts[f"{name}_voxels"].double().sum()
    return float(counts[name].double().sum() / voxels.clamp_min(1.0))


def tightness(guarantee: Guaranteed, test: Subjects, *, measured: Tensor) -> dict[str, float]:
    """How much of the bound the measured defect uses, and whether it ever leaves it.

    The bound of a place speaks of the mirrored pass at that place, as ``measured`` does.
    """
    known, bounds = [], []
    with torch.inference_mode():
        for group in test.image.split(EVALUATION_BATCH):
            defect, bound = guarantee(group)
            known.append(defect)
            bounds.append(bound)
    bound, defect, size = torch.cat(bounds), torch.cat(known), measured.abs()
    where = flip(test.brain) > 0  # the brain of the mirrored scan
    return {
        "tightness": float(size[where].mean() / bound[where].mean().clamp_min(1e-12)),
        "tightness_most": float((size / bound.clamp_min(1e-12)).max()),
        "violations": float((size > bound).sum()),
        "voxels": float(size.numel()),
        "one_pass_error": float((measured - defect).abs().max()),
        "bound_mean": float(bound[where].mean()),
    }
