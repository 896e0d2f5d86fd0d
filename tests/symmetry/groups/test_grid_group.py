"""Elements and groups of the grid: exact actions, closure, tables, cosets, refusals."""

import itertools

import pytest
import torch

from medsym.errors import GridError
from medsym.symmetry import ChannelAction, mirror
from medsym.symmetry.groups.average import group_average
from medsym.symmetry.groups.element import GridElement
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.mirror import Axis

ORDERS = {
    "trivial": 1,
    "mirror_x": 2,
    "inversion": 2,
    "C2_z": 2,
    "C4_z": 4,
    "D2": 4,
    "D2h": 8,
    "D4h_z": 16,
    "T": 12,
    "Th": 24,
    "Td": 24,
    "O": 24,
    "Oh": 48,
}
CUBE = torch.randn(2, 3, 3, 3, generator=torch.Generator().manual_seed(0))


@pytest.mark.parametrize("name", ORDERS)
def test_order_table_and_inverses(name: str) -> None:
    group = GridGroup.named(name)
    assert group.order == ORDERS[name]
    assert all(sorted(row) == list(range(group.order)) for row in group.table)
    assert all(group.table[g][group.inverses[g]] == 0 for g in range(group.order))
    for g, h in itertools.product(range(group.order), repeat=2):
        product = group.elements[g] * group.elements[h]
        assert group.elements[group.table[g][h]] == product


def test_action_on_tensors_is_a_homomorphism_and_faithful() -> None:
    """g (h f) = (g h) f for all 48 x 48 pairs; the order h g would fail (asserted)."""
    elements = GridGroup.named("Oh").elements
    wrong_order = 0
    for g, h in itertools.product(elements, repeat=2):
        twice = g.apply(h.apply(CUBE))
        assert torch.equal((g * h).apply(CUBE), twice)
        wrong_order += not torch.equal((h * g).apply(CUBE), twice)
    assert wrong_order > 1000
    images = {tuple(g.apply(CUBE).flatten().tolist()) for g in elements}
    assert len(images) == 48


@pytest.mark.parametrize(
    ("triplet", "dims"), [("-y,x,z", (1, 2)), ("x,-z,y", (2, 3)), ("z,y,-x", (3, 1))]
)
def test_quarter_turns_are_those_of_torch(triplet: str, dims: tuple[int, int]) -> None:
    turn = GridElement.parse(triplet)
    assert torch.equal(turn.apply(CUBE), CUBE.rot90(1, dims))
    assert not torch.equal(turn.inverse().apply(CUBE), CUBE.rot90(1, dims))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_mirror_element_is_the_mirror_of_the_library(axis: Axis) -> None:
    element = GridElement.mirror(axis)
    volume = torch.randn(1, 1, 3, 4, 5)
    assert torch.equal(element.apply(volume), mirror(volume, ChannelAction.trivial(1, axis=axis)))
    other: Axis = "y" if axis == "x" else "x"
    assert not torch.equal(element.apply(volume), GridElement.mirror(other).apply(volume))


def test_a_marked_voxel_goes_where_the_triplet_says() -> None:
    """-y,x,z sends (x, y, z) to (-y, x, z): from the right to the front, not to the back."""
    volume = torch.zeros(3, 3, 3)
    volume[2, 1, 1] = 1.0  # at (1, 0, 0) from the centre
    turned = GridElement.parse("-y,x,z").apply(volume)
    assert turned[1, 2, 1] == 1.0
    assert turned.sum() == 1.0


def test_names_and_determinants_round_trip() -> None:
    for element in GridGroup.named("Oh").elements:
        assert GridElement.parse(element.name) == element
        matrix = torch.zeros(3, 3)
        for i in range(3):
            matrix[i, element.source[i]] = element.signs[i]
        assert round(float(torch.linalg.det(matrix))) == element.determinant
    assert all(e.determinant == 1 for e in GridGroup.named("O").elements)


@pytest.mark.parametrize("name", ["D2h", "T", "O", "Oh"])
def test_every_element_is_one_product_of_representatives(name: str) -> None:
    group = GridGroup.named(name)
    products = []
    for factors in itertools.product(*group.transversals):
        total = 0
        for factor in factors:
            total = group.table[factor][total]
        products.append(total)
    assert sorted(products) == list(range(group.order))


