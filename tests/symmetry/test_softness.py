"""Soft weights: exact at 0, free at 1, exact defect between; fold and harden."""

import copy

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.symmetry import (
    Axis,
    ChannelAction,
    Softness,
    fold,
    harden,
    layer_defect,
    measured_defect,
    relative_defect,
    soften_layer,
    split_kernel,
    twin_kernel,
)
from tests.builders_symmetry import ACTIONS, random_volume

PAIRS = [(a, b) for a in ACTIONS for b in ACTIONS]


def soft_conv(a: ChannelAction, b: ChannelAction, softness: Softness) -> nn.Conv3d:
    torch.manual_seed(0)
    layer = nn.Conv3d(a.channels, b.channels, 3, padding=1)
    soften_layer(layer, action_in=a, action_out=b, softness=softness)
    return layer


@pytest.mark.parametrize(("first", "second"), PAIRS)
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_defect_is_zero_at_softness_zero(
    first: str, second: str, dtype: torch.dtype, limit: float
) -> None:
    a, b = ACTIONS[first], ACTIONS[second]
    layer = soft_conv(a, b, Softness(0.0)).to(dtype)
    volume = random_volume(a, seed=4, dtype=dtype)
    assert relative_defect(layer, volume, action_in=a, action_out=b) <= limit


@pytest.mark.parametrize(("first", "second"), PAIRS)
def test_even_and_odd_parts_add_up_and_are_even_and_odd(first: str, second: str) -> None:
    a, b = ACTIONS[first], ACTIONS[second]
    kernel = torch.randn(b.channels, a.channels, 3, 3, 3, dtype=torch.float64)
    even, odd = split_kernel(kernel, a, b)
    torch.testing.assert_close(even + odd, kernel)
    torch.testing.assert_close(twin_kernel(even, a, b), even)
    torch.testing.assert_close(twin_kernel(odd, a, b), -odd)


GROUPED = [
    (nn.Conv3d(4, 4, 3, padding=1, groups=4), "regular", "regular"),
    (nn.Conv3d(4, 8, 3, padding=2, dilation=2, groups=2), "regular", "two pairs"),
    (nn.ConvTranspose3d(4, 8, 2, 2, groups=2), "regular", "two pairs"),
]


@pytest.mark.parametrize(("layer", "first", "second"), GROUPED)
@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_grouped_layers_are_exact_at_zero_along_any_axis(
    layer: nn.Conv3d, first: str, second: str, axis: Axis
) -> None:
    actions = {
        "regular": ChannelAction.regular(2, axis=axis),
        "two pairs": ChannelAction.regular(4, axis=axis),
    }
    a, b = actions[first], actions[second]
    free = copy.deepcopy(layer).double()
    volume = random_volume(a, seed=3, dtype=torch.float64)
    assert relative_defect(free, volume, action_in=a, action_out=b) > 0.1
    strict = soften_layer(free, action_in=a, action_out=b)
    assert relative_defect(strict, volume, action_in=a, action_out=b) <= 1e-12


@given(softness=st.floats(0.0, 1.0), seed=st.integers(0, 1000))
def test_predicted_defect_is_the_measured_defect(softness: float, seed: int) -> None:
    a, b = ACTIONS["sum"], ACTIONS["regular"]
    layer = soft_conv(a, b, Softness(softness)).double()
    volume = random_volume(a, seed=seed, dtype=torch.float64)
    measured = measured_defect(layer, volume, action_in=a, action_out=b)
    torch.testing.assert_close(layer_defect(layer, volume), measured, atol=1e-12, rtol=1e-9)


def test_softness_one_is_the_free_weight_and_defect_grows_with_softness() -> None:
    a, b = ACTIONS["regular"], ACTIONS["regular"]
    free = nn.Conv3d(4, 4, 3, padding=1)
    torch.manual_seed(0)
    free = nn.Conv3d(4, 4, 3, padding=1)
    torch.testing.assert_close(soft_conv(a, b, Softness(1.0)).weight, free.weight)
    volume = random_volume(a, seed=5)
    defects = [
        relative_defect(soft_conv(a, b, Softness(s)), volume, action_in=a, action_out=b)
        for s in (0.0, 0.1, 0.5, 1.0)
    ]
    assert defects == sorted(defects)
    assert defects[-1] > 0.1


def test_per_channel_softness_is_tied_on_swapped_channels() -> None:
    action = ChannelAction.regular(1)
    softness = Softness(0.3, learned=True, num_channels=2)
    with torch.no_grad():
        softness.logit.copy_(torch.tensor([-2.0, 2.0]))
    values = softness.on(torch.zeros(2, 2, 3, 3, 3), action, dim=0).flatten()
    torch.testing.assert_close(values[0], values[1])


@pytest.mark.parametrize("softness", [0.0, 0.4])
def test_fold_changes_nothing(softness: float) -> None:
    a = ACTIONS["regular"]
    layer = soft_conv(a, a, Softness(softness, learned=softness > 0))
    volume = random_volume(a, seed=6)
    before = layer(volume)
    folded = fold(nn.Sequential(layer))
    assert not any("original" in name for name, _ in folded.named_parameters())
    assert (folded(volume) - before).abs().max() <= 1e-6


