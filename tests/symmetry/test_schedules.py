"""Schedules go where they say, end exactly strict, and rates and decay reach the right part."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from medsym.errors import ConfigError, ModelError
from medsym.nn import MirrorConv3d
from medsym.symmetry import ChannelAction, Softness, relative_defect
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.relaxation import clear_odd_parts
from medsym.symmetry.schedules import (
    Schedule,
    constant,
    curriculum,
    decay_odd_parts,
    parameter_groups,
    set_softness,
    soft_to_strict,
    softness_values,
    strict_to_soft,
    triangle,
)
from tests.builders_symmetry import random_volume

R, T = ChannelAction.regular(2), ChannelAction.trivial(1)


def network(*softness: Softness) -> nn.Sequential:
    torch.manual_seed(1)
    first, second = softness or (Softness(0.5), Softness(0.5))
    return nn.Sequential(MirrorConv3d(T, R, softness=first), MirrorConv3d(R, T, softness=second))


@pytest.mark.parametrize(
    ("schedule", "expected"),
    [
        (constant(0.4), [0.4, 0.4, 0.4, 0.4, 0.4]),
        (strict_to_soft(0.4), [0.0, 0.1, 0.2, 0.3, 0.4]),
        (strict_to_soft(0.4, start=0.25, end=0.5), [0.0, 0.0, 0.4, 0.4, 0.4]),
        (soft_to_strict(0.4), [0.4, 0.3, 0.2, 0.1, 0.0]),
        (soft_to_strict(0.4, start=0.5, end=0.75), [0.4, 0.4, 0.4, 0.0, 0.0]),
        (triangle(0.4), [0.0, 0.2, 0.4, 0.2, 0.0]),
        (triangle(0.4, at=0.25), [0.0, 0.4, 0.4 * 2 / 3, 0.4 / 3, 0.0]),
    ],
)
def test_schedule_passes_through_its_points(schedule: Schedule, expected: list[float]) -> None:
    assert [schedule(k / 4) for k in range(5)] == pytest.approx(expected, abs=1e-15)


@given(peak=st.floats(0, 1), at=st.floats(0.01, 0.99), progress=st.floats(-1, 2))
def test_schedules_stay_in_range_and_triangle_ends_exactly_strict(
    peak: float, at: float, progress: float
) -> None:
    for schedule in (triangle(peak, at=at), strict_to_soft(peak, end=at), soft_to_strict(peak)):
        assert 0.0 <= schedule(progress) <= peak
    assert triangle(peak, at=at)(1.0) == 0.0


def test_impossible_schedules_are_refused() -> None:
    with pytest.raises(ConfigError, match="MS-224 softness schedule"):
        constant(1.5)
    with pytest.raises(ConfigError, match="MS-224 softness schedule"):
        triangle(0.5, at=1.0)
    with pytest.raises(ConfigError, match="MS-224 softness schedule"):
        strict_to_soft(0.5, start=0.6, end=0.6)
    with pytest.raises(ConfigError, match="MS-224 softness schedule"):
        soft_to_strict(0.5, start=-0.1)


def test_triangle_softens_a_cleared_network_and_ends_exactly_strict() -> None:
    model = clear_odd_parts(network())
    volume, target = random_volume(T, seed=1), random_volume(T, seed=2)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    defects = []
    for step in range(9):
        set_softness(model, triangle(1.0)(step / 8))
        defects.append(relative_defect(model, volume))
        optimiser.zero_grad()
        (model(volume) - target).square().mean().backward()
        optimiser.step()
    assert defects[0] <= 1e-6
    assert defects[4] > 1e-2
    assert defects[8] <= 1e-6


def test_curriculum_softens_one_layer_after_the_other_from_the_head_down() -> None:
    model = network()
    order = list(softness_values(model))[::-1]
    plans = curriculum(order, strict_to_soft(0.8))
    seen = []
    for progress in (0.0, 0.25, 0.5, 0.75, 1.0):
        set_softness(model, {name: plan(progress) for name, plan in plans.items()})
        seen.append(tuple(float(v) for v in softness_values(model).values()))
    expected = [(0, 0), (0, 0.4), (0, 0.8), (0.4, 0.8), (0.8, 0.8)]
    for found, wanted in zip(seen, expected, strict=True):
        assert found == pytest.approx(wanted)
    asked = curriculum(["a", "b"], lambda progress: progress)
    assert [asked["a"](p) for p in (0.0, 0.25, 1.0)] == [0.0, 0.5, 1.0]
    assert [asked["b"](p) for p in (0.0, 0.25, 1.0)] == [0.0, 0.0, 1.0]


def test_learned_softness_is_written_by_name_only_and_then_rests() -> None:
    model = network(Softness(0.2, learned=True), Softness(0.3))
    set_softness(model, 0.9)
    values = {name: float(v) for name, v in softness_values(model).items()}
    assert values == pytest.approx({"0": 0.2, "1": 0.9})
    set_softness(model, {"0": 0.0})
    assert float(softness_values(model)["0"]) == 0.0
    model(random_volume(T, seed=3)).square().sum().backward()
    logits = [p for n, p in model.named_parameters() if n.endswith("logit")]
    assert [p.grad for p in logits] == [None]


def test_unknown_names_and_nothing_to_write_are_refused() -> None:
    with pytest.raises(ModelError, match="MS-225 Sequential: no softness is called head"):
        set_softness(network(), {"head": 0.1})
    with pytest.raises(ModelError, match=r"MS-225 .*no constant softness to write"):
        set_softness(nn.Sequential(nn.Conv3d(1, 1, 3)), 0.1)


def test_groups_hold_every_parameter_once_with_its_rate() -> None:
    model = network(Softness(0.2, learned=True), Softness(0.3, learned=True))
    groups = parameter_groups(
        model, learning_rate=1e-3, softness_rate=1e-1, weight_decay=0.02, odd_decay=0.5
    )
    ids = [id(p) for group in groups for p in group["params"]]
    assert sorted(ids) == sorted(id(p) for p in model.parameters())
    assert [(g["lr"], g["weight_decay"]) for g in groups] == [(1e-3, 0.02), (0.1, 0), (1e-3, 0.02)]
    assert len(groups[1]["params"]) == 2
    plain = parameter_groups(model, learning_rate=1e-3)
    assert [g["lr"] for g in plain] == [1e-3, 5e-3]
    assert len(plain[0]["params"]) == 4


def test_odd_decay_shrinks_the_odd_part_alone_by_rate_times_decay() -> None:
    model = network()
    before = [t.weight.split(t.raw.detach()) for t in soft_tensors(model)]
    groups = parameter_groups(model, learning_rate=0.1, softness_rate=0.1, odd_decay=2.0)
    optimiser = torch.optim.SGD(groups)
    decay_odd_parts(model, optimiser)
    assert any(odd.any() for _, odd in before)
    for tensor, (even, odd) in zip(soft_tensors(model), before, strict=True):
        now_even, now_odd = tensor.weight.split(tensor.raw.detach())
        torch.testing.assert_close(now_even, even)
        torch.testing.assert_close(now_odd, 0.8 * odd)
    with pytest.raises(ConfigError, match="MS-226 optimiser"):
        decay_odd_parts(model, torch.optim.SGD(model.parameters(), lr=0.1))
