"""Scores on unseen subjects are what other programs compute, however they are cut and where."""

import numpy as np
import pytest
import torch
from sklearn.metrics import average_precision_score

from medsym.evaluation.metrics import dice
from medsym.inference.passes import run_network
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.structures import mirror_permutation
from medsym.synthesis.case import SyntheticCase
from medsym.training.loader import pack_one
from medsym.training.validation import UnseenSubjects, boxed
from tests.training.small_run import formula_case

CPU = torch.device("cpu")
SETTINGS = ModelSettings(spacing_mm=8.0, pairs=(2, 3), window=(0, 1), decoder_pairs=2, head_pairs=2)


def held(cases: list[SyntheticCase], network: AsymmetryNet) -> UnseenSubjects:
    multiple = network.size_multiple
    subjects = [boxed(pack_one(case), multiple=multiple, device=CPU) for case in cases]
    return UnseenSubjects(subjects, spacing_mm=SETTINGS.spacing_mm)


def test_structures_that_are_not_known_leave_no_score_and_no_error() -> None:
    case = formula_case(2, 0)
    case.structures.fill_(-1)
    network = AsymmetryNet(SETTINGS)
    scores = held([case], network).score(network)
    assert np.isnan(scores.structures)
    assert scores.pathology > 0.0


def test_scores_are_those_of_the_network_as_it_is_run_at_inference() -> None:
    torch.manual_seed(3)
    network = AsymmetryNet(SETTINGS)
    cases = [formula_case(2, index) for index in range(2)]
    unseen = held(cases, network)
    scores = unseen.score(network)
    logits, truth, overlaps = [], [], []
    for case in cases:
        parts = run_network(
            network, case.image.numpy(), mirror_classes=mirror_permutation(), mirrored=False
        )
        inside = case.brain.numpy() & (case.image != 0).numpy()
        logits.append((parts.even + parts.odd).numpy()[inside])
        truth.append(case.lesion.numpy()[inside])
        labels = parts.anatomy.argmax(0).numpy()
        overlaps += [dice(labels == index, case.structures.numpy() == index) for index in (1, 2)]
    expected = average_precision_score(np.concatenate(truth), np.concatenate(logits))
    assert scores.pathology == pytest.approx(expected, abs=1e-6)
    assert scores.prevalence == pytest.approx(float(np.concatenate(truth).mean()))
    assert scores.structures == pytest.approx(np.mean(overlaps))
    assert network.training


def test_the_baseline_finds_a_one_sided_lump_and_the_maps_hold_it() -> None:
    network = AsymmetryNet(SETTINGS)
    cases = [formula_case(2, index) for index in range(2)]
    unseen = held(cases, network)
    scores = unseen.score(network)
    assert scores.baseline > 3 * scores.prevalence
    maps = unseen.maps_of(network)
    left = maps.truth[: maps.truth.shape[0] // 2]
    assert left.sum() == maps.truth.sum() > 0  # the lump is on the patient's left, at small x
    assert float(maps.tolerance.max()) == pytest.approx(
        float(maps.tolerance[maps.tolerance > 0].max())
    )
