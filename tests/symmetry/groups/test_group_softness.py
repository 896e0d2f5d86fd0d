"""Soft weights for grid groups: projection laws, exact defects, bounds, fold and harden."""

import copy

import pytest
import torch
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.symmetry import ChannelAction, Softness, fold, harden, layer_defect, soften_layer
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.defect import group_layer_bound, group_layer_defect
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import action_from_mirror
from medsym.symmetry.groups.parts import (
    conjugate_kernel,
    element_defect,
    project_kernel,
    project_vector,
    worst_defect,
)
from medsym.symmetry.groups.softness import GroupWeight, soften_group_layer
from medsym.symmetry.parametrisation import parametrisation
from tests.builders_group import GROUPS, everything, named, regular, volume_for

Convolution = nn.Conv3d | nn.ConvTranspose3d


def random_kernel(action_in: GroupAction, action_out: GroupAction, size: int = 3) -> torch.Tensor:
    torch.manual_seed(0)
    return torch.randn(action_out.channels, action_in.channels, *[size] * 3, dtype=torch.float64)


def soft_conv(name: str, softness: Softness, *, strided: bool = False) -> nn.Conv3d:
    torch.manual_seed(0)
    first, second = everything(named(name)), regular(named(name))
    how = {"kernel_size": 2, "stride": 2} if strided else {"kernel_size": 3, "padding": 1}
    layer = nn.Conv3d(first.channels, second.channels, **how)
    soften_group_layer(layer, action_in=first, action_out=second, softness=softness)
    return layer.double()


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize("size", [1, 2, 3])
def test_projection_is_idempotent_orthogonal_and_fixed_by_every_element(
    name: str, size: int
) -> None:
    first, second = everything(named(name)), everything(named(name))
    kernel = random_kernel(first, second, size)
    kept = project_kernel(kernel, first, second)
    torch.testing.assert_close(project_kernel(kept, first, second), kept, atol=1e-14, rtol=0.0)
    assert abs(float((kept * (kernel - kept)).sum())) < 1e-10
    for g in range(first.group.order):
        moved = conjugate_kernel(kept, g, first, second)
        torch.testing.assert_close(moved, kept, atol=1e-14, rtol=0.0)
    assert (kernel - kept).norm() > 0.1


@pytest.mark.parametrize("name", GROUPS)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_layer_is_exact_for_every_element_at_softness_zero(
    name: str, dtype: torch.dtype, limit: float
) -> None:
    first, second = everything(named(name)), regular(named(name))
    for layer in (soft_conv(name, Softness(0.0)), soft_conv(name, Softness(0.0), strided=True)):
        layer.to(dtype)
        assert worst_defect(layer, volume_for(first, dtype=dtype), first, second) <= limit


@pytest.mark.parametrize("name", ["D2h", "O"])
def test_transposed_layer_and_norm_are_exact_at_softness_zero(name: str) -> None:
    first, second = everything(named(name)), regular(named(name))
    up = nn.ConvTranspose3d(first.channels, second.channels, 2, 2).double()
    norm = nn.InstanceNorm3d(first.channels, affine=True).double()
    for layer, out in ((up, second), (norm, first)):
        for parameter in layer.parameters():
            nn.init.normal_(parameter)
        volume = volume_for(first)
        assert worst_defect(layer, volume, first, out) > 0.1
        soften_group_layer(layer, action_in=first, action_out=out)
        assert worst_defect(layer, volume, first, out) <= 1e-12


def test_grouped_layer_is_exact_where_groups_are_fields() -> None:
    group = named("O")
    fields, torn = GroupAction.regular(group, 2), GroupAction.vector(group, 2)
    layer = nn.Conv3d(48, 48, 3, padding=1, groups=2).double()
    soften_group_layer(layer, action_in=fields, action_out=fields)
    assert worst_defect(layer, volume_for(fields), fields, fields) <= 1e-12
    depthwise = nn.Conv3d(48, 48, 3, padding=1, groups=48).double()
    soften_group_layer(depthwise, action_in=fields, action_out=fields)
    assert worst_defect(depthwise, volume_for(fields), fields, fields) <= 1e-12
    with pytest.raises(GridError, match=r"MS-298 .*does not map its 3 groups to groups"):
        soften_group_layer(nn.Conv3d(6, 6, 3, groups=3), action_in=torn, action_out=torn)


