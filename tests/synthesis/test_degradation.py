"""Scanner and preprocessing: each effect does what its name says and nothing when it is off."""

import pytest
import torch

from medsym.synthesis.degradation import blur, closed_brain, degrade, draw_view
from tests.synthesis.heads import CANVAS, PLAIN

GRID, GRID_MM = CANVAS.shape, CANVAS.spacing_mm
OFF = PLAIN.degradation


def ball(radius_mm: float) -> torch.Tensor:
    """Bool ball round the origin."""
    return CANVAS.points().norm(dim=0) < radius_mm


def seeded(seed: int = 0) -> torch.Generator:
    """A fresh generator."""
    return torch.Generator().manual_seed(seed)


def test_everything_off_changes_nothing() -> None:
    image = torch.rand(GRID, generator=seeded())
    assert degrade(image, canvas=CANVAS, config=OFF, generator=seeded(1)).equal(image)


def test_one_sided_bias_brightens_the_side_it_names() -> None:
    config = OFF.model_copy(update={"one_sided": 1.0, "one_sided_log": (0.2, 0.2)})
    biased = degrade(torch.ones(GRID), canvas=CANVAS, config=config, generator=seeded())
    assert float(biased[32:].mean()) > 1.05
    assert float(biased[:32].mean()) < 0.95


def test_noise_has_the_stated_size() -> None:
    config = OFF.model_copy(update={"noise_sd": (0.05, 0.05)})
    noisy = degrade(torch.zeros(GRID), canvas=CANVAS, config=config, generator=seeded())
    assert float(noisy.std()) == pytest.approx(0.05, rel=0.02)


def test_blur_spreads_a_point_by_its_standard_deviation() -> None:
    image = torch.zeros(GRID)
    image[32, 40, 32] = 1.0
    blurred = blur(image, sd_mm=3.0, spacing_mm=GRID_MM)
    assert float(blurred.sum()) == pytest.approx(1.0, abs=1e-4)
    offset = CANVAS.points() - CANVAS.points()[:, 32, 40, 32].view(3, 1, 1, 1)
    spread = (blurred * offset.square()).sum(dim=(1, 2, 3)).sqrt()
    torch.testing.assert_close(spread, torch.full((3,), 3.0), atol=0.15, rtol=0)


def test_thick_slices_smooth_along_one_axis_only() -> None:
    config = OFF.model_copy(update={"thick_slices": 1.0, "slice_mm": (6.0, 6.0)})
    image = torch.randn(GRID, generator=seeded(3))
    thick = degrade(image, canvas=CANVAS, config=config, generator=seeded(4))
    rough = [
        float(torch.diff(thick, dim=k).std() / torch.diff(image, dim=k).std()) for k in range(3)
    ]
    assert min(rough) < 0.5 * sorted(rough)[1]


def test_neck_is_cut_below_the_brain_and_cropping_reaches_into_it() -> None:
    brain, head = ball(60.0), torch.ones(GRID)
    cut = draw_view(
        brain,
        head=head,
        canvas=CANVAS,
        config=OFF.model_copy(update={"neck_cut": 1.0}),
        generator=seeded(),
    )
    assert not bool((brain & ~cut.coverage).any())
    crop = OFF.model_copy(update={"cropped": 1.0, "cropped_mm": (15.0, 15.0)})
    seen = draw_view(brain, head=head, canvas=CANVAS, config=crop, generator=seeded()).coverage
    hidden = (brain & ~seen).any(dim=0).any(dim=0)
    assert int(hidden.sum()) * GRID_MM == pytest.approx(15.0, abs=GRID_MM)


def test_crops_from_below_and_from_above_take_the_same() -> None:
    brain, head = ball(60.0), torch.ones(GRID)
    crop = OFF.model_copy(update={"cropped": 1.0, "cropped_mm": (12.0, 12.0)})
    taken = set()
    for seed in range(8):
        view = draw_view(brain, head=head, canvas=CANVAS, config=crop, generator=seeded(seed))
        hidden = (brain & ~view.coverage).any(dim=0).any(dim=0)
        taken.add((bool(hidden[: GRID[2] // 2].any()), int(hidden.sum())))
    assert taken == {(True, 4), (False, 4)}


def test_margin_of_the_stripped_mask_grows_with_its_error() -> None:
    sizes = []
    for margin in (-1.0, 2.0, 5.0):
        config = OFF.model_copy(update={"stripped": 1.0, "strip_error_mm": (margin, margin)})
        view = draw_view(
            ball(60.0), head=torch.ones(GRID), canvas=CANVAS, config=config, generator=seeded()
        )
        assert view.stripped
        sizes.append((float(view.mask.sum()) * GRID_MM**3 * 0.75 / torch.pi) ** (1 / 3) - 60.0)
    assert sizes[0] < sizes[1] < sizes[2]
    assert sizes == pytest.approx([-1.0, 2.0, 5.0], abs=2.0)


def test_closed_brain_fills_a_narrow_sulcus_but_not_the_outside() -> None:
    brain = ball(60.0).float()
    brain[32, 50:, :] = 0.0  # a slit of one voxel
    closed = closed_brain(brain, spacing_mm=GRID_MM)
    assert float(closed[32, 53, 32]) > 0.5
    assert float(closed[CANVAS.points().norm(dim=0) > 66.0].max()) < 0.5
