"""Softness by region and by input: exact defect, sound bound, exact at 0, refused by fold."""

import copy
from collections.abc import Callable

import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st
from torch import Tensor, nn

from medsym.errors import GridError, ModelError
from medsym.nn import MirrorConv3d, downsample
from medsym.nn.soft_layers import ConditionedSoftness, RegionSoftness, VaryingConv3d, vary
from medsym.symmetry import (
    ChannelAction,
    Softness,
    fold,
    harden,
    measured_defect,
    mirror,
    relative_defect,
    soften_layer,
)
from medsym.symmetry.flip_guard import learns_softness
from medsym.symmetry.schedules import parameter_groups, set_softness
from medsym.symmetry.softness import load_softness, softness_values
from tests.builders_symmetry import ACTIONS, random_volume

A, B = ACTIONS["sum"], ACTIONS["regular"]


def region(*size: int, learned: bool = False, seed: int = 0) -> RegionSoftness:
    generator = torch.Generator().manual_seed(seed)
    return RegionSoftness(torch.rand(size, generator=generator), learned=learned)


def conditioned(channels: int | None = None, *, ceiling: float = 0.8) -> ConditionedSoftness:
    torch.manual_seed(7)
    softness = ConditionedSoftness(A, ceiling=ceiling, num_channels=channels)
    nn.init.normal_(softness.gate.weight)
    return softness


SOFTNESS: dict[str, Callable[[], Softness]] = {
    "layer": lambda: Softness(0.4),
    "channel": lambda: Softness(0.4, learned=True, num_channels=4),
    "voxels": lambda: region(8, 6, 4),
    "coarse learned": lambda: region(3, 2, 2, learned=True),
    "conditioned": conditioned,
    "conditioned channels": lambda: conditioned(4),
}
VARYING = ["voxels", "coarse learned", "conditioned", "conditioned channels"]


def layer_with(softness: Softness) -> VaryingConv3d:
    torch.manual_seed(1)
    return VaryingConv3d(A, B, softness=softness)


@pytest.mark.parametrize("name", SOFTNESS)
def test_own_defect_is_the_measured_defect(name: str) -> None:
    layer = layer_with(SOFTNESS[name]()).double()
    volume = torch.cat([random_volume(A, seed=s, dtype=torch.float64) for s in (1, 2)])
    measured = measured_defect(layer, volume, action_in=A, action_out=B)
    assert measured.abs().max() > 0.1
    torch.testing.assert_close(layer.defect(volume), measured, atol=1e-12, rtol=1e-9)


@pytest.mark.parametrize("name", SOFTNESS)
@given(seed=st.integers(0, 10_000), scale=st.sampled_from([1e-3, 1.0, 1e3]))
@settings(max_examples=20, deadline=None)
def test_bound_holds_in_float32(name: str, seed: int, scale: float) -> None:
    layer = layer_with(SOFTNESS[name]())
    volume = scale * random_volume(A, seed=seed)
    with torch.no_grad():
        measured = measured_defect(layer, volume, action_in=A, action_out=B).abs()
        bound = layer.bound(volume)
    assert bool((measured <= bound).all())
    if not isinstance(layer.parametrizations["weight"][0].softness, ConditionedSoftness):
        assert float((measured / bound).max()) > 0.3  # a gate may be shut, its bound is not


def test_effective_softness_of_a_map_is_the_mean_of_the_two_sides() -> None:
    one_sided = torch.zeros(8, 6, 4)
    one_sided[:4] = 0.6
    volume = random_volume(A, seed=3)
    half, even = layer_with(RegionSoftness(one_sided)), layer_with(Softness(0.3))
    torch.testing.assert_close(
        measured_defect(half, volume, action_in=A, action_out=B),
        measured_defect(even, volume, action_in=A, action_out=B),
        atol=1e-5,
        rtol=1e-4,
    )
    assert (half(volume) - even(volume)).abs().max() > 1e-2


