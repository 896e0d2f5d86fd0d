"""Weights kept between passes never outlive a change of the parameters they come from."""

import copy

import pytest
import torch
from torch import nn

from medsym.nn.half_work.weights import Derived
from medsym.symmetry import fold
from tests.nn.half_work.builders import dense_conv, random_block, random_conv, relative, volume_for


@pytest.mark.parametrize(
    "optimiser", [torch.optim.SGD, torch.optim.Adam, torch.optim.AdamW, torch.optim.RMSprop]
)
@pytest.mark.parametrize("fused", ["foreach", "single"])
def test_steps_of_an_optimiser_are_seen(optimiser: type[torch.optim.Optimizer], fused: str) -> None:
    layer = random_conv(64)
    volume = volume_for(64, (4, 4, 4))
    with torch.no_grad():
        layer(volume)
    steps = optimiser(layer.parameters(), lr=0.1, foreach=fused == "foreach")  # type: ignore[call-arg]
    layer(volume).square().sum().backward()
    steps.step()
    with torch.no_grad():
        assert relative(layer(volume), dense_conv(layer, volume)) <= 4e-6


def test_loading_moving_and_replacing_are_seen() -> None:
    layer = random_conv(32)
    volume = volume_for(32, (4, 4, 4))
    other = random_conv(32)
    with torch.no_grad():
        before = layer(volume)
        for parameter in other.parameters():
            parameter.mul_(2)
        layer.load_state_dict(other.state_dict())
        assert relative(layer(volume), 2 * before) <= 1e-6
        assert layer.double()(volume.double()).dtype == torch.float64
        layer.float().weight = torch.zeros(32, 32, 3, 3, 3)
        layer.bias = torch.zeros(32)
        assert layer(volume).abs().max() == 0


def test_a_copy_changes_alone() -> None:
    layer = random_conv(32)
    volume = volume_for(32, (4, 4, 4))
    with torch.no_grad():
        before = layer(volume)
        twin = copy.deepcopy(layer)
        for parameter in twin.parameters():
            parameter.zero_()
        assert twin(volume).abs().max() == 0
        assert torch.equal(layer(volume), before)


@pytest.mark.parametrize("build", [random_conv, random_block])
def test_weights_made_in_inference_mode_serve_a_later_gradient(build: object) -> None:
    layer = fold(build(64)).requires_grad_(False)  # type: ignore[operator]
    volume = volume_for(64, (8, 12, 12))
    with torch.inference_mode():
        expected = layer(volume)
    given = volume.clone().requires_grad_()
    output = layer(given)
    output.sum().backward()
    assert relative(output, expected) <= 4e-6
    assert given.grad is not None


def test_parameters_made_in_inference_mode_are_not_kept() -> None:
    with torch.inference_mode():
        layer = nn.Linear(2, 2)
        derived = Derived()
        first = derived.get(layer, "sum", lambda: layer.weight.sum().item())
        layer.weight.add_(1)
        assert derived.get(layer, "sum", lambda: layer.weight.sum().item()) == pytest.approx(
            first + 4
        )


def test_nothing_is_computed_twice_while_parameters_rest() -> None:
    layer, derived, calls = nn.Linear(2, 2), Derived(), []
    with torch.no_grad():
        for _ in range(3):
            derived.get(layer, "count", lambda: calls.append(1))
        layer.bias.zero_()
        derived.get(layer, "count", lambda: calls.append(1))
    assert len(calls) == 2
