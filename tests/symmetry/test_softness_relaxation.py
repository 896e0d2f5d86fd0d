"""A strict network becomes soft without changing its function, and the way back."""

import copy

import pytest
import torch
from torch import nn

from medsym.errors import ModelError
from medsym.nn import MirrorConv3d, MirrorInstanceNorm3d, MirrorUpsample, downsample
from medsym.nn.groups import GroupConv3d
from medsym.nn.soft_layers import ConditionedSoftness, vary
from medsym.symmetry import ChannelAction, Softness, harden, relative_defect
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.degree import SubgroupShares
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.relaxation import clear_odd_parts, relax
from medsym.symmetry.softness import softness_values
from tests.builders_symmetry import random_volume

R, S, T = ChannelAction.regular(2), ChannelAction.sign(1), ChannelAction.trivial(1)


def network(softness: float = 0.0) -> nn.Sequential:
    torch.manual_seed(5)
    soft = Softness(softness)
    model = nn.Sequential(
        downsample(T, R, softness=soft),
        MirrorInstanceNorm3d(R, softness=soft),
        nn.LeakyReLU(),
        MirrorUpsample(R, R + S, softness=soft),
        MirrorConv3d(R + S, T, softness=soft),
    )
    for parameter in model.parameters():
        nn.init.normal_(parameter)
    return model


@pytest.mark.parametrize("start", [0.05, 1.0])
def test_relaxing_a_strict_network_changes_no_bit_of_its_output(start: float) -> None:
    model = network()
    volume = random_volume(T, seed=1)
    before = model(volume)
    relax(model, start)
    assert torch.equal(model(volume), before)
    assert set(softness_values(model)) == {"0", "1", "3", "4"}


def test_relaxed_network_can_leave_the_symmetry_by_training() -> None:
    model = relax(network(), 0.3)
    volume, target = random_volume(T, seed=2), random_volume(T, seed=3)
    optimiser = torch.optim.Adam(model.parameters(), lr=1e-2)
    start = {name: value.clone() for name, value in softness_values(model).items()}
    for _ in range(3):
        optimiser.zero_grad()
        (model(volume) - target).square().mean().backward()
        optimiser.step()
    assert relative_defect(model, volume) > 1e-4
    assert all(not torch.equal(v, start[n]) for n, v in softness_values(model).items())
    assert relative_defect(harden(model), volume) <= 1e-5


def test_relaxing_a_soft_network_keeps_its_function_with_a_softness_per_channel() -> None:
    model = network(0.4)
    volume = random_volume(T, seed=4)
    before = model(volume)
    channels = {"0": 4, "1": 4, "3": 5, "4": 1}
    relax(model, lambda name: Softness(0.2, learned=True, num_channels=channels[name]))
    assert (model(volume) - before).abs().max() <= 1e-5 * before.abs().max()
    assert softness_values(model)["3"].numel() == 5


def test_parameters_keep_their_identity() -> None:
    model = network()
    before = {id(p) for p in model.parameters()}
    relax(model)
    assert before <= {id(p) for p in model.parameters()}


def test_clearing_odd_parts_makes_any_softness_exact() -> None:
    model = network(1.0)
    free = copy.deepcopy(model)
    volume = random_volume(T, seed=5)
    assert relative_defect(model, volume) > 1e-2
    assert relative_defect(clear_odd_parts(model), volume) <= 1e-5
    for cleared, kept in zip(soft_tensors(model), soft_tensors(free), strict=True):
        even, odd = cleared.weight.split(cleared.raw)
        assert not odd.any()
        torch.testing.assert_close(even, kept.weight.split(kept.raw)[0])


def test_refusals_say_why() -> None:
    with pytest.raises(ModelError, match=r"MS-229 Conv3d: there are no softened layers"):
        relax(nn.Conv3d(1, 1, 3))
    with pytest.raises(ModelError, match=r"MS-229 .*softness of 0 cannot learn"):
        relax(network(), lambda _: Softness(0.0))


def test_a_softness_that_shares_kernels_out_is_refused() -> None:
    chain = [GridGroup.named("D2h"), GridGroup.named("mirror_x")]
    field = GroupAction.trivial(chain[0], 2)
    layer = GroupConv3d(field, field, softness=SubgroupShares(chain))
    with pytest.raises(ModelError, match=r"MS-229 0: its softness shares several kernels out"):
        relax(nn.Sequential(layer))


def test_a_layer_that_is_used_twice_stays_one_layer_when_its_softness_varies() -> None:
    layer = MirrorConv3d(T, T)
    model = nn.Sequential(layer, nn.Tanh(), layer)
    volume = random_volume(T, seed=6)
    before = model(volume)
    vary(model, lambda _name, action: ConditionedSoftness(action))
    assert model[0] is model[2] is not layer
    assert torch.equal(model(volume), before)
