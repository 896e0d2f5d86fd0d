"""Channel actions of grid groups: homomorphisms, kinds, conversion from and to one mirror."""

import itertools

import pytest
import torch

from medsym.errors import GridError
from medsym.symmetry import ChannelAction, mirror
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import (
    action_from_mirror,
    generated_action,
    mirror_of_action,
)
from tests.builders_group import GROUPS, everything, named, regular, volume_for
from tests.builders_symmetry import ACTIONS


@pytest.mark.parametrize("name", GROUPS)
def test_action_on_volumes_is_a_homomorphism(name: str) -> None:
    """g (h x) = (g h) x on channels and voxels together, for every pair."""
    group = named(name)
    action = everything(group) + regular(group)
    volume = volume_for(action)
    moved = [action.act(volume, h) for h in range(group.order)]
    for g, h in itertools.product(range(group.order), repeat=2):
        assert torch.equal(action.act(moved[h], g), action.act(volume, group.table[g][h]))


@pytest.mark.parametrize("name", ["C4_z", "O"])
def test_dense_matrices_act_as_the_permutations_do(name: str) -> None:
    action = everything(named(name))
    dense = GroupAction(action.group, matrices=action.dense())
    volume = volume_for(action)
    for g in range(action.group.order):
        torch.testing.assert_close(dense.act(volume, g), action.act(volume, g))


def test_quotient_by_right_cosets_is_no_representation() -> None:
    """The convention matters: the same construction on the other side is refused."""
    group, subgroup = named("O"), GridGroup.named("C4_z")
    inside = group.embed(subgroup)
    right = sorted({tuple(sorted(group.table[h][g] for h in inside)) for g in range(24)})
    place = {element: i for i, coset in enumerate(right) for element in coset}
    rows = tuple(
        tuple(place[group.table[group.inverses[g]][c[0]]] for c in right) for g in range(24)
    )
    with pytest.raises(GridError, match=r"MS-294 channel action of O: it does not multiply"):
        GroupAction(group, rows, ((1,) * 6,) * 24)
    assert GroupAction.quotient(group, subgroup).channels == 6


def test_regular_fields_that_read_g_h_are_refused() -> None:
    """(rho(g) x)[h] = x[g h] multiplies in the opposite order; right is x[g^-1 h]."""
    group = named("O")
    rows = tuple(tuple(group.table[g][h] for h in range(24)) for g in range(24))
    with pytest.raises(GridError, match="MS-294"):
        GroupAction(group, rows, ((1,) * 24,) * 24)


def test_vector_channels_turn_with_the_grid() -> None:
    """The gradient of a turned volume is the turned gradient, with its components exchanged."""
    group = named("Oh")
    vector = GroupAction.vector(group)
    volume = volume_for(GroupAction.trivial(group, 1), size=(5, 5, 5))

    def gradient(x: torch.Tensor) -> torch.Tensor:
        parts = [x.roll(-1, d) - x.roll(1, d) for d in (2, 3, 4)]
        return torch.cat(parts, dim=1)

    for g, element in enumerate(group.elements):
        expected = vector.act(gradient(volume), g)
        torch.testing.assert_close(gradient(element.apply(volume)), expected)
    swapped = vector.apply(group.elements[1].apply(gradient(volume)), 2)
    assert not torch.allclose(gradient(group.elements[1].apply(volume)), swapped)


@pytest.mark.parametrize("kind", ACTIONS)
def test_one_mirror_converts_both_ways_and_acts_alike(kind: str) -> None:
    for axis in ("x", "y", "z"):
        action = ChannelAction(ACTIONS[kind].perm, ACTIONS[kind].signs, axis)
        group_action = action_from_mirror(action)
        assert mirror_of_action(group_action, axis) == action
        volume = volume_for(group_action, size=(4, 5, 6))
        assert torch.equal(group_action.act(volume, 1), mirror(volume, action))


def test_kinds_of_one_mirror_are_the_mirrors_kinds() -> None:
    group = GridGroup.named("mirror_x")
    assert mirror_of_action(GroupAction.trivial(group, 3)) == ChannelAction.trivial(3)
    assert mirror_of_action(GroupAction.regular(group, 2)) == ChannelAction.regular(2)
    sign = GroupAction.character(group, lambda e: e.determinant, 2)
    assert mirror_of_action(sign) == ChannelAction.sign(2)


def test_restriction_keeps_each_mirrors_own_axis() -> None:
    vector = GroupAction.vector(named("D2h"))
    assert mirror_of_action(vector, "x").signs == (-1, 1, 1)
    assert mirror_of_action(vector, "y").signs == (1, -1, 1)
    assert mirror_of_action(vector.restricted(GridGroup.named("mirror_z")), "z").signs == (1, 1, -1)


def test_labels_swap_under_the_mirror_along_x_alone() -> None:
    """Left and right labels in D2h; two mirrors that both swapped them would be another action."""
    x, y, z = (GridElement.mirror(axis) for axis in ("x", "y", "z"))
    stay, swap, plus = (0, 1, 2), (0, 2, 1), (1, 1, 1)
    labels = generated_action(named("D2h"), {x: (swap, plus), y: (stay, plus), z: (stay, plus)})
    assert mirror_of_action(labels, "x") == ChannelAction.labels(swap)
    assert mirror_of_action(labels, "y").perm == stay
    inversion = labels.group.index("-x,-y,-z")
    assert labels.perms[inversion] == swap


def test_twist_changes_the_sign_with_the_character() -> None:
    axial = GroupAction.vector(named("Oh")).twisted(lambda e: e.determinant)
    assert axial.signs[axial.group.index("-x,-y,-z")] == (1, 1, 1)
    assert axial.signs[axial.group.index("-x,y,z")] == (1, -1, -1)


def test_refusals_name_the_mistake() -> None:
    group = named("D2h")
    with pytest.raises(GridError, match=r"MS-294 .*does not multiply like the group"):
        GroupAction.character(named("O"), lambda e: e.signs[0])
    with pytest.raises(GridError, match=r"MS-294"):
        generated_action(group, {GridElement.mirror("x"): ((0, 1), (1, 1))})
    with pytest.raises(
        GridError, match=r"MS-295 .*tensor has 2 channels in dim 1, the action has 3"
    ):
        GroupAction.vector(group).act(torch.zeros(1, 2, 4, 4, 4), 0)
    dense = GroupAction(group, matrices=GroupAction.vector(group).dense())
    with pytest.raises(GridError, match=r"MS-296 scale.*no signed permutation"):
        dense.check_signed("scale")
    with pytest.raises(GridError, match=r"MS-297 .*actions of D2h and O meet"):
        GroupAction.vector(group) + GroupAction.vector(named("O"))
    with pytest.raises(
        GridError, match=r"MS-292 grid group C4_z: does not hold the element -x,y,z"
    ):
        mirror_of_action(GroupAction.vector(named("C4_z")))
