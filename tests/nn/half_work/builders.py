"""Half-work layers with random weights, and the dense results they have to equal."""

from typing import TypeVar

import pytest
import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.nn.half_work import block, convolution
from medsym.nn.half_work.block import HalfBlock
from medsym.nn.half_work.convolution import HalfConv3d, half_types
from medsym.symmetry import Softness

Layer = TypeVar("Layer", bound=nn.Module)


def randomised(layer: Layer) -> Layer:
    """Every parameter drawn anew, which breaks ties that initialisation may hide."""
    torch.manual_seed(0)
    for parameter in layer.parameters():
        nn.init.normal_(parameter, std=parameter[0].numel() ** -0.5)
    return layer


def random_conv(
    width: int, *, out: int | None = None, kernel: int = 3, softness: float = 0.0, bias: bool = True
) -> HalfConv3d:
    first, second = half_types(width), half_types(out or width)
    layer = HalfConv3d(first, second, kernel_size=kernel, softness=Softness(softness), bias=bias)
    randomised(layer)
    return layer


def random_block(width: int, *, norm: str = "instance", softness: float = 0.0) -> HalfBlock:
    layer = HalfBlock(half_types(width), norm=norm, softness=Softness(softness))  # type: ignore[arg-type]
    randomised(layer)
    return layer


def volume_for(width: int, size: tuple[int, int, int], *, batch: int = 1, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(batch, width, *size, generator=generator)


def dense_conv(layer: HalfConv3d, volume: Tensor) -> Tensor:
    """What an ordinary convolution with the layer's own weight computes."""
    return F.conv3d(volume, layer.weight, layer.bias, padding=layer.padding)


def choose(monkeypatch: pytest.MonkeyPatch, *, half: bool) -> None:
    """Let every layer take one path, whatever its width."""
    for module, rule in ((convolution, "convolution_wins"), (block, "block_wins")):
        monkeypatch.setattr(module, rule, lambda *_args, **_options: half)


def relative(first: Tensor, second: Tensor) -> float:
    first, second = first.detach(), second.detach()
    return float((first - second).norm() / second.norm())