def test_softness_acts_where_the_map_says() -> None:
    one_sided = torch.zeros(8, 6, 4)
    one_sided[:4] = 1.0
    layer, strict, free = (
        layer_with(s) for s in (RegionSoftness(one_sided), Softness(0.0), Softness(1.0))
    )
    volume = random_volume(A, seed=4)
    torch.testing.assert_close(layer(volume)[:, :, :4], free(volume)[:, :, :4])
    torch.testing.assert_close(layer(volume)[:, :, 4:], strict(volume)[:, :, 4:])


@pytest.mark.parametrize("name", SOFTNESS)
def test_hardened_layer_is_exact_and_folds_to_a_plain_one(name: str) -> None:
    layer = harden(layer_with(SOFTNESS[name]()))
    volume = random_volume(A, seed=5)
    assert relative_defect(layer, volume, action_in=A, action_out=B) <= 1e-5
    before = layer(volume)
    folded = fold(layer)
    assert not any("original" in n for n, _ in folded.named_parameters())
    assert (folded(volume) - before).abs().max() <= 1e-6


@pytest.mark.parametrize("name", VARYING)
def test_fold_refuses_by_name_and_leaves_the_model_as_it_was(name: str) -> None:
    model = nn.Sequential(MirrorConv3d(A, A), layer_with(SOFTNESS[name]()))
    before = set(model.state_dict())
    with pytest.raises(ModelError, match=r"MS-223 1: its softness differs between voxels"):
        fold(model)
    assert set(model.state_dict()) == before


@pytest.mark.parametrize("constant", ["map", "closed gate"])
def test_constant_softness_folds(constant: str) -> None:
    softness = (
        RegionSoftness(torch.full((3, 2, 2), 0.3), learned=True)
        if constant == "map"
        else ConditionedSoftness(A, ceiling=0.6, num_channels=4)
    )
    layer = layer_with(softness)
    volume = random_volume(A, seed=6)
    before = layer(volume)
    torch.testing.assert_close(layer_with(Softness(0.3))(volume), before)
    torch.testing.assert_close(fold(layer)(volume), before)


def test_softness_per_channel_is_the_one_of_a_single_kernel() -> None:
    softness = Softness(0.4, learned=True, num_channels=4)
    with torch.no_grad():
        softness.logit.copy_(torch.tensor([-3.0, 1.0, 0.0, 2.0]))  # swapped channels differ
    layer = layer_with(softness)
    volume = random_volume(A, seed=11)
    torch.manual_seed(1)
    torch.testing.assert_close(layer(volume), MirrorConv3d(A, B, softness=softness)(volume))
    before = layer(volume)
    torch.testing.assert_close(fold(layer)(volume), before)


def test_gate_is_the_same_for_a_scan_and_its_mirror_and_stays_under_its_ceiling() -> None:
    softness = conditioned(4, ceiling=0.25)
    for seed in range(20):
        volume = 10 * random_volume(A, seed=seed)
        here, there = (softness.field(v, v.shape[2:]) for v in (volume, mirror(volume, A)))
        torch.testing.assert_close(here, there)
        assert float(here.min().detach()) >= 0.0
        assert float(here.max().detach()) <= 0.25
    first, second = (softness.field(random_volume(A, seed=s), volume.shape[2:]) for s in (1, 2))
    assert (first - second).abs().max() > 1e-3


@pytest.mark.parametrize("name", ["channel", "coarse learned", "conditioned channels"])
def test_gradients_reach_weights_map_and_gate_and_match_finite_differences(name: str) -> None:
    layer = layer_with(SOFTNESS[name]()).double()
    volume = random_volume(A, seed=8, size=(4, 2, 2), dtype=torch.float64)
    layer(volume).square().sum().backward()
    assert all(p.grad is not None and bool(p.grad.any()) for p in layer.parameters())
    names, values = zip(*layer.named_parameters(), strict=True)

    def run(*tensors: Tensor) -> Tensor:
        return torch.func.functional_call(layer, dict(zip(names, tensors, strict=True)), (volume,))

    assert torch.autograd.gradcheck(run, values, fast_mode=True)


