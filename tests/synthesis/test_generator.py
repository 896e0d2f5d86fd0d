"""A drawn case: repeatable, in range, and with its lesion where the label says."""

import functools

import pytest
import torch

from medsym.models.structures import STRUCTURES
from medsym.synthesis.generator import SyntheticCase, draw
from medsym.synthesis.settings import SynthesisConfig
from tests.synthesis.heads import PLAIN, head_anatomy

LEFT, RIGHT = slice(0, 32), slice(32, 64)  # x grows to the patient's right


@functools.cache
def plain(seed: int) -> SyntheticCase:
    """One case with a single strong lesion in a still head; kept, because drawing is slow."""
    return drawn(seed, PLAIN)


def drawn(seed: int, config: SynthesisConfig) -> SyntheticCase:
    """One case of the ellipsoid head."""
    return draw(head_anatomy(), generator=torch.Generator().manual_seed(seed), config=config)


def test_same_seed_same_case_and_another_seed_another() -> None:
    config = SynthesisConfig()
    first, again, other = drawn(3, config), drawn(3, config), drawn(4, config)
    assert first.image.equal(again.image)
    assert first.structures.equal(again.structures)
    assert first.lesion.equal(again.lesion)
    assert first.records == again.records
    assert not first.image.equal(other.image)


@pytest.mark.parametrize("seed", range(3))
def test_case_has_the_promised_shapes_and_ranges(seed: int) -> None:
    case = drawn(seed, SynthesisConfig())
    assert case.image.shape == case.structures.shape == case.lesion.shape == (64, 80, 64)
    assert case.image.dtype == torch.float32
    assert case.structures.dtype == torch.int64
    assert case.lesion.dtype == case.brain.dtype == torch.bool
    assert float(case.image.min()) >= -0.5
    assert float(case.image.max()) <= 1.5
    assert int(case.structures.max()) < len(STRUCTURES)
    assert case.brain.equal(case.structures > 0)
    assert not bool((case.lesion & ~case.coverage).any())
    assert not bool((case.image[~case.coverage] != 0).any())
    brain_ml = float(case.brain.sum()) * 0.027
    assert 300.0 < brain_ml < 2500.0


@pytest.mark.parametrize("seed", range(8))
def test_lesion_recorded_as_left_is_at_negative_x_in_label_and_image(seed: int) -> None:
    case = plain(seed)
    assert case.healthy is not None
    (record,) = case.records
    changed = (case.image - case.healthy).abs()
    own, other = (LEFT, RIGHT) if record.side == "left" else (RIGHT, LEFT)
    if record.side == "both":
        pytest.skip("the outline crosses the mid-plane")
    assert float(case.lesion[own].sum()) >= 0.8 * float(case.lesion.sum())
    assert float(changed[own][case.lesion[own]].mean()) > 0.05
    assert float(changed[own].sum()) > float(changed[other].sum())


@pytest.mark.parametrize("seed", range(4))
def test_image_changes_where_the_label_is_and_hardly_elsewhere(seed: int) -> None:
    case = plain(seed)
    assert case.healthy is not None
    changed = (case.image - case.healthy).abs()
    inside = float(changed[case.lesion].mean())
    border = torch.nn.functional.max_pool3d(case.lesion.float()[None, None], 9, 1, 4)[0, 0] > 0
    away = float(changed[case.brain & ~border].mean())
    assert inside > 5.0 * away


def test_recorded_contrast_has_the_sign_of_the_change() -> None:
    for seed in range(8):
        case = plain(seed)
        assert case.healthy is not None
        change = float((case.image - case.healthy)[case.lesion].mean())
        assert change * case.records[0].contrast_sd > 0


@pytest.mark.parametrize("seed", range(3))
def test_volume_of_a_blob_follows_its_radius(seed: int) -> None:
    lesions = PLAIN.lesions.model_copy(update={"radius_mm": (15.0, 15.0)})
    case = drawn(seed, PLAIN.model_copy(update={"lesions": lesions}))
    whole = 4.0 / 3.0 * torch.pi * 1.5**3  # ml
    assert 0.1 * whole < case.records[0].volume_ml < 1.6 * whole


def test_without_lesions_the_counterpart_is_the_image() -> None:
    lesions = PLAIN.lesions.model_copy(update={"present": 0.0})
    case = drawn(0, PLAIN.model_copy(update={"lesions": lesions}))
    assert case.healthy is not None
    assert case.healthy.equal(case.image)
    assert not bool(case.lesion.any())
    assert case.records == ()


def test_stripped_case_shows_hardly_more_than_the_brain() -> None:
    stripped = PLAIN.degradation.model_copy(update={"stripped": 1.0, "strip_error_mm": (0.0, 0.0)})
    case = drawn(1, PLAIN.model_copy(update={"degradation": stripped}))
    shown = case.image != 0
    assert case.stripped
    assert float((shown & ~case.brain).sum()) < 0.25 * float(case.brain.sum())
    assert float((shown & case.brain).sum()) > 0.9 * float(case.brain.sum())
    assert float((plain(1).image != 0).sum()) > 1.3 * float(shown.sum())


def test_upright_head_without_deformation_is_symmetric() -> None:
    case = drawn(0, PLAIN)
    mirror = torch.tensor([s.mirror for s in STRUCTURES])
    swapped = mirror[case.structures.flip(0)]
    assert float((swapped == case.structures).float().mean()) > 0.99
