"""Laws of the convolution that pre-adds its taps: equal to the dense one, only cheaper."""

import copy

import pytest
import torch
from torch import nn

from medsym.errors import ModelError
from medsym.nn.half_work.convolution import HalfConv3d, half_types
from medsym.nn.half_work.rule import convolution_wins
from medsym.nn.half_work.taps import half_convolution, half_kernel
from medsym.symmetry import ChannelAction, Softness, fold, harden, relative_defect, split_kernel
from tests.nn.half_work.builders import (
    choose,
    dense_conv,
    random_conv,
    randomised,
    relative,
    volume_for,
)

SIZES = [(8, 6, 4), (7, 5, 3), (1, 4, 5), (2, 1, 1), (12, 3, 9)]


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("size", SIZES)
@pytest.mark.parametrize("widths_and_kernel", [(2, 2, 3), (8, 4, 3), (6, 10, 5), (4, 4, 7)])
def test_half_kernel_gives_the_dense_output(
    widths_and_kernel: tuple[int, int, int],
    size: tuple[int, int, int],
    grad: bool,
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    choose(monkeypatch, half=True)
    width, out, kernel = widths_and_kernel
    layer = random_conv(width, out=out, kernel=kernel)
    volume = volume_for(width, size, batch=2)
    with torch.set_grad_enabled(grad):
        assert relative(layer(volume), dense_conv(layer, volume)) <= 4e-6


@pytest.mark.parametrize("width", [16, 32, 64, 128, 256])
def test_chosen_path_gives_the_dense_output_at_every_width(width: int) -> None:
    layer = random_conv(width)
    volume = volume_for(width, (6, 5, 4))
    with torch.no_grad():
        assert relative(layer(volume), dense_conv(layer, volume)) <= 4e-6


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
@pytest.mark.parametrize("width", [8, 32, 64])
@pytest.mark.parametrize("grad", [False, True])
def test_conv_is_exact_at_softness_zero(
    width: int, dtype: torch.dtype, limit: float, grad: bool
) -> None:
    layer = random_conv(width).to(dtype)
    action = half_types(width)
    volume = volume_for(width, (7, 6, 5)).to(dtype).requires_grad_(grad)
    with torch.set_grad_enabled(grad):
        assert relative_defect(layer, volume, action_in=action, action_out=action) <= limit


def test_slabs_and_memory_format_do_not_change_the_output() -> None:
    layer = random_conv(32)
    volume = volume_for(32, (21, 24, 24), batch=2)
    with torch.no_grad():
        expected = dense_conv(layer, volume)
        last = layer(volume.contiguous(memory_format=torch.channels_last_3d))
        assert relative(layer(volume), expected) <= 4e-6
        assert relative(last, expected) <= 4e-6
    assert last.is_contiguous(memory_format=torch.channels_last_3d)


@pytest.mark.parametrize("dim", [3, 4])
def test_taps_added_along_another_axis_are_wrong(dim: int) -> None:
    layer = random_conv(8)
    volume = volume_for(8, (6, 6, 6))
    with torch.no_grad():
        kernel, expected = half_kernel(layer.weight), dense_conv(layer, volume)
        turned = half_convolution(volume.transpose(2, dim), kernel, layer.bias).transpose(2, dim)
        right = half_convolution(volume, kernel, layer.bias)
    assert relative(right, expected) <= 4e-6
    assert relative(turned, expected) > 0.1


def test_exchanged_types_and_left_for_right_are_wrong() -> None:
    layer = random_conv(8, bias=False)
    volume = volume_for(8, (6, 6, 6))
    with torch.no_grad():
        expected = dense_conv(layer, volume)
        kernel = half_kernel(layer.weight)
        exchanged = half_convolution(volume.roll(4, dims=1), kernel, None)
        other_side = half_convolution(volume, half_kernel(layer.weight.flip(2)), None)
    assert relative(exchanged, expected) > 0.1
    assert relative(other_side, expected) > 0.1


def test_half_kernel_has_half_the_numbers_and_projects() -> None:
    action = half_types(8)
    weight = torch.randn(8, 8, 3, 3, 3)
    even, _ = split_kernel(weight, action, action)
    assert half_kernel(weight).numel() * 2 == weight.numel()
    assert torch.allclose(half_kernel(weight), half_kernel(even), atol=1e-6)


@pytest.mark.parametrize("frozen_input", [False, True])
def test_gradients_are_those_of_the_dense_layer(
    frozen_input: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    layer = random_conv(8, out=6)
    gradients = []
    for half in (False, True):
        choose(monkeypatch, half=half)
        volume = volume_for(8, (5, 6, 4), batch=2).requires_grad_(not frozen_input)
        wanted = [*layer.parameters()] + ([] if frozen_input else [volume])
        gradients.append(torch.autograd.grad(layer(volume).sin().sum(), wanted))
    for dense, half_work in zip(*gradients, strict=True):
        assert dense.abs().max() > 0
        assert relative(half_work, dense) <= 1e-5


def test_half_kernel_passes_gradcheck() -> None:
    weight = torch.randn(2, 2, 3, 3, 1, dtype=torch.float64, requires_grad=True)
    volume = torch.randn(1, 2, 3, 2, 2, dtype=torch.float64, requires_grad=True)
    assert torch.autograd.gradcheck(
        lambda v, w: half_convolution(v, half_kernel(w), None), (volume, weight)
    )


def test_soft_layer_runs_dense_and_leaves_the_symmetry() -> None:
    layer = random_conv(32, softness=0.5)
    action, volume = half_types(32), volume_for(32, (6, 6, 6))
    assert not layer.works_half(recorded=False)
    with torch.no_grad():
        assert relative(layer(volume), dense_conv(layer, volume)) <= 1e-6
        assert relative_defect(layer, volume, action_in=action, action_out=action) > 1e-2
        harden(layer)
        assert layer.works_half(recorded=False)
        assert relative_defect(layer, volume, action_in=action, action_out=action) <= 1e-5


@pytest.mark.parametrize("softness", [0.0, 0.5])
def test_fold_gives_the_same_output_with_a_plain_kernel(softness: float) -> None:
    layer = random_conv(32, softness=softness)
    volume = volume_for(32, (6, 5, 4))
    folded = fold(copy.deepcopy(layer))
    plain = nn.Conv3d(32, 32, 3, padding=1)
    plain.load_state_dict(folded.state_dict())
    with torch.no_grad():
        assert relative(folded(volume), layer(volume)) <= 1e-6
        assert relative(plain(volume), layer(volume)) <= 4e-6
    assert folded.works_half(recorded=False) == (softness == 0.0)


def test_folded_layer_that_is_trained_is_free() -> None:
    folded = fold(random_conv(64))
    volume = volume_for(64, (4, 4, 4))
    optimiser = torch.optim.SGD(folded.parameters(), lr=0.1)
    folded(volume).square().sum().backward()
    optimiser.step()
    assert not folded.works_half(recorded=False)
    with torch.no_grad():
        assert relative(folded(volume), dense_conv(folded, volume)) <= 1e-6


@pytest.mark.parametrize("grad", [False, True])
@pytest.mark.parametrize("regular", [(True, True), (True, False), (False, True)])
def test_regular_channels_give_the_dense_output(
    regular: tuple[bool, bool], grad: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    choose(monkeypatch, half=True)
    first, second = (ChannelAction.regular(4) if r else half_types(8) for r in regular)
    layer = randomised(HalfConv3d(first, second))
    volume = volume_for(8, (7, 6, 5), batch=2)
    with torch.set_grad_enabled(grad):
        assert layer.works_half(recorded=grad)
        assert relative(layer(volume), dense_conv(layer, volume)) <= 4e-6
        assert relative_defect(layer, volume, action_in=first, action_out=second) <= 1e-5
        swapped = volume.unflatten(1, (4, 2)).flip(2).flatten(1, 2)  # left channels for right ones
        assert relative(layer(swapped), dense_conv(layer, volume)) > 0.1


def test_rule_depends_on_widths_alone() -> None:
    assert convolution_wins(64, 64, recorded=False, regular=True)
    assert not convolution_wins(32, 64, recorded=False, regular=True)
    assert not convolution_wins(64, 64, recorded=True, regular=True)
    assert not convolution_wins(16, 256, recorded=False)
    assert convolution_wins(32, 32, recorded=False)
    assert not convolution_wins(32, 32, recorded=True)
    assert convolution_wins(64, 128, recorded=True)


def test_refuses_other_channels_and_pointwise_kernels() -> None:
    labels = ChannelAction.labels([0, 2, 1, 3])
    for action in (labels, ChannelAction.sign(8), half_types(8).twisted()):
        with pytest.raises(ModelError, match="MS-215"):
            HalfConv3d(action, half_types(8))
    other = ChannelAction.trivial(4, axis="y") + ChannelAction.sign(4, axis="y")
    with pytest.raises(ModelError, match="MS-215"):
        HalfConv3d(other, other)
    with pytest.raises(ModelError, match="MS-216"):
        HalfConv3d(half_types(8), half_types(8), kernel_size=1, softness=Softness())
