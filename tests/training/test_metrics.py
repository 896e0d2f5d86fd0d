"""Scores against worked examples, and the evaluation's arithmetic."""

import numpy as np
import pytest

from medsym.training.evaluate import score
from medsym.training.metrics import auprc, dice
from medsym.training.validation import mirror_difference


def test_auprc_of_chance_is_the_prevalence_and_of_perfection_one() -> None:
    truth = np.arange(1000) % 10 == 0
    assert auprc(np.zeros(1000), truth) == pytest.approx(0.1)
    assert auprc(truth.astype(float), truth) == 1.0
    assert np.isnan(auprc(np.zeros(5), np.zeros(5, dtype=bool)))


def test_dice_of_half_overlap() -> None:
    first, second = np.array([1, 1, 0, 0], bool), np.array([0, 1, 1, 0], bool)
    assert dice(first, second) == 0.5
    assert dice(np.zeros(3, bool), np.zeros(3, bool)) == 1.0


def test_mirror_difference_marks_both_sides_and_vanishes_on_symmetric_scans() -> None:
    image = np.zeros((8, 6, 4), dtype=np.float32)
    image[1, 3, 2] = 1.0
    found = mirror_difference(image)
    np.testing.assert_allclose(found, found[::-1])
    assert found[1, 3, 2] > 0.05
    assert mirror_difference(image + image[::-1]).max() == 0.0


def test_score_counts_lesion_voxels_that_the_brain_mask_missed() -> None:
    truth, brain = np.zeros(100, bool), np.zeros(100, bool)
    truth[:20] = True
    brain[10:] = True
    maps = {
        "deviation": np.where(truth & brain, 5.0, 0.0),
        "pathology": np.where(truth, 0.9, 0.1),
        "asymmetry": np.where(truth, 2.0, 0.0),
        "bound": np.full(100, 1.0),
        "mirror_difference": np.zeros(100),
    }
    found = score("a", maps, truth=truth, brain=brain)
    assert found.prevalence == pytest.approx(0.2)
    assert found.pathology == 1.0
    assert 0.5 < found.deviation < 1.0  # half of the lesion was cut off
    assert found.beyond_bound == 1.0
    assert found.inside == pytest.approx(2.5)