def test_one_interface_for_values_loading_rates_and_schedules() -> None:
    model = nn.Sequential(
        layer_with(SOFTNESS["coarse learned"]()),
        VaryingConv3d(B, B, softness=ConditionedSoftness(B, ceiling=0.5)),
    )
    assert {n: tuple(v.shape) for n, v in softness_values(model).items()} == {
        "0": (3, 2, 2),
        "1": (1,),
    }
    other = copy.deepcopy(model)
    set_softness(model, 0.1)
    assert float(softness_values(model)["1"]) == pytest.approx(0.1)
    load_softness(other, {**softness_values(model), "0": torch.full((3, 2, 2), 0.2)})
    torch.testing.assert_close(softness_values(other)["0"], torch.full((3, 2, 2), 0.2))
    groups = parameter_groups(other, learning_rate=1e-3, softness_rate=1e-1)
    assert len(groups[1]["params"]) == 3  # map, gate weight, gate bias
    assert learns_softness(other)
    assert not learns_softness(harden(other))


def test_strict_network_gets_varying_softness_without_changing_its_function() -> None:
    torch.manual_seed(3)
    model = nn.Sequential(
        MirrorConv3d(A, B), nn.LeakyReLU(), downsample(B, B), MirrorConv3d(B, A, bias=False)
    )
    volume = random_volume(A, seed=9)
    before = model(volume)
    read: dict[str, ChannelAction] = {}

    def make(name: str, action: ChannelAction) -> Softness:
        read[name] = action
        return region(2, 2, 2, learned=True) if name != "3" else ConditionedSoftness(action)

    vary(model, make)
    assert read == {"0": A, "2": B, "3": B}
    assert (model(volume) - before).abs().max() <= 1e-6
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    for _ in range(3):
        optimiser.zero_grad()
        (model(volume) - 1.0).square().mean().backward()
        optimiser.step()
    assert relative_defect(model, volume, action_in=A, action_out=A) > 1e-3
    strict = harden(model)
    assert relative_defect(strict, volume, action_in=A, action_out=A) <= 1e-5
    with pytest.raises(ModelError, match=r"MS-229 0: only strict layers"):
        vary(nn.Sequential(MirrorConv3d(A, B, softness=Softness(0.1))), make)


def test_refusals_name_layer_and_remedy() -> None:
    with pytest.raises(ModelError, match=r"MS-223 Conv3d: .*use medsym.nn.VaryingConv3d"):
        soften_layer(nn.Conv3d(5, 4, 3), action_in=A, action_out=B, softness=region(2, 2, 2))
    with pytest.raises(ModelError, match=r"MS-221 region softness: a map of shape \(3,\)"):
        RegionSoftness(torch.zeros(3))
    with pytest.raises(ModelError, match=r"MS-210 softness: 2 lies outside"):
        RegionSoftness(torch.full((2, 2, 2), 2.0))
    halving = VaryingConv3d(B, B, kernel_size=3, stride=2, padding=1, softness=region(2, 2, 2))
    with pytest.raises(GridError, match="MS-203 "):
        halving(random_volume(B, seed=1))
    along_y = ChannelAction.trivial(1, axis="y")
    turned = VaryingConv3d(along_y, along_y, kernel_size=2, stride=2, softness=region(2, 2, 2))
    with pytest.raises(GridError, match=r"MS-203 .*size 5"):
        turned(torch.zeros(1, 1, 4, 5, 4))
    turned(torch.zeros(1, 1, 5, 4, 4))
    with pytest.raises(GridError, match=r"MS-203 .*size 5"):
        downsample(along_y, along_y)(torch.zeros(1, 1, 4, 5, 4))
    downsample(along_y, along_y)(torch.zeros(1, 1, 5, 4, 4))
