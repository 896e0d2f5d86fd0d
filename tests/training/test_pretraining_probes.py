"""What a linear probe can and cannot read off the parts of a latent."""

import numpy as np
import pytest
import torch

from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.models.structures import STRUCTURES, index_of, mirror_permutation
from medsym.symmetry.mirror import flip
from medsym.training.pretraining.pooled import (
    PARTS,
    both_sides,
    pool_latent,
    structure_regions,
)
from medsym.training.pretraining.probes import ProbeScore, Samples, balanced, probe, resampled

ROUNDING = 1e-4


def network() -> AsymmetryNet:
    torch.manual_seed(0)
    settings = ModelSettings(pairs=(2, 3), window=(0, 1), decoder_pairs=2, head_pairs=2)
    return AsymmetryNet(settings).eval()


def samples(features: object, answers: list[str], subjects: list[int]) -> Samples:
    return Samples(
        features=np.asarray(features, dtype=np.float64),
        answers=np.array(answers),
        subjects=np.array(subjects, dtype=np.int64),
    )


def test_pooled_parts_follow_the_mirror() -> None:
    """Symmetric features stay; antisymmetric means change sign and their sizes stay."""
    net, generator = network(), torch.Generator().manual_seed(1)
    image = torch.rand(8, 8, 8, generator=generator)
    regions = {"all": both_sides(torch.rand(8, 8, 8, generator=generator) > 0.5)}
    own, other = (pool_latent(net, scan, regions) for scan in (image, flip(image)))
    half = len(own.symmetric["all"]) // 2
    assert half == 2 * sum(net.settings.pairs)
    torch.testing.assert_close(other.symmetric["all"], own.symmetric["all"], atol=1e-5, rtol=0)
    own_odd, other_odd = own.antisymmetric["all"], other.antisymmetric["all"]
    torch.testing.assert_close(other_odd[:half], -own_odd[:half], atol=ROUNDING, rtol=0)
    torch.testing.assert_close(other_odd[half:], own_odd[half:], atol=ROUNDING, rtol=0)
    assert float(own_odd[:half].abs().max()) > 100 * ROUNDING


def test_pooling_is_the_mean_over_the_right_half_of_the_region() -> None:
    net, image = network(), torch.rand(8, 8, 8, generator=torch.Generator().manual_seed(2))
    right = torch.zeros(8, 8, 8)
    right[5] = 1.0  # the patient's right
    whole = pool_latent(net, image, {"there": both_sides(right > 0), "right": right})
    torch.testing.assert_close(whole.symmetric["there"], whole.symmetric["right"])
    left = pool_latent(net, image, {"left": flip(right)}).symmetric["left"]
    assert not left.any()  # nothing of a left place is pooled


def test_structures_are_regions_without_their_side() -> None:
    structures = torch.zeros(6, 2, 2, dtype=torch.int64)
    structures[0] = index_of("thalamus", side="left")
    structures[4] = index_of("thalamus", side="right")
    structures[2] = index_of("brainstem", side="midline")
    regions = structure_regions(structures)
    assert set(regions) == {"thalamus", "brainstem"}
    assert regions["thalamus"][:, 0, 0].tolist() == [0.5, 0.5, 0.0, 0.0, 0.5, 0.5]
    swapped = torch.tensor(mirror_permutation())[flip(structures)]
    again = structure_regions(swapped)
    assert all(torch.equal(again[name], regions[name]) for name in regions)


def test_there_are_as_many_structure_names_as_pairs_and_midline_structures() -> None:
    every = torch.arange(len(STRUCTURES)).reshape(-1, 1, 1).expand(-1, 2, 2)
    names = structure_regions(every[: len(STRUCTURES) // 2 * 2])
    assert len(names) == sum(s.side in ("left", "midline") for s in STRUCTURES)


@pytest.mark.parametrize("part", PARTS)
def test_side_is_exactly_undecidable_from_the_symmetric_part_alone(part: str) -> None:
    """Heads that are all brighter on their left, shown as they are and mirrored."""
    net, generator = network(), torch.Generator().manual_seed(3)
    regions = {"all": torch.ones(8, 8, 8)}
    rows, answers, subjects = [], [], []
    for subject in range(30):
        image = torch.rand(8, 8, 8, generator=generator)
        image[:4] += 0.5
        for answer, scan in (("original", image), ("mirrored", flip(image))):
            rows.append(getattr(pool_latent(net, scan, regions), part)["all"].numpy())
            answers.append(answer)
            subjects.append(subject)
    known = samples(rows[:40], answers[:40], subjects[:40])
    score = probe(known, samples(rows[40:], answers[40:], subjects[40:]))
    assert score.chance == 0.5
    assert score.accuracy == (0.5 if part == "symmetric" else 1.0)


def test_a_probe_answers_what_is_linear_and_counts_per_subject() -> None:
    random = np.random.default_rng(0)
    answers = ["a", "b", "c"] * 20
    centres = {"a": (4.0, 0.0), "b": (0.0, 4.0), "c": (-4.0, -4.0)}
    features = [np.array(centres[answer]) + random.normal(size=2) * 0.1 for answer in answers]
    subjects = [k // 3 for k in range(60)]
    known = samples(features[:30], answers[:30], subjects[:30])
    score = probe(known, samples(features[30:], answers[30:], subjects[30:]))
    assert score.accuracy == 1.0
    assert score.chance == pytest.approx(1 / 3)
    assert score.right.shape == score.number.shape == (10, 3)
    assert (score.number == 1).all()
    turned = samples(features[30:], [*answers[31:60], "a"], subjects[30:])
    assert probe(known, turned).accuracy < 0.1


def test_balanced_accuracy_ignores_how_often_an_answer_is_asked() -> None:
    assert balanced(np.array([9, 0]), np.array([9, 1])) == 0.5
    assert balanced(np.array([3, 0]), np.array([4, 0])) == 0.75


def test_resampling_is_round_the_accuracy_and_repeatable() -> None:
    random = np.random.default_rng(1)
    right = random.integers(0, 2, (50, 2))
    score = ProbeScore(
        accuracy=float(right.mean()), chance=0.5, right=right, number=np.ones_like(right)
    )
    drawn = resampled([score, score], resamples=400)
    assert drawn.mean() == pytest.approx(score.accuracy, abs=0.02)
    assert 0.02 < drawn.std() < 0.08
    assert np.array_equal(drawn, resampled([score, score], resamples=400))
    certain = ProbeScore(accuracy=1.0, chance=0.5, right=score.number, number=score.number)
    assert set(resampled([certain], resamples=20)) == {1.0}
