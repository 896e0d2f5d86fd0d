"""Frozen parts do not move, whatever the optimiser; the others do."""

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import ConfigError
from medsym.nn import MirrorConv3d
from medsym.nn.groups import GroupConv3d
from medsym.nn.steerable import SteerableConv3d
from medsym.symmetry import ChannelAction, Softness
from medsym.symmetry.freezing import Stage, StagedFreezing, even_only
from medsym.symmetry.groups.action import GroupAction
from medsym.symmetry.groups.degree import SubgroupShares
from medsym.symmetry.groups.grid_group import GridGroup
from medsym.symmetry.parametrisation import soft_tensors
from medsym.symmetry.soft_weight import Part
from medsym.symmetry.softness import softness_values
from tests.builders_symmetry import random_volume

R, T = ChannelAction.regular(2), ChannelAction.trivial(1)
OPTIMISERS = {
    "sgd": lambda p: torch.optim.SGD(p, lr=0.05, momentum=0.9),
    "adamw": lambda p: torch.optim.AdamW(p, lr=0.01, weight_decay=0.1),
}


def network() -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        MirrorConv3d(T, R, softness=Softness(0.5, learned=True)),
        MirrorConv3d(R, T, softness=Softness(0.5, learned=True)),
    )


def state(model: nn.Module) -> dict[Part, Tensor]:
    parts = [t.weight.split(t.raw.detach()) for t in soft_tensors(model)]
    return {
        "even": torch.cat([even.flatten() for even, _ in parts]),
        "odd": torch.cat([odd.flatten() for _, odd in parts]),
        "softness": torch.cat(list(softness_values(model).values())),
    }


def moved(before: dict[Part, Tensor], after: dict[Part, Tensor]) -> set[Part]:
    return {part for part in before if (before[part] - after[part]).abs().max() > 1e-6}


@pytest.mark.parametrize("name", OPTIMISERS)
@pytest.mark.parametrize(
    "frozen", [{"even"}, {"odd"}, {"softness"}, {"odd", "softness"}, {"even", "odd"}]
)
def test_frozen_parts_rest_and_the_others_learn(name: str, frozen: set[Part]) -> None:
    model = network()
    optimiser = OPTIMISERS[name](model.parameters())
    freezing = StagedFreezing(
        model, [Stage(until=0.4, frozen=frozenset()), Stage(until=0.8, frozen=frozenset(frozen))]
    )
    volume, target = random_volume(T, seed=1), random_volume(T, seed=2)
    changes = []
    for progress in (0.0, 0.2, 0.4, 0.6, 0.8, 0.9):
        before = state(model)
        freezing.at(progress)
        optimiser.zero_grad()
        (model(volume) - target).square().mean().backward()
        optimiser.step()
        freezing.after_step()
        changes.append(moved(before, state(model)))
    everything = {"even", "odd", "softness"}
    assert changes == [everything] * 2 + [everything - frozen] * 2 + [everything] * 2


def test_without_the_repair_an_optimiser_moves_a_part_without_gradient() -> None:
    model = network()
    optimiser = OPTIMISERS["adamw"](model.parameters())
    freezing = StagedFreezing(model, [Stage(until=1.0, frozen=frozenset({"odd"}))])
    before = state(model)
    freezing.at(0.0)
    model(random_volume(T, seed=1)).square().mean().backward()
    optimiser.step()
    assert "odd" in moved(before, state(model))


def test_even_only_keeps_the_function_and_restores_what_was_frozen() -> None:
    model = network()
    volume = random_volume(T, seed=3)
    weight = next(soft_tensors(model)).weight
    weight.frozen = frozenset({"even"})
    expected = model(volume)
    with even_only(model):
        torch.testing.assert_close(model(volume), expected)
        assert weight.frozen == {"even", "odd", "softness"}
    assert weight.frozen == {"even"}


def test_wrong_stages_are_refused() -> None:
    late, early = Stage(until=0.8, frozen=frozenset()), Stage(until=0.4, frozen=frozenset())
    with pytest.raises(ConfigError, match=r"MS-227 stages: they end at \[0.8, 0.4\]"):
        StagedFreezing(network(), [late, early])
    with pytest.raises(ConfigError, match=r"MS-227 stages: unknown parts \['head'\]"):
        StagedFreezing(network(), [Stage(until=1, frozen=frozenset({"head"}))])  # type: ignore[arg-type]


def test_a_part_that_the_raw_tensor_does_not_hold_is_refused() -> None:
    stages = [Stage(until=1.0, frozen=frozenset({"even"}))]
    field = GroupAction.regular(GridGroup.named("D2h"), 1)
    shares = SubgroupShares([field.group, GridGroup.named("mirror_x")])
    for layer in (SteerableConv3d(R, R), GroupConv3d(field, field, softness=shares)):
        with pytest.raises(ConfigError, match=r"MS-227 0: its raw weight does not hold"):
            StagedFreezing(nn.Sequential(layer), stages)
    with pytest.raises(ConfigError, match=r"MS-227.*end at \[2.0\]"):
        StagedFreezing(network(), [Stage(until=2.0, frozen=frozenset({"odd"}))])
