"""Softness read, written and loaded by the name of its layer."""

import copy

import pytest
import torch
from torch import nn

from medsym.errors import ModelError
from medsym.nn import MirrorConv3d
from medsym.symmetry import ChannelAction, Softness, harden, relative_defect
from medsym.symmetry.softness import load_softness, softness_values
from tests.builders_symmetry import random_volume

R, T = ChannelAction.regular(2), ChannelAction.trivial(1)


def network(*, learned: bool = True) -> nn.Sequential:
    torch.manual_seed(1)
    return nn.Sequential(
        MirrorConv3d(T, R, softness=Softness(0.1, learned=learned)),
        nn.LeakyReLU(),
        MirrorConv3d(R, R, softness=Softness(0.2, learned=learned, num_channels=4)),
        MirrorConv3d(R, T, softness=Softness(0.3, learned=learned)),
    )


def test_values_are_named_by_layer_and_independent_of_the_model() -> None:
    model = network()
    values = softness_values(model)
    assert list(values) == ["0", "2", "3"]
    assert [v.numel() for v in values.values()] == [1, 4, 1]
    torch.testing.assert_close(values["3"], torch.tensor([0.3]))
    values["3"].zero_()
    torch.testing.assert_close(softness_values(model)["3"], torch.tensor([0.3]))


def test_shared_softness_is_listed_once_under_its_first_layer() -> None:
    shared = Softness(0.4)
    model = nn.Sequential(MirrorConv3d(T, R, softness=shared), MirrorConv3d(R, T, softness=shared))
    assert list(softness_values(model)) == ["0"]
    assert list(softness_values(shared)) == [""]
    assert list(softness_values(MirrorConv3d(T, R, softness=shared))) == [""]


@pytest.mark.parametrize("learned", [False, True])
def test_loaded_softness_gives_the_same_function(learned: bool) -> None:
    source, target = network(), network(learned=learned)
    with torch.no_grad():
        for module in source.modules():
            if isinstance(module, Softness):
                module.logit.normal_()
    volume = random_volume(T, seed=2)
    assert (source(volume) - target(volume)).abs().max() > 1e-3
    load_softness(target, softness_values(source))
    assert (source(volume) - target(volume)).abs().max() <= 1e-6


def test_loading_keeps_a_learned_softness_learnable() -> None:
    model = network()
    before = {id(p) for p in model.parameters()}
    load_softness(model, {k: torch.zeros_like(v) for k, v in softness_values(model).items()})
    assert {id(p) for p in model.parameters()} == before
    for value in softness_values(model).values():
        torch.testing.assert_close(value, torch.full_like(value, 1e-4))
    model(random_volume(T, seed=3)).square().sum().backward()
    assert all(p.grad is not None and p.grad.any() for p in model.parameters())


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"3": None}, r"MS-222 softness values: missing: 3\."),
        ({"head": torch.zeros(1)}, r"MS-222 softness values: unknown: head\."),
        ({"2": torch.zeros(3)}, r"MS-221 2: values of shape \(3,\) for a softness of \(4,\)"),
        ({"3": torch.tensor([1.5])}, r"MS-210 softness: 1.5 lies outside \[0, 1\]"),
        ({"3": torch.tensor([torch.nan])}, r"MS-210 softness: nan lies outside \[0, 1\]"),
    ],
)
def test_wrong_entries_are_refused_by_name_and_nothing_changes(
    change: dict[str, torch.Tensor | None], message: str
) -> None:
    model = network()
    values = {**{k: torch.full_like(v, 0.7) for k, v in softness_values(model).items()}, **change}
    with pytest.raises(ModelError, match=message):
        load_softness(model, {k: v for k, v in values.items() if v is not None})
    torch.testing.assert_close(softness_values(model)["0"], torch.tensor([0.1]))


def test_exactness_follows_every_way_in_which_a_constant_changes() -> None:
    softness = Softness(0.0)
    assert softness.is_exact
    softness.write(0.2)
    assert not softness.is_exact
    softness.get_buffer("constant").zero_()
    assert softness.is_exact
    softness.load_state_dict({"constant": torch.tensor([0.5])})
    assert not softness.is_exact
    softness.double().harden()
    assert softness.is_exact
    assert not Softness(0.0, learned=True).is_exact


@pytest.mark.parametrize("value", [0.0, 1.0])
def test_written_softness_reaches_the_ends_exactly(value: float) -> None:
    for dtype in (torch.float32, torch.float64):
        softness = Softness(0.5, learned=True).to(dtype)
        softness.write(value)
        assert float(softness.value.detach()) == value
    with pytest.raises(ModelError, match=r"MS-221 softness: values of shape \(2,\)"):
        softness.write(torch.tensor([0.1, 0.2]))


def test_hardened_network_lists_zeros_and_is_exact() -> None:
    model = harden(network())
    assert not any(v.any() for v in softness_values(model).values())
    assert relative_defect(model, random_volume(T, seed=4)) <= 1e-5


def test_a_copy_does_not_remember_what_its_original_knew() -> None:
    softness = Softness(0.3)
    softness.write(0.0)
    softness.write(0.0)
    assert softness.is_exact
    copied = copy.deepcopy(softness)
    copied.write(0.3)
    assert not copied.is_exact
    assert softness.is_exact
