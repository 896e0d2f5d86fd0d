"""Subjects of the method comparison: which version knows left from right, and where left is."""

from functools import cache
from pathlib import Path

import pytest
import torch

from medsym.benchmarks.methods import data
from medsym.benchmarks.methods.data import (
    GRID,
    cached_subjects,
    draw_subject,
    draw_subjects,
    template_tissues,
)
from medsym.benchmarks.methods.subjects import VERSIONS, Subjects, Version
from medsym.symmetry.mirror import flip

HALF = GRID[0] // 2


@cache
def drawn(version: Version, number: int = 60, seed: int = 3) -> Subjects:
    return draw_subjects(number, version=version, seed=seed)


def same(first: Subjects, second: Subjects) -> bool:
    return all(torch.equal(getattr(first, n), getattr(second, n)) for n in Subjects.__slots__)


def with_coin(monkeypatch: pytest.MonkeyPatch, coin: bool, seed: int) -> Subjects:
    """A symmetric subject whose last toss, the one that decides its side, is given."""
    tosses: list[bool] = []
    real = data.chance

    def counting(probability: float, *, generator: torch.Generator) -> bool:
        tosses.append(real(probability, generator=generator))
        return tosses[-1]

    with monkeypatch.context() as patch:
        patch.setattr(data, "chance", counting)
        draw_subject(version="symmetric", generator=torch.Generator().manual_seed(seed))
        last, tosses = len(tosses), []

        def forced(probability: float, *, generator: torch.Generator) -> bool:
            tosses.append(real(probability, generator=generator))
            return coin if len(tosses) == last else tosses[-1]

        patch.setattr(data, "chance", forced)
        return draw_subject(version="symmetric", generator=torch.Generator().manual_seed(seed))


@pytest.mark.parametrize("seed", range(5))
def test_symmetric_subject_and_its_mirror_image_are_equally_likely(
    monkeypatch: pytest.MonkeyPatch, seed: int
) -> None:
    kept = with_coin(monkeypatch, False, seed)
    turned = with_coin(monkeypatch, True, seed)
    assert same(turned, kept.mirrored())
    assert not same(turned, kept)


def test_asymmetric_version_tosses_no_coin_and_keeps_its_side() -> None:
    subjects = drawn("asymmetric")
    low, high = subjects.torque_region[:, :, :HALF], subjects.torque_region[:, :, HALF:]
    assert low.sum() > 0
    assert high.sum() == 0


def test_normal_structures_are_on_the_left_of_the_patient() -> None:
    subjects = drawn("asymmetric")

    def share_on_the_left(group: Subjects) -> float:
        size = group.normal_asymmetry.abs()
        return float(size[:, :, :HALF].sum() / size.sum())

    assert share_on_the_left(subjects) > 0.99
    assert share_on_the_left(subjects.mirrored()) < 0.01  # the check would notice a swap


def test_mirrored_subject_is_flipped_left_to_right_and_along_no_other_axis() -> None:
    subjects = drawn("asymmetric", 2)
    assert torch.equal(subjects.mirrored().image, subjects.image.flip(2))
    assert not torch.equal(subjects.mirrored().image, subjects.image.flip(3))


def test_symmetric_version_has_no_normal_asymmetry() -> None:
    assert not bool(drawn("symmetric").normal_asymmetry.any())


def test_normal_asymmetry_is_what_the_image_shows_and_is_not_labelled() -> None:
    subjects = drawn("asymmetric")
    region = (subjects.torque_region > 0) & (subjects.lesion == 0)
    other_side = flip(subjects.torque_region) > 0
    size = subjects.normal_asymmetry.abs()
    assert float(size[region].mean()) > 20 * float(size[other_side].mean())
    assert float(subjects.lesion[subjects.torque_region > 0].mean()) < 0.02


def test_lesions_prefer_the_mirrored_places_on_the_right() -> None:
    subjects = drawn("asymmetric")
    lesion = subjects.lesion > 0
    on_right = float(lesion[flip(subjects.torque_region) > 0].float().mean())
    elsewhere = float(lesion[subjects.brain > 0].float().mean())
    assert on_right > 5 * elsewhere


def test_versions_differ_in_nothing_else() -> None:
    symmetric, asymmetric = (drawn(v) for v in VERSIONS)
    shares = [float(s.lesion[s.brain > 0].mean()) for s in (symmetric, asymmetric)]
    healthy = [
        float((s.lesion.flatten(1).sum(1) == 0).float().mean()) for s in (symmetric, asymmetric)
    ]
    assert shares[0] == pytest.approx(shares[1], rel=0.4)
    assert healthy[0] == pytest.approx(healthy[1], abs=0.2)


def test_template_is_exactly_symmetric() -> None:
    assert torch.equal(template_tissues(), flip(template_tissues()))
    assert not torch.allclose(template_tissues(), template_tissues().flip(-2), atol=0.1)


@pytest.mark.parametrize("version", VERSIONS)
def test_images_are_normalised_over_the_brain(version: Version) -> None:
    subjects = drawn(version, 3)
    for one in (subjects[slice(k, k + 1)] for k in range(3)):
        values = one.image[one.brain > 0]
        assert float(values.mean()) == pytest.approx(0.0, abs=1e-4)
        assert float(values.std()) == pytest.approx(1.0, abs=1e-3)
        assert not bool(one.image[one.brain == 0].any())


def test_same_seed_same_subjects_and_the_cache_changes_nothing(tmp_path: Path) -> None:
    fresh = drawn("asymmetric", 4)
    for _ in range(2):
        assert same(fresh, cached_subjects(4, version="asymmetric", seed=3, cache=tmp_path))
    assert not same(fresh, drawn("asymmetric", 4, seed=4))
