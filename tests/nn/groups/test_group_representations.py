"""escnn as the oracle: its spaces are our groups, its kernels are fixed by our projection."""

from typing import Any

import pytest
import torch

from medsym.errors import ModelError
from medsym.nn.representations import escnn, mirror_space
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import mirror_of_action
from medsym.symmetry.groups.parts import project_kernel, worst_defect
from tests.builders_group import volume_for
from tests.nn.groups.escnn_spaces import (
    grid_group_of,
    group_action_of,
    octahedral_space,
    three_mirrors_space,
)

# escnn leaves /dev/null open while it decomposes a representation
pytestmark = pytest.mark.filterwarnings("ignore::pytest.PytestUnraisableExceptionWarning")
SPACES = {
    "mirror_x": mirror_space,
    "D2h": three_mirrors_space,
    "O": lambda: octahedral_space(reflections=False),
    "C4_x": lambda: escnn.gspaces.rot2dOnR3(4),
}


def expanded(space: Any, incoming: list[Any], outgoing: list[Any]) -> tuple[torch.Tensor, Any]:
    """Filter of an escnn R3Conv with random weights, and the layer as a function."""
    torch.manual_seed(0)
    first, second = (escnn.nn.FieldType(space, r) for r in (incoming, outgoing))
    layer = escnn.nn.R3Conv(first, second, 3, padding=1, bias=False).eval()
    with torch.no_grad():
        kernel, _ = layer.expand_parameters()
    return kernel.detach().double(), lambda x: layer(first(x)).tensor.detach()


def check_oracle(space: Any, incoming: list[Any], outgoing: list[Any]) -> None:
    """escnn's kernel is ours, its layer commutes with our action, and not with a wrong one."""
    kernel, layer = expanded(space, incoming, outgoing)
    first, second = group_action_of(space, incoming), group_action_of(space, outgoing)
    kept = project_kernel(kernel, first, second)
    assert (kept - kernel).norm() <= 1e-6 * kernel.norm()
    assert kernel.norm() > 0.1
    volume = volume_for(first, dtype=torch.float32)
    assert worst_defect(layer, volume, first, second) <= 1e-5
    damaged = kernel.clone()
    damaged[0, 0, 0, 0, 1] += 1.0
    assert (project_kernel(damaged, first, second) - damaged).norm() > 0.5


@pytest.mark.parametrize("name", SPACES)
def test_trivial_to_regular_kernels_agree(name: str) -> None:
    space = SPACES[name]()
    assert grid_group_of(space) == GridGroup.named(name)
    check_oracle(space, [space.trivial_repr], [space.regular_repr])


@pytest.mark.slow
def test_kernels_of_all_48_elements_agree() -> None:
    space = octahedral_space(reflections=True)
    assert grid_group_of(space) == GridGroup.named("Oh")
    check_oracle(space, [space.trivial_repr], [space.regular_repr])


def test_two_dimensional_irrep_is_orthogonal_and_agrees() -> None:
    """E of O is no signed permutation and held as matrices; the triplets are permutations."""
    space = octahedral_space(reflections=False)
    irreps = space.fibergroup.irreps()
    doublet = next(r for r in irreps if r.size == 2)
    triplet = next(r for r in irreps if r.size == 3)
    assert group_action_of(space, [doublet]).matrices is not None
    assert group_action_of(space, [triplet]).matrices is None
    mixed = group_action_of(space, [doublet, triplet])
    assert mixed.channels == 5
    assert mixed.matrices is not None
    check_oracle(space, [doublet], [triplet])


def test_quotient_fields_agree() -> None:
    space = octahedral_space(reflections=False)
    six = space.quotient_repr((False, 4))
    assert group_action_of(space, [six]).channels == 6
    check_oracle(space, [space.trivial_repr], [six])


def test_a_mirrored_convention_would_be_noticed() -> None:
    """The kernel of O is not fixed when two axes are exchanged, or one coordinate is not turned."""
    space = SPACES["C4_x"]()
    kernel, _ = expanded(space, [space.trivial_repr], [space.regular_repr])
    first = group_action_of(space, [space.trivial_repr])
    second = group_action_of(space, [space.regular_repr])
    assert (project_kernel(kernel, first, second) - kernel).norm() <= 1e-6 * kernel.norm()
    for wrong in (kernel.transpose(2, 4), kernel.flip(3), kernel.flip(0)):
        assert (project_kernel(wrong, first, second) - wrong).norm() > 0.1 * kernel.norm()


def test_mirror_of_d2h_is_the_mirror_of_the_network() -> None:
    space = three_mirrors_space()
    action = group_action_of(space, [space.trivial_repr, space.regular_repr])
    assert mirror_of_action(action, "x").perm[0] == 0
    assert sorted(mirror_of_action(action, "x").perm) == list(range(9))
    assert isinstance(action, GroupAction)


@pytest.mark.parametrize(
    ("space", "why"),
    [
        (escnn.gspaces.rot3dOnR3, "is a continuous group"),
        (lambda: escnn.gspaces.rot2dOnR3(3), "moves voxels off the grid"),
    ],
)
def test_groups_off_the_grid_are_refused(space: Any, why: str) -> None:
    with pytest.raises(ModelError, match=f"MS-239 escnn group .*{why}"):
        grid_group_of(space())