@pytest.mark.parametrize("name", ["D2h", "Oh"])
def test_kernel_projected_to_the_mirror_alone_is_not_equivariant(name: str) -> None:
    """Negative control: the projection onto mirror_x leaves the other elements broken."""
    first, second = everything(named(name)), regular(named(name))
    mirror = GridGroup.named("mirror_x")
    kernel = random_kernel(first, second)
    kept = project_kernel(kernel, first.restricted(mirror), second.restricted(mirror))
    x, y = first.group.index("-x,y,z"), first.group.index("x,-y,z")
    torch.testing.assert_close(conjugate_kernel(kept, x, first, second), kept)
    assert (conjugate_kernel(kept, y, first, second) - kept).norm() > 0.3 * kept.norm()


def test_swapped_axes_are_noticed() -> None:
    """A layer for C4 about z is no layer for C4 about x, nor with wrongly turned channels."""
    about_z, about_x = named("C4_z"), GridGroup.named("C4_x")
    layer = soft_conv("C4_z", Softness(0.0))
    first, second = everything(about_z), regular(about_z)
    assert worst_defect(layer, volume_for(first), first, second) <= 1e-12
    wrong = everything(about_x), regular(about_x)
    assert worst_defect(layer, volume_for(first), *wrong) > 0.1
    backwards = GroupAction(about_z, tuple(second.perms[g] for g in about_z.inverses), second.signs)
    assert worst_defect(layer, volume_for(first), first, backwards) > 0.1


@pytest.mark.parametrize("name", ["D2h", "O"])
@pytest.mark.parametrize("softness", [0.0, 0.2, 1.0])
def test_exact_defect_is_the_measured_one_and_below_the_bounds(softness: float, name: str) -> None:
    layer = soft_conv(name, Softness(softness))
    kernel = parametrisation(layer, "weight")[0]
    assert isinstance(kernel, GroupWeight)
    first, second = everything(named(name)), regular(named(name))
    volume = volume_for(first, seed=int(10 * softness))
    shared = group_layer_bound(layer, volume)
    for element in first.group.elements[1::11]:
        measured = element_defect(layer, volume, element, first, second)
        predicted = group_layer_defect(layer, volume, element)
        torch.testing.assert_close(predicted, measured, atol=1e-12, rtol=1e-9)
        own = group_layer_bound(layer, volume, element)
        assert measured.detach().norm() <= own <= shared * (1.0 + 0.03)


@pytest.mark.parametrize("strided", [False, True])
def test_bound_holds_in_single_precision_and_is_within_reach(strided: bool) -> None:
    """30 random trials, and the volume that a power iteration finds: above 0.8 of the bound."""
    layer = soft_conv("D2h", Softness(0.3), strided=strided)
    with torch.no_grad():
        parametrisation(layer, "bias")[1].zero_()
    group, first = named("D2h"), everything(named("D2h"))
    element = group.elements[5]
    volume = volume_for(first, size=(8, 8, 8))
    worst = volume.requires_grad_()
    for _ in range(100):
        energy = group_layer_defect(layer, worst, element).square().sum()
        (gradient,) = torch.autograd.grad(energy, worst)
        worst = (gradient / gradient.norm()).detach().requires_grad_()
    bound = group_layer_bound(layer, worst, element)
    assert 0.8 * bound <= group_layer_defect(layer, worst, element).detach().norm() <= bound
    layer.float()
    for seed in range(30):
        sample = volume_for(first, seed=seed, dtype=torch.float32)
        measured = element_defect(layer, sample, element, first, regular(group))
        assert measured.detach().norm() <= group_layer_bound(layer, sample, element)


def test_rounding_alone_stays_below_the_bound_of_a_strict_layer() -> None:
    layer = soft_conv("O", Softness(0.0)).float()
    first, second = everything(named("O")), regular(named("O"))
    volume = volume_for(first, dtype=torch.float32)
    for element in first.group.elements:
        measured = element_defect(layer, volume, element, first, second).detach().norm()
        assert measured <= group_layer_bound(layer, volume, element)
    assert measured > 0.0


