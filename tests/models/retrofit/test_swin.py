"""Swin transformers: windows, position biases and patch merging under the mirror."""

from typing import Any, cast

import pytest
import torch
from torch import Tensor, nn

from medsym.models.retrofit import soften
from medsym.models.retrofit.steps import Planning
from medsym.models.retrofit.strides import axis_index
from medsym.symmetry import Axis, Softness, flip, fold
from tests.models.retrofit.zoo import difference, loud_positions, swin

pytest.importorskip("einops")
from monai.networks.nets.swin_unetr import BasicLayer, PatchMerging, PatchMergingV2

from medsym.models.retrofit.soft_tensors import flipped_order
from medsym.models.retrofit.swin import MirrorWindowAttention, soften_swin_block, soften_swin_layer
from medsym.models.retrofit.swin_plan import corner_order, even_window, fitting_window, plan_merging

AXES: tuple[Axis, ...] = ("x", "y", "z")


def stage(window: tuple[int, int, int]) -> Any:
    torch.manual_seed(0)
    layer = BasicLayer(8, 2, 2, window_size=window, drop_path=[0.0, 0.0], qkv_bias=True)
    return loud_positions(layer).eval()


def softened(layer: Any, axis: Axis, window: int, softness: float = 0.0) -> Any:
    for block in layer.blocks:
        soften_swin_block(block, axis, window, Softness(softness))
    soften_swin_layer(layer, axis, window)
    return layer


def tokens(*size: int) -> Tensor:
    generator = torch.Generator().manual_seed(1)
    return torch.randn(1, 8, *size, generator=generator)


def stage_defect(layer: nn.Module, features: Tensor, axis: Axis) -> float:
    with torch.no_grad():
        output = layer(features)
        return difference(flip(layer(flip(features, axis)), axis), output)


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("size", [12, 6, 4])
def test_even_windows_that_tile_are_exact(axis: Axis, size: int) -> None:
    shape = [size if a == axis else 5 for a in AXES]  # 5: one-sided on the other axes, unharmed
    layer = softened(stage((7, 7, 7)), axis, 6)
    assert stage_defect(layer, tokens(*shape), axis) <= 1e-5


def test_odd_windows_are_not_whatever_the_position_bias() -> None:
    layer = softened(stage((3, 4, 4)), "x", 3)
    assert stage_defect(layer, tokens(9, 4, 4), "x") > 1e-2
    assert stage_defect(layer, tokens(3, 4, 4), "x") <= 1e-5  # no shift where it fits


def test_even_windows_that_do_not_tile_are_not_exact() -> None:
    layer = softened(stage((4, 4, 4)), "x", 4)
    assert stage_defect(layer, tokens(10, 4, 4), "x") > 1e-2
    assert stage_defect(layer, tokens(12, 4, 4), "x") <= 1e-5


@pytest.mark.parametrize("shape", [(8, 4, 4), (8, 3, 2), (2, 3, 4)])
def test_softness_one_is_the_attention_of_monai(shape: tuple[int, int, int]) -> None:
    """Also where the grid is smaller than the window and MONAI reads its table elsewhere."""
    features = tokens(*shape)
    layer = stage((4, 4, 4))
    with torch.no_grad():
        before = layer(features)
        assert difference(softened(layer, "x", 4, softness=1.0)(features), before) <= 1e-6
        assert stage_defect(layer, features, "x") > 1e-2
        fold(layer)
        assert difference(layer(features), before) <= 1e-6


@pytest.mark.parametrize("flash", [False, True])
def test_flash_attention_gets_the_same_bias(flash: bool) -> None:
    torch.manual_seed(0)
    layer = BasicLayer(8, 1, 2, (4, 4, 4), drop_path=[0.0], use_flash_attention=flash)
    layer = softened(loud_positions(layer).eval(), "x", 4)
    assert stage_defect(layer, tokens(8, 4, 4), "x") <= 1e-5


def biases(attention: Any, places: Tensor) -> Tensor:
    rows = attention.relative_position_index[places][:, places]
    return cast("Tensor", attention.relative_position_bias_table[rows].detach())


