"""Shares of subgroups and distributions over elements: morphism, exact defects, reductions."""

import copy

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import GridError, ModelError
from medsym.symmetry import ChannelAction, Softness, fold, harden, set_softness, split_kernel
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.defect import group_layer_bound, group_layer_defect
from medsym.symmetry.groups.degree import ElementDistribution, GroupSoftness, SubgroupShares
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import action_from_mirror
from medsym.symmetry.groups.parts import (
    element_defect,
    project_kernel,
    project_vector,
    worst_defect,
)
from medsym.symmetry.groups.softness import soften_group_layer
from medsym.symmetry.parametrisation import parametrisation
from medsym.symmetry.penalties import odd_weight_penalty, softness_penalty
from medsym.symmetry.relaxation import clear_odd_parts
from tests.builders_group import everything, named, regular, volume_for

CHAIN = [GridGroup.named(name) for name in ("Oh", "D2h", "mirror_x", "trivial")]


def layer_with(softness: GroupSoftness, *, spread: float = 0.0) -> nn.Conv3d:
    torch.manual_seed(0)
    first, second = everything(softness.group), regular(softness.group)
    layer = nn.Conv3d(first.channels, second.channels, 3, padding=1).double()
    soften_group_layer(layer, action_in=first, action_out=second, softness=softness)
    layer.double()
    for name in ("weight", "bias"):
        raw = parametrisation(layer, name)[1]
        with torch.no_grad():
            raw += spread * torch.randn_like(raw)
    return layer


def chain(*names: str) -> SubgroupShares:
    return SubgroupShares([GridGroup.named(name) for name in names], value=0.6)


def actions(layer: nn.Conv3d) -> tuple[GroupAction, GroupAction]:
    kernel = parametrisation(layer, "weight")[0]
    return kernel.field_in, kernel.field_out  # type: ignore[return-value]


def test_mixed_layer_starts_as_the_strict_layer_whatever_the_shares() -> None:
    """Relaxation morphism: the function of the strict layer, with live gradients."""
    torch.manual_seed(0)
    softness = chain("D2h", "mirror_x", "trivial")
    layer = layer_with(softness)
    first, second = actions(layer)
    strict = harden(copy.deepcopy(layer))
    volume = volume_for(first)
    assert (layer(volume) - strict(volume)).abs().max() <= 1e-12
    assert worst_defect(layer, volume, first, second) <= 1e-12
    layer(volume).square().sum().backward()
    raw = parametrisation(layer, "weight")[1]
    assert all(float(raw.grad[i].abs().max()) > 1e-3 for i in range(3))
    moved = raw.grad[2] - project_kernel(raw.grad[2], first, second)
    assert moved.norm() > 0.1  # the smallest group's kernel can leave the symmetry


def test_terms_whose_group_holds_the_element_drop_out_of_the_defect() -> None:
    layer = layer_with(chain("D2h", "mirror_x", "trivial"), spread=0.1)
    softness = parametrisation(layer, "weight")[0].softness
    first, second = actions(layer)
    volume = volume_for(first)
    shares, group = softness.shares.detach(), first.group
    assert float(shares.sum()) == pytest.approx(1.0)
    assert float(softness.value.detach()) == pytest.approx(0.6, abs=1e-6)
    for element in group.elements:
        measured = element_defect(layer, volume, element, first, second)
        predicted = group_layer_defect(layer, volume, element)
        torch.testing.assert_close(predicted, measured, atol=1e-12, rtol=1e-9)
        assert measured.detach().norm() <= group_layer_bound(layer, volume, element)
    assert float(softness.broken_share("-x,y,z").detach()) == pytest.approx(float(shares[2]))
    assert float(softness.broken_share("x,-y,z").detach()) == pytest.approx(
        float(shares[1] + shares[2])
    )
    with torch.no_grad():  # no share for the trivial group: the mirror along x is exact
        softness.logit[2] = -1e4
    at_x = element_defect(layer, volume, "-x,y,z", first, second)
    at_y = element_defect(layer, volume, "x,-y,z", first, second)
    assert at_x.detach().abs().max() <= 1e-12
    assert at_y.detach().abs().max() > 1e-3


@pytest.mark.parametrize("name", ["D2h", "O"])
def test_distribution_uniform_is_strict_and_identity_is_free(name: str) -> None:
    softness = ElementDistribution(named(name), value=0.3)
    layer = layer_with(softness)
    first, second = actions(layer)
    raw, volume = parametrisation(layer, "weight")[1], volume_for(first)
    with torch.no_grad():
        softness.logit.zero_()
        torch.testing.assert_close(layer.weight, project_kernel(raw, first, second))
        assert worst_defect(layer, volume, first, second) <= 1e-12
        softness.logit[0] = 1e4
        torch.testing.assert_close(layer.weight, raw)
        assert float(softness.value.detach()) == pytest.approx(1.0)
        softness.logit[0], softness.logit[1] = 0.0, 1e4  # another single element is not free W
        assert not torch.allclose(layer.weight, raw)


@pytest.mark.parametrize("name", ["D2h", "O"])
def test_distance_from_the_projection_is_below_the_stated_limit(name: str) -> None:
    """|W_p - W_G| <= sum |p - 1/n| |W - W_G|, and defects stay below their bounds."""
    softness = ElementDistribution(named(name))
    layer = layer_with(softness)
    first, second = actions(layer)
    raw, volume = parametrisation(layer, "weight")[1].detach(), volume_for(first)
    kept = project_kernel(raw, first, second)
    for seed in range(5):
        torch.manual_seed(seed)
        with torch.no_grad():
            softness.logit.normal_(std=2.0)
            away = (softness.probabilities - 1.0 / first.group.order).abs().sum().double()
            assert (layer.weight - kept).norm() <= away * (raw - kept).norm() * (1 + 1e-6)
        element = first.group.elements[seed + 1]
        measured = element_defect(layer, volume, element, first, second)
        predicted = group_layer_defect(layer, volume, element)
        torch.testing.assert_close(predicted, measured, atol=1e-12, rtol=1e-9)
        assert measured.detach().norm() <= group_layer_bound(layer, volume, element)


