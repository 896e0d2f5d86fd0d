"""What pre-training asks for can be reached, is not counted twice and uses no side."""

import math
from dataclasses import replace

import pytest
import torch
from torch import Tensor

from medsym.errors import ScanError
from medsym.models.asymmetry_net import AsymmetryNet
from medsym.models.settings import ModelSettings
from medsym.symmetry.mirror import mirror
from medsym.training.pretraining.corruption import Views, draw_views, hidden_blocks, random_map
from medsym.training.pretraining.objective import (
    PretrainingNet,
    Readings,
    contrast_loss,
    pretraining_loss,
    squared_error,
    voxel_weight,
)
from medsym.training.pretraining.settings import CorruptionSettings, PretrainLossSettings

ROUNDING = 1e-4


def seeded(seed: int = 0) -> torch.Generator:
    return torch.Generator().manual_seed(seed)


def head(seed: int = 0) -> Tensor:
    """A lopsided head in an empty frame, scaled as scans are."""
    volume = torch.zeros(16, 16, 16)
    volume[2:14, 2:14, 2:14] = 0.1 + 0.8 * torch.rand(12, 12, 12, generator=seeded(seed))
    volume[2:6, 4:8, 4:8] = 1.2
    return volume


def views(**changes: object) -> Views:
    settings = CorruptionSettings.model_validate({"block_mm": 12.0, **changes})
    return draw_views(head(), settings=settings, spacing_mm=4.0, generator=seeded(1))


def reader(*, split: bool = True) -> PretrainingNet:
    torch.manual_seed(0)
    settings = ModelSettings(pairs=(2, 3), window=(0, 1), decoder_pairs=2, head_pairs=2)
    return PretrainingNet(AsymmetryNet(settings), projection=4, split=split).eval()


def halves(target: Tensor) -> tuple[Tensor, Tensor]:
    return (target + mirror(target)) / 2, (target - mirror(target)) / 2


def loss(readings: Readings, drawn: Views, **changes: object) -> tuple[float, dict[str, float]]:
    settings = PretrainLossSettings.model_validate(changes)
    total, parts = pretraining_loss(readings, drawn, settings=settings, generator=seeded(2))
    return float(total.detach()), parts


def test_loss_is_zero_when_everything_is_read_correctly() -> None:
    drawn = views()
    symmetric, antisymmetric = halves(drawn.target)
    perfect = Readings(whole=drawn.target, symmetric=symmetric, antisymmetric=antisymmetric)
    total, parts = loss(perfect, drawn)
    assert total == 0.0
    assert set(parts) == {"whole", "symmetric", "antisymmetric"}


@pytest.mark.parametrize("part", ["whole", "symmetric", "antisymmetric"])
def test_an_error_in_one_part_is_charged_to_that_part(part: str) -> None:
    drawn = views()
    symmetric, antisymmetric = halves(drawn.target)
    perfect = Readings(whole=drawn.target, symmetric=symmetric, antisymmetric=antisymmetric)
    wrong = replace(perfect, **{part: getattr(perfect, part) + 0.5})
    _, parts = loss(wrong, drawn, **{part: 2.0})
    assert parts.pop(part) == pytest.approx(2.0 * 0.25, rel=1e-4)
    assert set(parts.values()) == {0.0}


def test_halves_exchanged_by_a_wrong_mirror_are_noticed() -> None:
    """Reading the antisymmetric half of the mirrored scan is as wrong as can be."""
    drawn = views()
    symmetric, antisymmetric = halves(drawn.target)
    nothing = Readings(whole=drawn.target, symmetric=symmetric, antisymmetric=0 * antisymmetric)
    swapped = replace(nothing, antisymmetric=-antisymmetric)
    lost = loss(nothing, drawn)[1]["antisymmetric"]
    assert loss(swapped, drawn)[1]["antisymmetric"] == pytest.approx(4.0 * lost, rel=1e-4)
    assert lost > 0.0


def test_errors_of_the_halves_add_up_to_that_of_the_whole() -> None:
    drawn = views()
    weight = voxel_weight(drawn, seen_weight=0.1)
    assert torch.equal(weight, mirror(weight))
    reading = torch.rand(drawn.target.shape, generator=seeded(5))
    apart = [
        squared_error(one, other, weight)
        for one, other in zip(halves(reading), halves(drawn.target), strict=True)
    ]
    torch.testing.assert_close(sum(apart), squared_error(reading, drawn.target, weight))


def test_what_is_read_off_a_part_is_of_its_type_for_any_weights() -> None:
    drawn = views()
    with torch.no_grad():
        readings = reader()(drawn.first, drawn.second)
    symmetric, antisymmetric, places = readings.symmetric, readings.antisymmetric, readings.places
    assert symmetric is not None
    assert antisymmetric is not None
    assert places is not None
    assert float((mirror(symmetric) - symmetric).abs().max()) < ROUNDING
    assert torch.equal(mirror(antisymmetric), -antisymmetric)
    assert float((mirror(places) - places).abs().max()) < ROUNDING
    assert float(antisymmetric.abs().max()) > 100 * ROUNDING


def test_mirrored_scan_changes_the_sign_of_the_antisymmetric_reading_alone() -> None:
    drawn, net = views(), reader()
    with torch.no_grad():
        own = net(drawn.first, drawn.second)
        other = net(mirror(drawn.first), mirror(drawn.second))
    torch.testing.assert_close(other.symmetric, own.symmetric, atol=ROUNDING, rtol=0)
    torch.testing.assert_close(other.places, own.places, atol=ROUNDING, rtol=0)
    torch.testing.assert_close(other.antisymmetric, -own.antisymmetric, atol=ROUNDING, rtol=0)
    torch.testing.assert_close(other.whole, mirror(own.whole), atol=ROUNDING, rtol=0)


