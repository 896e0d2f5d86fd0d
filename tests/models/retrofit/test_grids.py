"""Sizes that break the mirror are refused by the name of the layer, with sizes that work."""

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.errors import GridError
from medsym.models.retrofit import soften
from medsym.models.retrofit.grid_check import check_grid
from medsym.symmetry import Axis
from tests.models.retrofit.zoo import ZOO, difference, made, mednext, swin, unet

REFUSED = [
    ("BasicUNet", (34, 16, 16), "down_2.max_pooling", "32 or 48"),
    ("UNet", (18, 12, 8), "model.1.submodule.0.conv", "16 or 20"),
    ("UNet residual", (17, 12, 8), "model.0.residual", "16 or 20"),
    ("SegResNet", (20, 16, 16), "down_layers.3.0.conv", "16 or 24"),
    ("DynUNet residual", (20, 16, 16), "bottleneck.conv1.conv", "16 or 24"),
    ("AttentionUnet", (14, 12, 8), "model.1.submodule.1.submodule.conv.0.conv", "12 or 16"),
    ("MedNeXt", (40, 16, 16), "down_blocks.3.conv1", "32 or 48"),
]


@pytest.mark.parametrize(("name", "shape", "layer", "sizes"), REFUSED)
def test_a_one_sided_size_is_refused_by_layer(
    name: str, shape: tuple[int, int, int], layer: str, sizes: str
) -> None:
    soft = soften(made(name))
    with pytest.raises(GridError, match=r"MS-250") as refusal:
        soft(torch.zeros(1, 1, *shape))
    assert refusal.value.subject == layer
    assert f"use a size of {sizes} along x" in refusal.value.fix
    for size in sizes.split(" or "):
        soft.check_grid((int(size), *ZOO[name][1][1:]))


def test_only_the_mirrored_axis_is_restricted() -> None:
    soft = soften(ZOO["BasicUNet"][0](), "y")
    soft.check_grid((17, 32, 19))
    with pytest.raises(GridError, match=r"MS-250 down_1\.max_pooling: 17x33x19 .*along y"):
        soft.check_grid((17, 33, 19))


def test_tensor_shapes_are_accepted_and_remembered() -> None:
    soft = soften(unet())
    soft.check_grid((1, 1, 16, 12, 8))
    soft.network.forward = None  # type: ignore[assignment]
    soft.check_grid((16, 12, 8))


def test_a_size_that_the_network_refuses_is_refused_with_its_words() -> None:
    soft = soften(unet())
    with pytest.raises(GridError, match=r"MS-251 UNet: does not run on 16x13x8: Sizes of") as found:
        soft.check_grid((16, 13, 8))
    assert "no size along x near 16 works; check the other axes too" in found.value.fix


@pytest.mark.slow
def test_windows_have_to_tile_every_stage() -> None:
    soft = soften(swin(window_size=4))
    soft.check_grid((64, 32, 32))
    with pytest.raises(GridError, match=r"MS-250 swinViT\.layers\S+ .*windows of 4, shift"):
        soft.check_grid((96, 32, 32))


class Around(nn.Module):
    """A convolution and one more operation."""

    def __init__(self, operation: str) -> None:
        super().__init__()
        self.layer = nn.Conv3d(1, 1, 3, padding=1)
        self.operation = operation

    def forward(self, volume: Tensor) -> Tensor:
        features: Tensor = self.layer(volume)
        match self.operation:
            case "pad":
                return F.pad(features, (0, 0, 0, 0, 1, 0))
            case "nearest":
                return F.interpolate(features, size=(volume.shape[2] * 3 // 2, 6, 6))
            case "scale":
                return F.interpolate(features, scale_factor=1.5, mode="trilinear")
            case "pool":
                return F.avg_pool3d(features, (2, 1, 1))
            case _:
                return F.max_pool3d(features, 3, stride=2, padding=1, ceil_mode=True)


@pytest.mark.parametrize(
    ("operation", "size", "words"),
    [
        ("pad", 8, "pads 1 voxels on one side and 0 on the other"),
        ("nearest", 8, "nearest resampling from 8 to 12 is one-sided"),
        ("scale", 9, "trilinear resampling from 9 to 13 is one-sided"),
        ("pool", 9, "a window of 2, stride 2"),
        ("ceil", 8, "a window of 3, stride 2"),
    ],
)
def test_one_sided_operations_between_layers_are_refused(
    operation: str, size: int, words: str
) -> None:
    soft = soften(Around(operation), size=8)
    with pytest.raises(GridError, match=words):
        soft.check_grid((size, 6, 6))
    volume = torch.randn(1, 1, size, 6, 6)
    output, mirrored = soft.network(volume), soft.network(volume.flip(2))
    assert difference(mirrored, output.flip(2)) > 0.1  # rightly so


@pytest.mark.parametrize(("operation", "size"), [("scale", 8), ("pool", 8), ("ceil", 9)])
def test_the_same_operations_pass_where_they_are_symmetric(operation: str, size: int) -> None:
    soft = soften(Around(operation), size=8)
    volume = torch.randn(1, 1, size, 6, 6)
    output, mirrored = soft(volume), soft(volume.flip(2))
    assert difference(mirrored, output.flip(2)) <= 1e-5


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_a_network_that_was_not_softened_fails_the_check_of_its_own_up_blocks(axis: Axis) -> None:
    network = mednext()
    with pytest.raises(GridError, match="leaves voxels of one side unread"):
        check_grid(network, (32, 32, 32), axis=axis, channels=1)