def test_cropping_the_table_keeps_every_bias() -> None:
    layer = stage((5, 3, 4))
    attention = layer.blocks[1].attn
    numbers = torch.arange(60).reshape(5, 3, 4)
    before = biases(attention, numbers[:4].flatten())
    softened(layer, "x", 4)
    assert layer.blocks[1].window_size == (4, 3, 4)
    assert layer.blocks[1].shift_size == (2, 1, 2)
    assert layer.blocks[0].shift_size == (0, 0, 0)
    assert torch.equal(biases(attention, torch.arange(48)), before)


def test_enlarging_the_table_repeats_its_edge() -> None:
    layer = stage((3, 5, 4))
    attention = layer.blocks[0].attn
    before = biases(attention, torch.arange(60))
    softened(layer, "y", 6)
    inner = torch.arange(72).reshape(3, 6, 4)[:, :5].flatten()
    assert torch.equal(biases(attention, inner), before)
    far = biases(attention, torch.tensor([0, 20]))[0, 1]  # five rows apart in y
    assert torch.equal(far, biases(attention, torch.tensor([0, 16]))[0, 1])


@pytest.mark.parametrize("axis", AXES)
def test_the_bias_is_its_own_mirror_image(axis: Axis) -> None:
    attention = softened(stage((4, 4, 2)), axis, 4 if axis != "z" else 2).blocks[0].attn
    assert isinstance(attention, MirrorWindowAttention)
    order = flipped_order((4, 4, 2), axis)
    bias = attention.position_bias(32)
    torch.testing.assert_close(bias[order][:, order], bias)
    other = flipped_order((4, 4, 2), "y" if axis == "x" else "x")
    assert not torch.allclose(bias[other][:, other], bias, atol=0.1)


class TwiceRead(PatchMergingV2):
    """Patch merging as MONAI had it before 1.0: two corners twice, two never."""

    def forward(self, x: Tensor) -> Tensor:
        corners = [(0, 0, 0), (1, 0, 0), (0, 1, 0), (0, 0, 1)]
        corners += [(1, 0, 1), (0, 1, 0), (0, 0, 1), (1, 1, 1)]
        parts = [x[:, i::2, j::2, k::2] for i, j, k in corners]
        return cast("Tensor", self.reduction(self.norm(torch.cat(parts, -1))))


def planning(axis: Axis) -> Planning:
    return Planning(
        network=nn.Identity(),
        axis=axis,
        actions=cast("Any", None),
        softness=lambda _path, _channels: Softness(),
        grid=(8, 8, 8),
    )


@pytest.mark.parametrize("axis", AXES)
@pytest.mark.parametrize("kind", [PatchMerging, PatchMergingV2])
def test_patch_merging_swaps_corners(kind: type[PatchMergingV2], axis: Axis) -> None:
    torch.manual_seed(0)
    layer = kind(3)
    nn.init.normal_(layer.norm.weight)
    nn.init.normal_(layer.norm.bias)
    volume = torch.randn(1, 4, 6, 2, 3)
    dim = 1 + axis_index(axis)

    def found() -> float:
        return difference(layer(volume.flip(dim)).flip(dim), layer(volume))

    assert found() > 0.1
    apply = plan_merging(planning(axis), "merging", layer).apply
    assert apply is not None
    apply()
    assert found() <= 1e-5


def test_corners_that_are_read_twice_are_refused() -> None:
    assert sorted(corner_order(PatchMerging(2))) == list(range(8))
    finding = plan_merging(planning("x"), "down", TwiceRead(2)).findings[0]
    assert (finding.outcome, finding.path) == ("refused", "down")
    assert 'downsample="mergingv2"' in finding.text


def test_the_window_fits_the_given_size() -> None:
    network = swin()
    assert [even_window(w) for w in (1, 2, 7, 8)] == [1, 2, 6, 8]
    assert fitting_window(network, "x", 1, (96, 32, 32)) == 6
    assert fitting_window(network, "x", 1, (64, 32, 32)) == 8
    assert fitting_window(swin(window_size=4), "x", 1, (96, 32, 32)) is None
    soft = soften(network, size=(64, 32, 32))
    assert "window 7 becomes 8 along x, shift 4" in soft.report.of("window grid")[0].text
    soft.check_grid((64, 32, 32))
