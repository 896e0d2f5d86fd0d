"""Scores of the method comparison against brute force, with predictors whose scores are known."""

import pytest
import torch
from torch import Tensor

from medsym.benchmarks.methods.bootstrap import resample_scores
from medsym.benchmarks.methods.data import draw_subjects
from medsym.benchmarks.methods.scores import Scores, score
from medsym.benchmarks.methods.subjects import Subjects
from medsym.benchmarks.methods.training import Population
from medsym.symmetry.mirror import flip


def population() -> Population:
    train, test = (draw_subjects(12, version="asymmetric", seed=s) for s in (7, 8))
    return Population(version="asymmetric", train=train, test=test)


def scored(mark: str, where: Population, *, mirrored: bool = False) -> Scores:
    """Scores of a predictor that marks what it is told to and knows every subject by heart."""
    groups: list[Subjects] = [where.train, where.test]

    def predict(image: Tensor) -> Tensor:
        marks = []
        for one in image:
            for group in groups:
                for k in range(len(group)):
                    for turned in (False, True):
                        known = group.image[k].flip(1) if turned else group.image[k]
                        if torch.equal(known, one):
                            found = getattr(group, mark)[k]
                            marks.append(found.flip(1) if turned != mirrored else found)
        return 4.0 * torch.stack(marks) - 2.0

    return score(predict, where, specificity=0.99, threshold_subjects=12)


def test_perfect_prediction_scores_one_and_is_equivariant() -> None:
    scores = scored("lesion", population())
    assert scores["auprc"] == pytest.approx(1.0)
    assert scores["dice"] == pytest.approx(1.0)
    assert scores["defect"] == 0.0
    assert scores["alarms_torque"] == scores["alarms_brain"] == 0.0


def test_sides_swapped_is_noticed_by_every_score() -> None:
    scores = scored("lesion", population(), mirrored=True)
    assert scores["auprc"] < 0.1
    assert scores["dice"] < 0.1


def test_marking_the_normal_structures_is_a_false_alarm_in_the_torque_region() -> None:
    where = population()
    marked = scored("torque_region", where)
    swapped = scored("torque_region", where, mirrored=True)
    assert marked["alarms_torque"] >= swapped["alarms_torque"]
    assert swapped["alarms_torque"] == 0.0


def test_false_alarms_are_counted_in_healthy_subjects_alone() -> None:
    where = population()
    counts = scored("lesion", where)["per_subject"]
    for k, voxels in enumerate(counts["brain_voxels"]):
        assert (voxels == 0) == (counts["lesion"][k] > 0)


def test_violations_of_a_bound_are_counted() -> None:
    where = population()

    def lopsided(image: Tensor) -> Tensor:  # adds one on the left, so the defect is 1 in size
        side = torch.zeros_like(image)
        side[:, :, :10] = 1.0
        return image + side

    def known(size: float) -> Scores:
        def guarantee(image: Tensor) -> tuple[Tensor, Tensor]:
            defect = lopsided(flip(image)) - flip(lopsided(image))
            return defect, torch.full_like(defect, size)

        return score(lopsided, where, specificity=0.99, threshold_subjects=12, guarantee=guarantee)

    wide, narrow = known(2.0), known(0.5)
    assert wide["violations"] == 0
    assert wide["tightness"] == pytest.approx(0.5, rel=1e-4)
    assert wide["one_pass_error"] == pytest.approx(0.0, abs=1e-5)
    assert narrow["violations"] == narrow["voxels"]


def test_resamples_pair_methods_and_contain_the_score() -> None:
    scores = scored("lesion", population())["per_subject"]
    draws = [resample_scores([scores, scores], resamples=50) for _ in range(2)]
    assert torch.equal(draws[0]["auprc"], draws[1]["auprc"])
    assert torch.allclose(draws[0]["dice"], torch.ones(50))
