"""Laws that every layer obeys; a new layer is added to LAYERS and nothing else is needed."""

import copy
from collections.abc import Callable

import pytest
import torch
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.nn import (
    ContralateralExchange,
    MirrorConv3d,
    MirrorInstanceNorm3d,
    MirrorUpsample,
    activation,
    downsample,
)
from medsym.symmetry import ChannelAction, Softness, fold, mirror, relative_defect
from tests.builders_symmetry import random_volume

R, S, T = ChannelAction.regular(3), ChannelAction.sign(2), ChannelAction.trivial(2)
Builder = Callable[[Softness], nn.Module]
LAYERS: dict[str, tuple[Builder, ChannelAction, ChannelAction]] = {
    "conv trivial-regular": (lambda s: MirrorConv3d(T, R, softness=s), T, R),
    "conv regular-sign": (lambda s: MirrorConv3d(R, S, softness=s), R, S),
    "conv sign-trivial": (lambda s: MirrorConv3d(S, T, softness=s), S, T),
    "conv 1": (lambda s: MirrorConv3d(R, R, kernel_size=1, softness=s), R, R),
    "conv 5": (lambda s: MirrorConv3d(R, T, kernel_size=5, softness=s), R, T),
    "down": (lambda s: downsample(R, R, softness=s), R, R),
    "up": (lambda s: MirrorUpsample(R, T, softness=s), R, T),
    "norm": (lambda s: MirrorInstanceNorm3d(R + S, softness=s), R + S, R + S),
    "exchange": (lambda s: ContralateralExchange(R, softness=s), R, R),
    "exchange window": (lambda s: ContralateralExchange(R, radius=1, softness=s), R, R),
    "leaky relu": (lambda _: activation(R), R, R),
    "tanh": (lambda _: activation(S), S, S),
}


def build(name: str, softness: float) -> tuple[nn.Module, ChannelAction, ChannelAction]:
    builder, first, second = LAYERS[name]
    torch.manual_seed(0)
    layer = builder(Softness(softness))
    for parameter in layer.parameters():  # break every tie that initialisation may hide
        nn.init.normal_(parameter)
    return layer, first, second


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_layer_is_exact_at_softness_zero(name: str, dtype: torch.dtype, limit: float) -> None:
    layer, first, second = build(name, 0.0)
    volume = random_volume(first, seed=1, dtype=dtype)
    defect = relative_defect(layer.to(dtype), volume, action_in=first, action_out=second)
    assert defect <= limit


@pytest.mark.parametrize("name", [n for n in LAYERS if "conv" in n or n in ("down", "up", "norm")])
def test_layer_leaves_the_symmetry_when_soft(name: str) -> None:
    layer, first, second = build(name, 0.5)
    volume = random_volume(first, seed=2)
    assert relative_defect(layer, volume, action_in=first, action_out=second) > 1e-2


@pytest.mark.parametrize("name", LAYERS)
@pytest.mark.parametrize("softness", [0.0, 0.5])
def test_fold_changes_nothing(name: str, softness: float) -> None:
    layer, first, _ = build(name, softness)
    volume = random_volume(first, seed=3)
    folded = fold(copy.deepcopy(layer))
    assert (folded(volume) - layer(volume)).abs().max() <= 1e-6


@pytest.mark.parametrize("name", LAYERS)
def test_gradients_exist_for_every_parameter(name: str) -> None:
    layer, first, _ = build(name, 0.5)
    volume = random_volume(first, seed=4).requires_grad_()
    layer(volume).square().sum().backward()
    assert volume.grad is not None
    assert volume.grad.abs().sum() > 0
    for label, parameter in layer.named_parameters():
        assert parameter.grad is not None, label
        assert torch.isfinite(parameter.grad).all(), label


def test_training_steps_do_not_untie_the_weights() -> None:
    net = nn.Sequential(MirrorConv3d(T, R), MirrorInstanceNorm3d(R), activation(R))
    optimiser = torch.optim.AdamW(net.parameters(), lr=0.05)
    volume, target = random_volume(T, seed=5), random_volume(R, seed=6)
    for _ in range(5):
        optimiser.zero_grad()
        (net(volume) - target).square().mean().backward()
        optimiser.step()
    assert relative_defect(net, volume, action_in=T, action_out=R) <= 1e-5


def test_exchange_sees_the_other_side() -> None:
    """A one-sided lump changes the output at its mirror place, which plain features cannot."""
    layer, first, _ = build("exchange", 0.0)
    volume = torch.zeros(1, first.channels, 8, 4, 4)
    quiet = layer(volume)
    volume[:, :, 1, 2, 2] = 1.0
    changed = (layer(volume) - quiet).abs().sum(dim=1)[0]
    assert changed[6, 2, 2] > 1e-3
    assert changed[5, 2, 2] == 0.0


def test_window_of_the_exchange_forgives_a_shift_of_one_voxel() -> None:
    strict, first, _ = build("exchange", 0.0)
    window = ContralateralExchange(first, radius=1)
    window.load_state_dict(strict.state_dict(), strict=False)
    with torch.no_grad():
        window.sharpness.fill_(300.0)
    fold_left = torch.zeros(1, first.channels, 8, 6, 4)
    fold_left[:, :, 1, 3] = 3.0
    shifted = fold_left + mirror(fold_left).roll(1, dims=3)
    other = mirror(shifted, first)
    assert (window._match(shifted, other) - shifted).abs().max() < 0.1
    assert (other - shifted).abs().max() == 3.0


def test_sizes_that_break_the_mirror_are_refused() -> None:
    layer = downsample(T, T)
    with pytest.raises(GridError, match=r"MS-203 .*size 9 across the mid-plane with kernel 2"):
        layer(torch.zeros(1, 2, 9, 8, 8))
    with pytest.raises(ModelError, match=r"MS-214 MirrorConv3d: kernel 4 at stride 1"):
        MirrorConv3d(T, T, kernel_size=4)