def test_harden_gives_exact_symmetry() -> None:
    a = ACTIONS["sum"]
    layer = soft_conv(a, a, Softness(0.7, learned=True))
    volume = random_volume(a, seed=7)
    assert relative_defect(layer, volume, action_in=a, action_out=a) > 1e-2
    harden(layer)
    assert relative_defect(layer, volume, action_in=a, action_out=a) <= 1e-5


def test_gradients_reach_weight_and_softness() -> None:
    a = ACTIONS["regular"]
    softness = Softness(0.2, learned=True)
    layer = soft_conv(a, a, softness)
    layer(random_volume(a, seed=8)).square().sum().backward()
    assert softness.logit.grad is not None
    assert softness.logit.grad.abs() > 0
    assert all(p.grad is not None and p.grad.abs().sum() > 0 for p in layer.parameters())


def test_flip_symmetric_data_gives_the_odd_part_no_gradient() -> None:
    """The known trap: on flip-symmetrised data at W_odd = 0, dL/dW_odd is exactly zero."""
    a = ChannelAction.trivial(1)
    layer = soft_conv(a, a, Softness(1.0)).double()
    raw = layer.parametrizations["weight"].original  # type: ignore[index, union-attr]
    with torch.no_grad():
        raw.copy_(split_kernel(raw, a, a)[0])
    volume = random_volume(a, seed=9, dtype=torch.float64)
    target = random_volume(a, seed=10, dtype=torch.float64)
    for x, y in ((volume, target), (volume.flip(2), target.flip(2))):
        (layer(x) - y).square().mean().backward()
    even, odd = split_kernel(raw.grad, a, a)
    assert odd.abs().max() < 1e-12
    assert even.abs().max() > 1e-3


def test_refusals_name_the_layer() -> None:
    a, torn = ACTIONS["regular"], ChannelAction.labels([2, 1, 0, 3])
    with pytest.raises(ModelError, match=r"MS-211 .*Linear has parameters that soften_layer"):
        soften_layer(nn.Linear(4, 4), action_in=a, action_out=a)
    with pytest.raises(ModelError, match=r"MS-212 ConvTranspose3d: groups=2"):
        soften_layer(
            nn.ConvTranspose3d(4, 4, 2, 2, groups=2),
            action_in=a,
            action_out=a,
            softness=Softness(num_channels=4),
        )
    with pytest.raises(GridError, match=r"MS-206 .*does not map its 2 groups"):
        soften_layer(nn.Conv3d(4, 4, 3, groups=2), action_in=torn, action_out=a)
    with pytest.raises(ModelError, match=r"MS-210 softness: 1.5 lies outside \[0, 1\]"):
        Softness(1.5)
    with pytest.raises(ModelError, match=r"MS-213 Conv3d: its weight carries no mirror"):
        layer_defect(nn.Conv3d(1, 1, 3), torch.zeros(1, 1, 4, 4, 4))


@pytest.mark.parametrize("mode", ["zeros", "circular", "reflect", "replicate"])
def test_the_exact_defect_knows_the_padding(mode: str) -> None:
    action = ACTIONS["trivial"]
    torch.manual_seed(0)
    layer = nn.Conv3d(action.channels, action.channels, 3, padding=1, padding_mode=mode)
    soften_layer(layer, action_in=action, action_out=action, softness=Softness(0.5))
    volume = random_volume(action, seed=3)
    torch.testing.assert_close(
        layer_defect(layer, volume), measured_defect(layer, volume), atol=1e-5, rtol=1e-5
    )


def test_layers_that_share_a_weight_fold_to_the_same_function() -> None:
    action = ChannelAction.trivial(2)
    first, second = (nn.Conv3d(2, 2, 3, padding=1) for _ in range(2))
    second.weight = first.weight
    model = nn.Sequential(first, second)
    for layer in model:
        soften_layer(layer, action_in=action, action_out=action, softness=Softness(0.5))
    volume = random_volume(action, seed=4)
    before = model(volume)
    assert torch.equal(fold(model)(volume), before)


@pytest.mark.filterwarnings("ignore:Using padding")
@pytest.mark.parametrize(
    "layer",
    [
        nn.ConvTranspose3d(2, 2, 3, stride=2, padding=1, output_padding=(1, 0, 0)),
        nn.Conv3d(2, 2, (4, 3, 3), padding="same"),
    ],
)
def test_padding_on_one_side_is_refused_along_the_mirror_only(layer: nn.Module) -> None:
    action = ChannelAction.trivial(2)
    with pytest.raises(ModelError, match="MS-217"):
        soften_layer(layer, action_in=action, action_out=action)
    along_y = ChannelAction.trivial(2, axis="y")
    soften_layer(layer, action_in=along_y, action_out=along_y)
    volume = random_volume(action, seed=5)
    assert relative_defect(layer, volume, action_in=along_y, action_out=along_y) <= 1e-6