def test_one_mirror_gives_the_mirrors_own_layer() -> None:
    a, b = ChannelAction.regular(2) + ChannelAction.sign(1), ChannelAction.regular(3)
    plain = nn.Conv3d(5, 6, 3, padding=1).double()
    ours, theirs = copy.deepcopy(plain), copy.deepcopy(plain)
    soften_layer(theirs, action_in=a, action_out=b, softness=Softness(0.3))
    first, second = action_from_mirror(a), action_from_mirror(b)
    soften_group_layer(ours, action_in=first, action_out=second, softness=Softness(0.3))
    torch.testing.assert_close(ours.weight, theirs.weight, atol=1e-15, rtol=0.0)
    torch.testing.assert_close(ours.bias, theirs.bias, atol=1e-15, rtol=0.0)
    volume = volume_for(first)
    defect = group_layer_defect(ours, volume, "-x,y,z")
    torch.testing.assert_close(defect, layer_defect(theirs, volume), atol=1e-13, rtol=0.0)


def test_softness_one_is_free_and_fold_and_harden_work() -> None:
    free = soft_conv("O", Softness(1.0))
    torch.testing.assert_close(free.weight, parametrisation(free, "weight")[1])
    layer = soft_conv("O", Softness(0.4, learned=True, num_channels=24))
    first, second = everything(named("O")), regular(named("O"))
    volume = volume_for(first)
    folded = fold(copy.deepcopy(layer))
    assert (folded(volume) - layer(volume)).abs().max() <= 1e-12
    assert worst_defect(layer, volume, first, second) > 0.1
    assert worst_defect(harden(layer), volume, first, second) <= 1e-12


def test_softness_per_channel_is_tied_on_channels_that_the_group_exchanges() -> None:
    action = everything(named("D2h"))
    values = torch.rand(action.channels, dtype=torch.float64)
    tied = project_vector(values, action, signed=False)
    for g in range(8):
        torch.testing.assert_close(action.apply(tied, g, dim=0, signed=False), tied)
    assert (tied - values).abs().max() > 0.1


def test_refusals_name_the_layer() -> None:
    action = GroupAction.trivial(named("O"), 2)
    with pytest.raises(ModelError, match=r"MS-233 Linear: soften_group_layer\(\) does not know"):
        soften_group_layer(nn.Linear(2, 2), action_in=action, action_out=action)
    with pytest.raises(GridError, match=r"MS-293 Conv3d kernel: .*turns the grid \(3, 3, 1\)"):
        soften_group_layer(nn.Conv3d(2, 2, (3, 3, 1)), action_in=action, action_out=action)
    one = ChannelAction.trivial(1)
    mirrored = soften_layer(nn.Conv3d(1, 1, 3), action_in=one, action_out=one)
    with pytest.raises(ModelError, match=r"MS-233 .*Conv3d: its weight carries SoftKernel"):
        group_layer_defect(mirrored, torch.zeros(1, 1, 4, 4, 4), "-x,y,z")
    with pytest.raises(ModelError, match=r"MS-213"):
        group_layer_bound(nn.Conv3d(1, 1, 3), torch.zeros(1, 1, 4, 4, 4))


@pytest.mark.parametrize("setting", ["stride", "padding", "dilation"])
def test_settings_that_a_quarter_turn_exchanges_are_refused(setting: str) -> None:
    field = GroupAction.trivial(named("C4_z"), 1)
    layer = nn.Conv3d(1, 1, 3, **{setting: (2, 1, 1)})
    with pytest.raises(GridError, match=rf"MS-293 Conv3d {setting}"):
        soften_group_layer(layer, action_in=field, action_out=field)


def test_the_exact_defect_knows_the_padding_and_the_bound_refuses_it() -> None:
    torch.manual_seed(0)
    field = GroupAction.trivial(named("D2h"), 1)
    layer = nn.Conv3d(1, 1, 3, padding=1, padding_mode="replicate")
    soften_group_layer(layer, action_in=field, action_out=field, softness=Softness(0.5))
    volume = torch.randn(1, 1, 4, 5, 6)
    for element in field.group.elements:
        torch.testing.assert_close(
            group_layer_defect(layer, volume, element),
            element_defect(layer, volume, element, field, field),
            atol=1e-5,
            rtol=1e-5,
        )
    with pytest.raises(ModelError, match="MS-299"):
        group_layer_bound(layer, volume)
