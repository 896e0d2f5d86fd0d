"""Laws that every group layer obeys, for one mirror, D2h and the octahedral groups."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.nn.groups.attention import GroupAttention
from medsym.nn.groups.degree import GroupDegree
from medsym.nn.groups.layers import (
    GroupConv3d,
    GroupInstanceNorm3d,
    GroupUpsample,
    group_activation,
    group_downsample,
)
from medsym.symmetry import Softness, fold, harden
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.degree import ElementDistribution
from medsym.symmetry.groups.parts import element_defect, worst_defect
from tests.builders_group import everything, named, regular, volume_for

Action = GroupAction
LAYERS: dict[str, Callable[[Action, Action, Softness], nn.Module]] = {
    "conv": lambda a, b, s: GroupConv3d(a, b, softness=s),
    "conv 1": lambda a, b, s: GroupConv3d(a, b, kernel_size=1, softness=s),
    "down": lambda a, b, s: group_downsample(a, b, softness=s),
    "up": lambda a, b, s: GroupUpsample(a, b, softness=s),
    "norm": lambda a, _, s: GroupInstanceNorm3d(a, softness=s),
    "attention": lambda a, _, s: GroupAttention(a, softness=s),
    "leaky relu": lambda _, b, __: group_activation(b),
    "tanh": lambda a, _, __: group_activation(a),
}
SAME_IN = ("norm", "attention", "tanh")
SOFT = ("conv", "conv 1", "down", "up", "norm", "attention")


def build(kind: str, name: str, softness: Softness) -> tuple[nn.Module, Action, Action]:
    first, second = everything(named(name)), regular(named(name))
    torch.manual_seed(0)
    layer = LAYERS[kind](first, second, softness).double()
    for key, parameter in layer.named_parameters():  # break ties that initialisation may hide
        if "logit" not in key:
            nn.init.normal_(parameter)
    if kind == "leaky relu":
        return layer, second, second
    return layer, first, first if kind in SAME_IN else second


@pytest.mark.parametrize("name", ["mirror_x", "D2h", "O"])
@pytest.mark.parametrize("kind", LAYERS)
def test_layer_commutes_with_every_element_at_softness_zero(kind: str, name: str) -> None:
    layer, first, second = build(kind, name, Softness(0.0))
    assert worst_defect(layer, volume_for(first), first, second) <= 1e-12


@pytest.mark.parametrize("kind", ["conv", "attention"])
def test_layer_commutes_with_all_48_elements_in_single_precision(kind: str) -> None:
    layer, first, second = build(kind, "Oh", Softness(0.0))
    volume = volume_for(first, dtype=torch.float32)
    assert worst_defect(layer.float(), volume, first, second) <= 1e-5


@pytest.mark.parametrize("kind", SOFT)
def test_soft_layer_leaves_the_symmetry_and_harden_and_fold_keep_their_word(kind: str) -> None:
    layer, first, second = build(kind, "D2h", Softness(0.5, learned=True))
    volume = volume_for(first)
    assert worst_defect(layer, volume, first, second) > 1e-2
    folded = fold(copy.deepcopy(layer))
    assert (folded(volume) - layer(volume)).abs().max() <= 1e-12
    assert worst_defect(harden(layer), volume, first, second) <= 1e-12


@pytest.mark.parametrize("kind", SOFT)
def test_gradients_reach_every_parameter(kind: str) -> None:
    layer, first, _ = build(kind, "D2h", Softness(0.5, learned=True))
    layer(volume_for(first)).pow(3).sum().backward()
    dead = [n for n, p in layer.named_parameters() if p.grad is None or not p.grad.any()]
    assert dead == []


def test_leaky_relu_on_sign_channels_would_break_the_symmetry() -> None:
    action = everything(named("D2h"))
    assert worst_defect(nn.LeakyReLU(0.01), volume_for(action), action, action) > 0.1


def test_a_chain_of_layers_is_equivariant_and_volumes_need_no_cube_in_d2h() -> None:
    group = named("D2h")
    image, wide = Action.trivial(group, 1), Action.regular(group, 1)
    torch.manual_seed(0)
    net = nn.Sequential(
        GroupConv3d(image, wide),
        GroupInstanceNorm3d(wide),
        group_activation(wide),
        group_downsample(wide, wide),
        GroupAttention(wide),
        GroupUpsample(wide, wide),
        GroupConv3d(wide, image),
    ).double()
    volume = volume_for(image, size=(4, 6, 8))
    assert worst_defect(net, volume, image, image) <= 1e-12


def test_fresh_kernel_has_the_spread_of_an_ordinary_one() -> None:
    """Without rescaling, the strict kernel of 48 elements keeps a seventh of the spread."""
    torch.manual_seed(0)
    action = Action.regular(named("Oh"), 1)
    strict, plain = GroupConv3d(action, action).weight, nn.Conv3d(48, 48, 3).weight
    assert float((strict.std() / plain.std()).detach()) == pytest.approx(1.0, abs=0.1)


def test_attention_prefers_the_place_that_matches() -> None:
    """A volume symmetric under the mirror along y alone attends to that mirror."""
    action = Action.regular(named("D2h"), 1)
    torch.manual_seed(0)
    layer = GroupAttention(action).double()
    with torch.no_grad():
        layer.sharpness.fill_(100.0)
    volume = volume_for(action)
    y = action.group.index("x,-y,z")
    weights = layer.attention(volume + action.act(volume, y))
    assert weights.shape[1] == 7
    assert float(weights[:, layer.attended.index(y)].min().detach()) > 0.5
    other = action.group.index("-x,y,z")
    assert float(weights[:, layer.attended.index(other)].mean().detach()) < 0.3


def test_attention_biases_are_constant_on_classes_unless_soft() -> None:
    action = Action.regular(named("O"), 1)
    layer = GroupAttention(action, softness=Softness(0.5))
    nn.init.normal_(layer.preference)
    loose = layer.biases()
    harden(layer)
    tied = layer.biases()
    for members in action.group.classes:
        assert float(tied[list(members)].std(correction=0).detach()) <= 1e-7
    assert float((loose - tied).abs().max().detach()) > 0.1


@pytest.mark.parametrize("name", ["mirror_x", "D2h", "O"])
def test_learned_degree_knows_its_defect_for_every_element(name: str) -> None:
    first, second = Action.trivial(named(name), 1), everything(named(name))
    torch.manual_seed(0)
    net = nn.Sequential(nn.Conv3d(1, second.channels, 3, padding=1), nn.Tanh()).double()
    soft = GroupDegree(net, action_in=first, action_out=second)
    nn.init.normal_(soft.softness.logit)
    volume = volume_for(first)
    output = soft(volume)
    for element in first.group.elements:
        measured = element_defect(lambda x: soft(x).value, volume, element, first, second).detach()
        predicted = output.defect(element).detach()
        torch.testing.assert_close(predicted, measured, atol=1e-12, rtol=0.0)
        assert measured.norm() <= output.bound(element)
    assert measured.norm() > 0.1
    harden(soft)
    assert worst_defect(lambda x: soft(x).value, volume, first, second) <= 1e-12


def test_learned_degree_is_the_free_network_at_the_identity_and_learns() -> None:
    first = Action.trivial(named("D2h"), 1)
    net = nn.Conv3d(1, 1, 3, padding=1).double()
    soft = GroupDegree(
        net, action_in=first, action_out=first, softness=ElementDistribution(named("D2h"))
    )
    volume = volume_for(first)
    soft(volume).value.square().sum().backward()
    assert soft.softness.logit.grad is not None
    assert soft.softness.logit.grad.abs().max() > 0
    with torch.no_grad():
        soft.softness.logit[0] = 1e4
    torch.testing.assert_close(soft(volume).value, net(volume))


def test_refusals_name_the_layer() -> None:
    action = everything(named("D2h"))
    with pytest.raises(ModelError, match=r"MS-234 GroupConv3d: kernel 2 at stride 1"):
        GroupConv3d(action, action, kernel_size=2)
    with pytest.raises(ModelError, match=r"MS-236 GroupAttention: the trivial group"):
        GroupAttention(Action.trivial(named("trivial"), 1))
    with pytest.raises(GridError, match=r"MS-203 GroupConv3d along z: size 5 .*kernel 2"):
        group_downsample(action, action)(torch.zeros(1, action.channels, 4, 4, 5))
    cube = Action.trivial(named("O"), 1)
    for layer in (GroupConv3d(cube, cube), GroupUpsample(cube, cube), GroupAttention(cube)):
        with pytest.raises(GridError, match=r"MS-293 .*turns the grid \(4, 4, 6\)"):
            layer(torch.zeros(1, 1, 4, 4, 6))
    dense = Action(cube.group, matrices=Action.vector(cube.group).dense())
    with pytest.raises(GridError, match="MS-296 pointwise non-linearity"):
        group_activation(dense)