@pytest.mark.parametrize("name", ["D2h", "Td", "Oh"])
def test_average_is_the_mean_over_all_elements(name: str) -> None:
    group = GridGroup.named(name)

    def act(tensor: torch.Tensor, g: int) -> torch.Tensor:
        return group.elements[g].apply(tensor)

    volume = CUBE.double()
    plain = torch.stack([act(volume, g) for g in range(group.order)]).mean(0)
    average = group_average(group, act, volume)
    torch.testing.assert_close(average, plain, atol=1e-15, rtol=0.0)
    torch.testing.assert_close(group_average(group, act, average), average, atol=1e-15, rtol=0.0)
    assert (average - volume).abs().max() > 0.1


def test_gradient_of_the_average_is_the_one_of_the_plain_mean() -> None:
    group = GridGroup.named("O")

    def act(tensor: torch.Tensor, g: int) -> torch.Tensor:
        return group.elements[g].apply(tensor)

    volume = CUBE.double().requires_grad_()
    ours = torch.autograd.grad(group_average(group, act, volume).pow(3).sum(), volume)[0]
    plain = torch.stack([act(volume, g) for g in range(group.order)]).mean(0)
    theirs = torch.autograd.grad(plain.pow(3).sum(), volume)[0]
    torch.testing.assert_close(ours, theirs)
    assert ours.abs().max() > 0.1
    assert torch.autograd.gradgradcheck(lambda x: group_average(group, act, x).pow(2), volume)


def test_left_cosets_are_not_right_cosets() -> None:
    group, subgroup = GridGroup.named("O"), GridGroup.named("C4_z")
    left = group.cosets(subgroup)
    inside = group.embed(subgroup)
    assert len(left) == 6
    assert sorted(g for coset in left for g in coset) == list(range(24))
    assert left[0] == tuple(sorted(inside))
    for coset in left:
        assert set(coset) == {group.table[coset[0]][h] for h in inside}
    assert any(set(c) != {group.table[h][c[0]] for h in inside} for c in left)


def test_conjugacy_classes_of_the_octahedral_groups() -> None:
    sizes = [len(c) for c in GridGroup.named("O").classes]
    assert sorted(sizes) == [1, 3, 6, 6, 8]
    assert len(GridGroup.named("Oh").classes) == 10


def test_refusals_name_the_mistake() -> None:
    with pytest.raises(GridError, match=r"MS-290 grid element 'x,x,z'.*not a triplet"):
        GridElement.parse("x,x,z")
    with pytest.raises(GridError, match=r"MS-290 grid element: axes \(0, 0, 1\)"):
        GridElement((0, 0, 1), (1, 1, 1))
    with pytest.raises(GridError, match=r"MS-290 grid group 'C5'.*use one of trivial, mirror_x"):
        GridGroup.named("C5")
    with pytest.raises(GridError, match=r"MS-291 .*not closed under products"):
        GridGroup((GridElement.parse("x,y,z"), GridElement.parse("-y,x,z")))
    with pytest.raises(GridError, match=r"MS-292 grid group D2h: does not hold the element -y,x,z"):
        GridGroup.named("D2h").index("-y,x,z")
    with pytest.raises(GridError, match=r"MS-293 scan: .*turns the grid \(4, 6, 4\) into"):
        GridGroup.named("O").check_grid((4, 6, 4), name="scan")
    GridGroup.named("D2h").check_grid((4, 6, 8), name="scan")


@pytest.mark.parametrize(("axis", "sizes"), [("x", (7, 8, 8)), ("y", (8, 7, 8)), ("z", (8, 8, 7))])
def test_strided_layers_are_checked_along_every_flipped_axis(
    axis: str, sizes: tuple[int, int, int]
) -> None:
    numbers = {"kernel": (2, 2, 2), "stride": (2, 2, 2), "padding": (0, 0, 0)}
    GridGroup.named("D2h").check_strided((8, 8, 8), name="down", **numbers)
    with pytest.raises(GridError, match=f"MS-203 down along {axis}: size 7"):
        GridGroup.named("D2h").check_strided(sizes, name="down", **numbers)
    only_x = GridGroup.named("mirror_x")
    if axis != "x":
        only_x.check_strided(sizes, name="down", **numbers)
