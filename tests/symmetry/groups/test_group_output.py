"""Output-space softness and learned distributions for grid groups: exact, bounded, reductions."""

import pytest
import torch
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.symmetry import ChannelAction, SoftEquivariant
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.groups.mirror import action_from_mirror
from medsym.symmetry.groups.output import GroupEquivariant
from medsym.symmetry.groups.parts import element_defect, project_function, worst_defect
from tests.builders_group import everything, named, volume_for


def network(first: GroupAction, second: GroupAction) -> nn.Module:
    torch.manual_seed(0)
    return nn.Sequential(
        nn.Conv3d(first.channels, 4, 3, padding=1),
        nn.Tanh(),
        nn.Conv3d(4, second.channels, 3, padding=1),
    )


@pytest.mark.parametrize("name", ["D2h", "O"])
def test_average_of_any_network_is_exactly_equivariant(name: str) -> None:
    first, second = GroupAction.trivial(named(name), 1), everything(named(name))
    net, volume = network(first, second).double(), volume_for(first)

    def averaged(x: torch.Tensor) -> torch.Tensor:
        return project_function(net, x, first, second)

    assert worst_defect(net, volume, first, second) > 0.1
    assert worst_defect(averaged, volume, first, second) <= 1e-12
    mirrors = GridGroup.named("C4_z")
    if name == "O":  # negative control: the average over a subgroup is not enough
        part = first.restricted(mirrors), second.restricted(mirrors)
        assert worst_defect(lambda x: project_function(net, x, *part), volume, *part) <= 1e-12
        assert worst_defect(lambda x: project_function(net, x, *part), volume, first, second) > 0.05


@pytest.mark.parametrize("name", ["mirror_x", "D2h", "O"])
@pytest.mark.parametrize(("dtype", "close"), [(torch.float32, 1e-6), (torch.float64, 1e-14)])
def test_defect_is_known_from_the_passes_and_never_above_the_bound(
    name: str, dtype: torch.dtype, close: float
) -> None:
    first, second = GroupAction.trivial(named(name), 1), everything(named(name))
    soft = GroupEquivariant(
        network(first, second), action_in=first, action_out=second, tolerance=0.02
    ).to(dtype)
    volume = volume_for(first, dtype=dtype)
    output, largest = soft(volume), 0.0
    for element in first.group.elements:
        measured = element_defect(lambda x: soft(x).value, volume, element, first, second)
        predicted, bound = output.defect(element), output.bound_of(element)
        torch.testing.assert_close(predicted, measured, atol=close, rtol=0.0)
        assert bool((measured.abs() <= bound).all())
        largest = max(largest, float((measured.abs() / bound).max().detach()))
    assert largest > 0.9


def test_strict_output_stays_within_rounding_and_a_large_tolerance_is_the_network() -> None:
    first = GroupAction.trivial(named("Oh"), 1)
    net, volume = network(first, first), volume_for(first, dtype=torch.float32)
    strict = GroupEquivariant(net, action_in=first, action_out=first)
    output = strict(volume)
    for element in first.group.elements[1::7]:
        measured = element_defect(lambda x: strict(x).value, volume, element, first, first)
        assert bool((measured.abs() <= output.bound_of(element)).all())
        assert output.bound_of(element).max() < 1e-4
    free = GroupEquivariant(net, action_in=first, action_out=first, tolerance=100.0)
    torch.testing.assert_close(free(volume).value, net(volume), atol=1e-6, rtol=1e-6)


def test_one_mirror_gives_the_mirrors_own_wrapper() -> None:
    one, labels = ChannelAction.trivial(1), ChannelAction.labels([0, 2, 1])
    first, second = action_from_mirror(one), action_from_mirror(labels)
    net, volume = network(first, second).double(), volume_for(first)
    ours = GroupEquivariant(net, action_in=first, action_out=second, tolerance=0.02)(volume)
    theirs = SoftEquivariant(net, tolerance=0.02, action_out=labels).double()(volume)
    torch.testing.assert_close(ours.value, theirs.value, atol=1e-8, rtol=0.0)
    torch.testing.assert_close(ours.defect("-x,y,z"), theirs.defect, atol=1e-8, rtol=0.0)


def test_refusals() -> None:
    vector = GroupAction.vector(named("O"))
    dense = GroupAction(vector.group, matrices=vector.dense())
    with pytest.raises(GridError, match="MS-296 GroupEquivariant output"):
        GroupEquivariant(nn.Identity(), action_in=vector, action_out=dense)
    soft = GroupEquivariant(nn.Identity(), action_in=vector, action_out=vector)
    with pytest.raises(GridError, match=r"MS-293 volume: .*turns the grid \(4, 4, 6\)"):
        soft(torch.zeros(1, 3, 4, 4, 6))


@pytest.mark.parametrize("tolerance", [-0.1, float("nan")])
def test_a_tolerance_below_zero_is_refused(tolerance: float) -> None:
    field = GroupAction.trivial(named("D2h"), 1)
    with pytest.raises(ModelError, match=r"MS-207 GroupEquivariant tolerance"):
        GroupEquivariant(nn.Identity(), action_in=field, action_out=field, tolerance=tolerance)
