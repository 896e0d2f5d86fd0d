"""A drawn case: repeatable, in range, and with its lesion where the label says."""

import functools

import pytest
import torch

from medsym.models.structures import STRUCTURES, index_of
from medsym.synthesis.canvas import Canvas
from medsym.synthesis.case import SyntheticCase
from medsym.synthesis.generator import draw
from medsym.synthesis.settings import SynthesisConfig
from medsym.volumes.frame import SymmetricGrid
from tests.synthesis.heads import CANVAS, PLAIN, STILL, head_anatomy

LEFT, RIGHT = slice(0, 32), slice(32, 64)  # x grows to the patient's right


@functools.cache
def plain(seed: int) -> SyntheticCase:
    """One case with a single strong lesion in a still head; kept, because drawing is slow."""
    return drawn(seed, PLAIN)


def drawn(seed: int, config: SynthesisConfig) -> SyntheticCase:
    """One case of the ellipsoid head."""
    generator = torch.Generator().manual_seed(seed)
    return draw(head_anatomy(), canvas=CANVAS, generator=generator, config=config)


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


def test_volume_of_blobs_follows_their_radius() -> None:
    lesions = PLAIN.lesions.model_copy(update={"radius_mm": (15.0, 15.0)})
    config = PLAIN.model_copy(update={"lesions": lesions, "truths": False})
    volumes = [drawn(seed, config).records[0].volume_ml for seed in range(10)]
    whole = 4.0 / 3.0 * torch.pi * 1.5**3  # ml; skull, fluid and falx take a part
    assert 0.4 * whole < sum(volumes) / len(volumes) < 1.6 * whole


@pytest.mark.parametrize("spacing", [2.0, 4.0])
def test_an_undeformed_head_is_the_same_at_another_spacing(spacing: float) -> None:
    canvas = Canvas(grid=SymmetricGrid.spanning(spacing))
    here = draw(
        head_anatomy(),
        canvas=canvas,
        generator=torch.Generator().manual_seed(2),
        config=PLAIN.model_copy(update={"truths": False}),
    )
    usual = plain(2)
    assert here.image.shape == canvas.shape
    ratio = float(here.brain.sum()) * canvas.voxel_ml / (float(usual.brain.sum()) * CANVAS.voxel_ml)
    assert ratio == pytest.approx(1.0, abs=0.03)
    for structure in (index_of("thalamus", side="left"), index_of("caudate", side="right")):
        places = [
            c.points()[:, case.structures == structure].mean(dim=1)
            for c, case in ((canvas, here), (CANVAS, usual))
        ]
        torch.testing.assert_close(places[0], places[1], atol=1.5, rtol=0)


def test_truths_are_those_of_the_healthy_head() -> None:
    torque = STILL.model_copy(update={"torque_mm": (4.0, 4.0)})
    case = drawn(5, PLAIN.model_copy(update={"deformation": torque}))
    assert case.normal_asymmetry is not None
    assert case.torque_mm is not None
    assert case.torque_mm.shape == (3, *CANVAS.shape)
    assert case.normal_asymmetry.flip(0).equal(-case.normal_asymmetry)
    x, y = CANVAS.points()[:2]
    right_front, left_back = (x > 20) & (y > 50), (x < -20) & (y < -50)
    assert float(case.torque_mm[1][right_front].min()) > 1.0  # forwards
    assert float(case.torque_mm[1][left_back].max()) < -1.0  # backwards
    assert float(case.torque_mm[0][right_front].min()) > 0.0  # outwards, to the right
    assert float(case.torque_mm[0][left_back].max()) < 0.0  # outwards, to the left
    symmetric = drawn(5, PLAIN)
    assert symmetric.normal_asymmetry is not None
    poles = case.brain & (y.abs() > 50)
    assert float(case.normal_asymmetry[poles].abs().mean()) > 3.0 * float(
        symmetric.normal_asymmetry[poles].abs().mean()
    )
    without = PLAIN.model_copy(update={"truths": False})
    assert drawn(5, without).healthy is None
    assert drawn(5, without).image.equal(symmetric.image)


def test_change_of_age_is_no_normal_asymmetry_of_a_symmetric_head() -> None:
    found = []
    for change in (0.0, 1.0):
        contrast = PLAIN.contrast.model_copy(update={"white_matter_change": change})
        case = drawn(5, PLAIN.model_copy(update={"contrast": contrast}))
        assert case.normal_asymmetry is not None
        inner = case.brain & case.brain.flip(0)
        found.append(float(case.normal_asymmetry[inner].abs().mean()))
    assert found[1] <= 1.2 * found[0] + 1e-4


def test_counterpart_has_not_been_pushed_by_the_lesion() -> None:
    cases = []
    for push_mm in (7.0, 0.0):
        lesions = PLAIN.lesions.model_copy(
            update={"mass_effect": 1.0, "mass_effect_mm": (push_mm, push_mm)}
        )
        cases.append(drawn(3, PLAIN.model_copy(update={"lesions": lesions})))
    pushed, still = cases
    beside = pushed.brain & still.brain & ~pushed.lesion & ~still.lesion
    assert float((pushed.image - still.image)[beside].abs().max()) > 0.1
    assert pushed.healthy is not None
    assert still.healthy is not None
    assert pushed.healthy.equal(still.healthy)


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
