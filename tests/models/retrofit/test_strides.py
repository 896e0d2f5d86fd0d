"""Zero taps make strided layers mirror-safe without changing what they compute."""

import copy
from itertools import product

import pytest
import torch
from torch import Tensor, nn

from medsym.errors import ModelError
from medsym.models.retrofit.strides import grow_kernel, missing_taps, padding_of
from medsym.symmetry import Axis, ChannelAction, measured_defect, soften_layer

PLAIN = list(product((1, 2, 3, 5, 7), (2, 3), (0, 1, 2, 3), (1, 2)))
TRANSPOSED = [(1, 2, 0, 1, 1), (3, 2, 1, 1, 1), (5, 2, 2, 1, 1), (7, 2, 3, 1, 1), (3, 3, 0, 2, 1)]


def along(axis: Axis, value: int, other: int) -> tuple[int, int, int]:
    edges = [value if a == axis else other for a in "xyz"]
    return edges[0], edges[1], edges[2]


def plain(axis: Axis, kernel: int, stride: int, padding: int, dilation: int = 1) -> nn.Conv3d:
    torch.manual_seed(0)
    return nn.Conv3d(
        2,
        3,
        along(axis, kernel, 1),
        stride=along(axis, stride, 1),
        padding=along(axis, padding, 0),
        dilation=along(axis, dilation, 1),
    ).double()


def volume(axis: Axis, size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    shape = (1, 2, *along(axis, size, 3))
    return torch.randn(shape, generator=generator, dtype=torch.float64)


def softened_defect(layer: nn.Conv3d | nn.ConvTranspose3d, given: Tensor, axis: Axis) -> float:
    first = ChannelAction.trivial(layer.in_channels, axis=axis)
    second = ChannelAction.trivial(layer.out_channels, axis=axis)
    soften_layer(layer, action_in=first, action_out=second)
    with torch.no_grad():
        found = measured_defect(layer, given, action_in=first, action_out=second)
        return float(found.norm() / layer(given).norm())


@pytest.mark.parametrize(("kernel", "stride", "padding", "dilation"), PLAIN)
def test_a_grown_convolution_is_the_same_function_and_tiles(
    kernel: int, stride: int, padding: int, dilation: int
) -> None:
    layer = plain("x", kernel, stride, padding, dilation)
    taps = missing_taps(layer, "x")
    if taps is None:  # one unread voxel, and a tap more would reach two further
        assert dilation == 2
        return
    assert 0 <= taps < stride
    given = volume("x", 12 * stride)
    before = layer(given)
    grow_kernel(layer, "x", taps)
    torch.testing.assert_close(layer(given), before, rtol=0.0, atol=1e-12)
    assert layer.kernel_size == (kernel + taps, 1, 1)
    assert softened_defect(layer, given, "x") <= 1e-12


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_without_the_zero_tap_the_even_kernel_is_not_equivariant(axis: Axis) -> None:
    given = volume(axis, 8)
    layer = plain(axis, 3, 2, 1)
    assert missing_taps(layer, axis) == 1
    assert softened_defect(copy.deepcopy(layer), given, axis) > 0.5
    grow_kernel(layer, axis, 1)
    assert softened_defect(layer, given, axis) <= 1e-12


def test_only_the_named_axis_grows() -> None:
    layer = nn.Conv3d(1, 1, 3, stride=2, padding=1)
    grow_kernel(layer, "y", 1)
    assert layer.kernel_size == (3, 4, 3)
    assert layer.weight.shape == (1, 1, 3, 4, 3)
    assert (missing_taps(layer, "x"), missing_taps(layer, "y")) == (1, 0)


@pytest.mark.parametrize(("kernel", "stride", "padding", "extra", "dilation"), TRANSPOSED)
def test_output_padding_becomes_zero_taps(
    kernel: int, stride: int, padding: int, extra: int, dilation: int
) -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose3d(
        2,
        3,
        (kernel, 1, 1),
        stride=(stride, 1, 1),
        padding=(padding, 0, 0),
        output_padding=(extra, 0, 0),
        dilation=(dilation, 1, 1),
    ).double()
    given = volume("x", 6)
    before = layer(given)
    with pytest.raises(ModelError, match="MS-217"):
        softened_defect(copy.deepcopy(layer), given, "x")
    taps = missing_taps(layer, "x")
    assert taps == extra
    grow_kernel(layer, "x", taps)
    torch.testing.assert_close(layer(given), before, rtol=0.0, atol=1e-12)
    assert softened_defect(layer, given, "x") <= 1e-12


def test_a_tap_in_front_moves_a_transposed_convolution_by_one_voxel() -> None:
    torch.manual_seed(0)
    layer = nn.ConvTranspose3d(2, 2, (3, 1, 1), stride=(2, 1, 1), padding=(1, 0, 0)).double()
    given = volume("x", 6)
    before = layer(given)
    grow_kernel(layer, "x", 1, in_front=True)
    after = layer(given)
    assert (before.shape[2], after.shape[2]) == (11, 12)
    torch.testing.assert_close(after[:, :, 1:], before, rtol=0.0, atol=1e-12)


def test_padding_words_are_understood() -> None:
    assert padding_of(nn.Conv3d(1, 1, 5, padding="same"), "x") == 2
    assert padding_of(nn.Conv3d(1, 1, 4, padding="same"), "x") is None
    assert padding_of(nn.Conv3d(1, 1, 4, padding="valid"), "x") == 0
    assert missing_taps(nn.Conv3d(1, 1, 4, padding="same"), "x") is None


def test_frozen_kernels_stay_frozen() -> None:
    layer = nn.Conv3d(1, 1, 3, stride=2, padding=1)
    layer.weight.requires_grad_(False)
    grow_kernel(layer, "x", 1)
    assert not layer.weight.requires_grad