def test_one_mirror_reduces_to_softness_one_minus_two_p() -> None:
    mirrored = ChannelAction.regular(2)
    action = action_from_mirror(mirrored)
    softness = ElementDistribution(action.group, value=0.4)
    layer = nn.Conv3d(4, 4, 3, padding=1).double()
    raw = layer.weight.detach().clone()
    soften_group_layer(layer, action_in=action, action_out=action, softness=softness)
    p = softness.probabilities.detach().double()
    assert float(softness.value.detach()) == pytest.approx(0.4, abs=1e-6)
    assert float(1.0 - 2.0 * p[1]) == pytest.approx(0.4, abs=1e-6)
    even, odd = split_kernel(raw, mirrored, mirrored)
    torch.testing.assert_close(layer.weight, even + (1.0 - 2.0 * p[1]) * odd)


def test_divergence_is_the_distance_from_uniform() -> None:
    softness = ElementDistribution(named("D2h"), value=0.0)
    assert float(softness.divergence().detach()) == pytest.approx(0.0, abs=1e-5)
    with torch.no_grad():
        softness.logit[3] = 1e4
    assert float(softness.divergence().detach()) == pytest.approx(
        float(torch.tensor(8.0).log()), rel=1e-5
    )
    softness.write(0.5)
    softness.divergence().backward()
    assert softness.logit.grad is not None
    assert softness.logit.grad[0] > 0  # descent takes probability from the identity
    assert float(softness.divergence_from(softness.probabilities).detach()) == pytest.approx(
        0.0, abs=1e-6
    )


@pytest.mark.parametrize(
    "softness", [SubgroupShares(CHAIN, value=0.3), ElementDistribution(named("D2h"), value=0.3)]
)
def test_fold_harden_and_write(softness: GroupSoftness) -> None:
    layer = layer_with(copy.deepcopy(softness), spread=0.1)
    first, second = actions(layer)
    volume = volume_for(first)
    folded: Tensor = fold(copy.deepcopy(layer))(volume)
    assert (folded - layer(volume)).abs().max() <= 1e-12
    held = parametrisation(layer, "weight")[0].softness
    for value in (0.2, 0.9):
        held.write(value, keep_learning=True)
        assert float(held.value.detach()) == pytest.approx(value, abs=1e-5)
    assert worst_defect(layer, volume, first, second) > 1e-2
    harden(layer)
    assert float(held.value.detach()) == pytest.approx(0.0, abs=1e-7)
    assert worst_defect(layer, volume, first, second) <= 1e-12


def test_refusals() -> None:
    with pytest.raises(ModelError, match=r"MS-235 .*\['D2h', 'O'\] is not a chain of subgroups"):
        chain("D2h", "O")
    with pytest.raises(ModelError, match=r"MS-210 softness: 1.2 lies outside"):
        ElementDistribution(named("D2h"), value=1.2)
    action = GroupAction.trivial(named("O"), 1)
    with pytest.raises(GridError, match=r"MS-297 .*actions of D2h and O meet"):
        soften_group_layer(
            nn.Conv3d(1, 1, 3),
            action_in=action,
            action_out=action,
            softness=ElementDistribution(named("D2h")),
        )


@pytest.mark.parametrize(
    "softness",
    [Softness(0.3, learned=True), ElementDistribution(named("D2h")), chain("D2h", "trivial")],
)
def test_penalties_and_clearing_of_the_mirror_work_on_groups(softness: Softness) -> None:
    """The same |W - W_G|^2 as for one mirror; descent on both prices leads back to symmetry."""
    action = regular(named("D2h"))
    torch.manual_seed(0)
    layer = nn.Conv3d(8, 8, 3, padding=1).double()
    shared = copy.deepcopy(softness)
    soften_group_layer(layer, action_in=action, action_out=action, softness=shared)
    raw = parametrisation(layer, "weight")[1]
    with torch.no_grad():
        raw += 0.1 * torch.randn_like(raw)
    rest = (layer.weight - project_kernel(layer.weight, action, action)).square().mean()
    penalty = odd_weight_penalty(layer)
    bias = (layer.bias - project_vector(layer.bias, action)).square().mean()
    torch.testing.assert_close(penalty, rest + bias)
    (penalty + softness_penalty(layer)).backward()
    before = float((shared.value.mean() + penalty).detach())
    with torch.no_grad():
        for parameter in layer.parameters():
            parameter.sub_(1e-2 * parameter.grad)
    after = float((shared.value.mean() + odd_weight_penalty(layer)).detach())
    assert after < before
    clear_odd_parts(layer)
    assert worst_defect(layer, volume_for(action), action, action) <= 1e-12


@pytest.mark.parametrize("kind", [ElementDistribution(named("D2h")), chain("D2h", "trivial")])
def test_the_ends_of_a_schedule_are_reached_exactly(kind: GroupSoftness) -> None:
    action, softness = regular(named("D2h")), copy.deepcopy(kind)
    layer = nn.Conv3d(8, 8, 3, padding=1).double()
    soften_group_layer(layer, action_in=action, action_out=action, softness=softness)
    set_softness(layer, {"": 1.0})
    assert float(softness.value.detach()) == 1.0
    set_softness(layer, {"": 0.0})
    assert float(softness.value.detach()) == 0.0
    assert worst_defect(layer, volume_for(action), action, action) <= 1e-12