def test_without_the_split_only_the_whole_is_read() -> None:
    drawn = views()
    readings = reader(split=False)(drawn.first, drawn.second)
    assert readings.symmetric is None
    assert readings.antisymmetric is None
    assert set(loss(readings, drawn)[1]) == {"whole"}


def test_heads_are_not_trained_and_everything_else_is() -> None:
    drawn, net = views(), reader()
    total, _ = pretraining_loss(
        net(drawn.first, drawn.second),
        drawn,
        settings=PretrainLossSettings(),
        generator=seeded(),
    )
    total.backward()
    idle = {name.split(".")[1] for name, p in net.named_parameters() if p.grad is None}
    assert idle == {"anatomy", "pathology"}


def test_places_told_apart_cost_nothing_and_chance_costs_the_logarithm_of_their_number() -> None:
    support = torch.ones(1, 1, 8, 4, 4)
    apart = torch.eye(128).reshape(1, 128, 8, 4, 4)
    where = {"support": support, "places": 60, "temperature": 0.01, "generator": seeded()}
    assert float(contrast_loss(apart, apart, **where)) < 1e-6
    alike = torch.ones(1, 4, 8, 4, 4)
    drawn = torch.randint(64, (60,), generator=seeded()).unique()
    where["generator"] = seeded()
    chance = float(contrast_loss(alike, alike, **where))
    assert chance == pytest.approx(math.log(len(drawn)), rel=1e-5)


def test_places_are_compared_on_the_right_half_only() -> None:
    support, noise = torch.ones(1, 1, 8, 4, 4), torch.randn(2, 1, 6, 8, 4, 4, generator=seeded())
    changed = noise.clone()
    changed[:, :, :, :4] = 0.0  # the patient's left

    def of(pair: Tensor) -> float:
        return float(
            contrast_loss(
                pair[0], pair[1], support=support, places=32, temperature=0.1, generator=seeded()
            )
        )

    assert of(changed) == of(noise)
    changed = noise.clone()
    changed[:, :, :, 4:] = 1.0
    assert of(changed) != of(noise)


def test_an_empty_scan_has_no_places() -> None:
    empty = torch.zeros(1, 1, 8, 4, 4)
    features = torch.ones(1, 4, 8, 4, 4, requires_grad=True)
    found = contrast_loss(
        features, features, support=empty, places=8, temperature=0.1, generator=seeded()
    )
    found.backward()
    assert float(found.detach()) == 0.0


def test_views_show_nothing_outside_the_head_and_hide_only_inside() -> None:
    drawn = views(hidden=0.5)
    outside = drawn.support == 0
    assert torch.equal(drawn.support[0, 0] > 0, head() != 0)
    for volume in (drawn.target, drawn.first, drawn.second, drawn.hidden):
        assert not volume[outside].any()
    assert 0.2 < float(drawn.hidden.sum() / drawn.support.sum()) < 0.8
    seen = (drawn.hidden == 0) & (drawn.support > 0)
    assert float((drawn.first - drawn.target)[seen].abs().max()) < 1.0


def test_without_corruption_a_view_is_the_scan() -> None:
    drawn = views(remap=0.0, hidden=0.0, noise_sd=(0.0, 0.0))
    for volume in (drawn.target, drawn.first, drawn.second):
        assert torch.equal(volume[0, 0], head())
    assert not drawn.hidden.any()


def test_views_are_two_contrasts_of_one_head() -> None:
    drawn = views(remap=1.0, hidden=0.0, noise_sd=(0.0, 0.0))
    inside = drawn.support > 0
    assert float((drawn.first - drawn.second)[inside].abs().mean()) > 0.1
    same = drawn.first[inside].sort()
    ties = same.values[1:] == same.values[:-1]  # equal intensities stay equal in any contrast
    other = drawn.second[inside][same.indices]
    assert bool((other[1:] == other[:-1])[ties].all())


def test_random_map_is_continuous_and_may_turn_the_order_of_tissues() -> None:
    values = torch.linspace(-0.5, 1.5, 2001)
    mapped = random_map(values, pieces=8, generator=seeded(3))
    assert float(mapped.min()) >= 0.0
    assert float(mapped.max()) <= 1.0
    assert float((mapped[1:] - mapped[:-1]).abs().max()) <= 8 / 2000 + 1e-5
    steps = mapped[1:] - mapped[:-1]
    assert bool((steps > 1e-4).any())
    assert bool((steps < -1e-4).any())


def test_hidden_blocks_are_cubes_of_the_asked_share_on_each_side_alone() -> None:
    hidden = hidden_blocks((96, 96, 96), edge=8, share=0.3, generator=seeded())
    assert float(hidden.float().mean()) == pytest.approx(0.3, abs=0.05)
    both = float((hidden & hidden.flip(0)).float().mean())
    assert both == pytest.approx(0.09, abs=0.04)
    changes = (hidden[1:] != hidden[:-1]).flatten(1).any(dim=1).nonzero()[:, 0]
    assert set((changes[1:] - changes[:-1]).tolist()) == {8}


def test_a_constant_scan_has_no_other_contrast() -> None:
    with pytest.raises(ScanError, match="MS-121"):
        draw_views(
            torch.full((8, 8, 8), 0.5),
            settings=CorruptionSettings(remap=1.0),
            spacing_mm=4.0,
            generator=seeded(),
        )
