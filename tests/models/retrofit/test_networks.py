"""Nine networks of the zoo: same function at softness 1, exact mirror at 0, plain when folded."""

import pytest
import torch
from torch.nn.utils import parametrize

from medsym.models.retrofit import soften
from medsym.symmetry import Axis, Softness, harden
from tests.models.retrofit.zoo import (
    CHANGED,
    ZOO,
    defect,
    difference,
    labels,
    made,
    measured,
    mednext,
    noise,
)

OTHER_AXES = [(name, axis) for name in ("UNet residual", "MedNeXt", "UNETR") for axis in ("y", "z")]
CASES = [
    pytest.param(name, axis, marks=pytest.mark.slow if "Swin" in name or axis == "z" else [])
    for name, axis in [(name, "x") for name in ZOO] + OTHER_AXES
]


@pytest.mark.parametrize(("name", "axis"), CASES)
def test_hardened_networks_commute_with_the_mirror(name: str, axis: Axis) -> None:
    assert measured(name, axis).defect_hard <= 1e-5


@pytest.mark.parametrize(("name", "axis"), CASES)
def test_networks_as_they_come_do_not(name: str, axis: Axis) -> None:
    assert measured(name, axis).defect_before > 0.1


@pytest.mark.parametrize(("name", "axis"), CASES)
def test_softness_one_is_the_given_function(name: str, axis: Axis) -> None:
    result = measured(name, axis)
    changes = bool(result.report.changes_function)
    assert changes == (name in CHANGED)
    assert (result.change_at_one > 1e-3) if changes else (result.change_at_one <= 1e-5)


@pytest.mark.parametrize(("name", "axis"), CASES)
def test_folding_leaves_a_plain_network_with_the_same_output(name: str, axis: Axis) -> None:
    result = measured(name, axis)
    assert result.change_by_fold <= 1e-6
    for module in result.folded.modules():
        assert not parametrize.is_parametrized(module)
        assert not isinstance(module, Softness)


def test_a_mirror_along_y_is_none_along_x() -> None:
    soft = soften(made("UNet"), "y", action_out=labels("y"))
    assert defect(soft, noise("UNet"), "y") <= 1e-5
    assert defect(soft, noise("UNet"), "x") > 0.1


def test_without_the_label_action_left_and_right_do_not_swap() -> None:
    soft = soften(made("UNet"), "x")
    assert defect(soft, noise("UNet"), "x") > 0.1


@pytest.mark.parametrize("name", ["DynUNet", "UNet residual"])
def test_the_mirror_holds_in_training_too(name: str) -> None:
    soft = soften(made(name), "x", action_out=labels("x")).train()
    volume = noise(name)
    output = soft(volume)
    mirrored = soft(volume.flip(2))
    if output.ndim == 6:  # deep supervision: (b, heads, c, x, y, z)
        assert output.shape[1] == 3
        output, mirrored = output.flatten(0, 1), mirrored.flatten(0, 1)
    assert difference(mirrored, labels("x").apply(output.flip(2))) <= 1e-5


def test_all_outputs_of_deep_supervision_carry_the_label_action() -> None:
    soft = soften(mednext(deep_supervision=True), "x", action_out=labels("x")).train()
    volume = noise("MedNeXt")
    outputs, mirrored = soft(volume), soft(volume.flip(2))
    assert len(outputs) == 5
    for output, other in zip(outputs, mirrored, strict=True):
        assert difference(other, labels("x").apply(output.flip(2))) <= 1e-5


@pytest.mark.parametrize("name", ["UNet residual", "AttentionUnet"])
def test_softness_between_is_between(name: str) -> None:
    volume = noise(name)
    sizes = [
        defect(soften(made(name), "x", softness=a, action_out=labels("x")), volume, "x")
        for a in (0.05, 1.0)
    ]
    assert 1e-4 < sizes[0] < sizes[1]


def test_harden_after_training_steps_is_exact() -> None:
    soft = soften(made("UNet residual"), softness=0.5, learned=True, action_out=labels("x"))
    optimiser = torch.optim.SGD(soft.parameters(), lr=0.1)
    volume = noise("UNet residual")
    for _ in range(2):
        optimiser.zero_grad()
        soft(volume).square().mean().backward()
        optimiser.step()
    harden(soft)
    assert defect(soft, volume, "x") <= 1e-5
