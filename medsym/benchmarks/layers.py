"""What soft symmetry costs in training and inference, and what half the work gains.

All numbers are ratios of least processor times on one thread, taken in turn in this run; below 1
our side is faster. Dense means the ordinary torch layers of the same width on the same input.
"""

import copy
from collections.abc import Callable, Mapping
from typing import Any

import torch
from torch import Tensor, nn
from torch.nn import functional as F

from medsym.benchmarks.layer_kernels import kernel_spaces
from medsym.benchmarks.layer_networks import (
    EscnnStack,
    MirrorLayers,
    PlainLayers,
    TimedUNet,
    mirror_stack,
    training_step,
)
from medsym.benchmarks.layer_timing import Step, compare_times
from medsym.benchmarks.machine import machine
from medsym.nn.half_work import HalfBlock, HalfConv3d, half_types
from medsym.nn.layers import MirrorConv3d
from medsym.symmetry.parametrisation import fold

SIZES = {16: 48, 32: 48, 64: 32, 128: 24, 256: 16, 512: 8}
"""Width -> voxels along each axis of the input."""
HEADLINE_WIDTH = 256

_TARGETS = {
    "train_step_soft_over_plain": "<= 1.05",
    "inference_folded_over_plain": "1.00 +- 0.02",
    "mirror_block_over_dense": "<= 0.62",
    "mirror_conv_over_dense": "<= 0.60",
    "train_step_ours_over_escnn": "<= 1",
}


def run_layer_benchmark(
    *,
    sizes: Mapping[int, int] = SIZES,
    seconds: float = 6.0,
    network_size: int = 32,
    pairs: int = 8,
    stack: tuple[int, int] = (64, 16),
    seed: int = 0,
    report: Callable[[str], None] = lambda _: None,
) -> dict[str, Any]:
    """Measure the five ratios, and block and convolution at every width.

    Args:
        sizes: Width -> voxels along each axis; must contain 256.
        seconds: Processor time per comparison of layers; networks get two or three times as much.
        network_size: Voxels along each axis for the networks, divisible by 4.
        pairs: Channel pairs on the first level of the U-Net.
        stack: (channel pairs, voxels along each axis) of the convolutions beside escnn's.
        seed: Of weights and inputs.
        report: Told what is measured next.

    Returns:
        The five ratios by name, ``comparisons``, and ``blocks`` and ``convs`` by width, with
        ranges and milliseconds, ``kernel_space``, ``settings`` and ``machine``.
    """
    with torch.random.fork_rng(devices=[]):
        torch.manual_seed(seed)
        report("a training step, soft beside plain")
        comparisons = {"train_step_soft_over_plain": _training(pairs, network_size, seconds)}
        report("inference, folded beside plain")
        comparisons["inference_folded_over_plain"] = _inference(pairs, network_size, seconds)
        report("a training step, ours beside escnn")
        comparisons["train_step_ours_over_escnn"] = _escnn(*stack, seconds)
        blocks, convs = {}, {}
        for width, size in sizes.items():
            report(f"blocks and convolutions of width {width}")
            blocks[str(width)] = _versus_dense(DenseBlock, _half_block, width, size, seconds)
            convs[str(width)] = _versus_dense(_dense_conv, _half_conv, width, size, seconds)
    comparisons["mirror_block_over_dense"] = blocks[str(HEADLINE_WIDTH)]
    comparisons["mirror_conv_over_dense"] = convs[str(HEADLINE_WIDTH)]
    settings = {
        "sizes": {str(width): size for width, size in sizes.items()},
        "seconds": seconds,
        "network_size": network_size,
        "pairs": pairs,
        "stack": list(stack),
        "seed": seed,
        "torch_threads": 1,
    }
    return {
        **{name: comparisons[name]["ours"]["ratio"] for name in _TARGETS},
        "comparisons": comparisons,
        "blocks": blocks,
        "convs": convs,
        "kernel_space": kernel_spaces(),
        "settings": settings,
        "machine": machine(),
    }


class DenseBlock(nn.Module):
    """The plain block: depthwise 3x3x3, instance norm, expansion 4, GELU, projection, residual."""

    def __init__(self, width: int) -> None:
        super().__init__()
        self.depthwise = nn.Conv3d(width, width, 3, padding=1, groups=width, bias=False)
        self.norm = nn.InstanceNorm3d(width, affine=True)
        self.expand = nn.Conv3d(width, 4 * width, 1)
        self.project = nn.Conv3d(4 * width, width, 1)

    def forward(self, volume: Tensor) -> Tensor:
        """The block."""
        hidden = F.gelu(self.expand(self.norm(self.depthwise(volume))))
        output: Tensor = volume + self.project(hidden)
        return output


def _dense_conv(width: int) -> nn.Module:
    return nn.Conv3d(width, width, 3, padding=1)


def _half_conv(width: int) -> nn.Module:
    return HalfConv3d(half_types(width), half_types(width))


def _half_block(width: int) -> nn.Module:
    return HalfBlock(half_types(width))


def _versus_dense(
    dense: Callable[[int], nn.Module],
    ours: Callable[[int], nn.Module],
    width: int,
    size: int,
    seconds: float,
) -> dict[str, dict[str, float]]:
    """Inference of one layer: plain, plain channels-last, ours."""

    def build() -> Mapping[str, Step]:
        volume = torch.randn(1, width, size, size, size)
        last = volume.contiguous(memory_format=torch.channels_last_3d)
        plain, half = dense(width).eval(), ours(width).eval()
        return {
            "dense": _pass(plain, volume),
            "dense channels-last": _pass(plain, last),
            "ours": _pass(half, volume),
        }

    return compare_times(build, seconds=seconds)


def _pass(network: nn.Module, volume: Tensor) -> Step:
    def step() -> object:
        with torch.inference_mode():
            return network(volume)

    return step


def _training(pairs: int, size: int, seconds: float) -> dict[str, dict[str, float]]:
    def build() -> Mapping[str, Step]:
        volume = torch.randn(1, 2, size, size, size)
        networks = {
            "plain": TimedUNet(PlainLayers(), pairs=pairs),
            "ours": TimedUNet(MirrorLayers(), pairs=pairs),
        }
        return {name: training_step(network, volume) for name, network in networks.items()}

    return compare_times(build, seconds=3 * seconds)


def _inference(pairs: int, size: int, seconds: float) -> dict[str, dict[str, float]]:
    def build() -> Mapping[str, Step]:
        volume = torch.randn(1, 2, size, size, size)
        soft = TimedUNet(MirrorLayers(), pairs=pairs).eval()
        networks = {
            "plain": TimedUNet(PlainLayers(), pairs=pairs).eval(),
            "ours": fold(copy.deepcopy(soft)),
            "ours, not folded": soft,
        }
        return {name: _pass(network, volume) for name, network in networks.items()}

    return compare_times(build, seconds=2 * seconds)


def _escnn(pairs: int, size: int, seconds: float) -> dict[str, dict[str, float]]:
    def build() -> Mapping[str, Step]:
        volume = torch.randn(1, 2 * pairs, size, size, size)
        networks = {
            "escnn": EscnnStack(pairs=pairs, depth=3),
            "ours": mirror_stack(HalfConv3d, pairs=pairs, depth=3),
            "ours, dense kernels": mirror_stack(MirrorConv3d, pairs=pairs, depth=3),
        }
        return {name: training_step(network, volume) for name, network in networks.items()}

    return compare_times(build, seconds=2 * seconds)


def format_layers(result: dict[str, Any]) -> str:
    """The result of run_layer_benchmark as two small Markdown tables."""
    where, space = result["machine"], result["kernel_space"]
    title = f"one thread of {where['processor']}, torch {where['torch']}"
    lines = [
        f"{title} ({where['torch_capability']}), {where['date']}",
        "",
        "| ratio of least processor times | target | ratio | range over rounds | turns |",
        "|---|---|---|---|---|",
    ]
    for name, target in _TARGETS.items():
        row = result["comparisons"][name]["ours"]
        lines.append(f"| {name} | {target} | {_cells(row)} | {row['turns']:.0f} |")
    beside = result["comparisons"]["train_step_ours_over_escnn"]["ours, dense kernels"]
    reached = f"ours {space['ours']:.0%}, escnn's default {space['escnn']:.0%}"
    lines += [
        "",
        f"training step over escnn's with dense kernels: {beside['ratio']:.3f}",
        f"equivariant 3x3x3 kernels reached: {reached}",
        "The block works in pieces that fit the cache: most of its gain below 128 channels.",
        "",
        "| channels, voxels | block / dense | range | dense ms | conv / dense | range | dense ms |",
        "|---|---|---|---|---|---|---|",
    ]
    for width, size in result["settings"]["sizes"].items():
        block, conv = result["blocks"][width], result["convs"][width]
        lines.append(
            f"| {width}, {size}^3 "
            f"| {_cells(block['ours'])} | {block['dense']['milliseconds']:.1f} "
            f"| {_cells(conv['ours'])} | {conv['dense']['milliseconds']:.1f} |"
        )
    return "\n".join(lines)


def _cells(row: dict[str, float]) -> str:
    return f"{row['ratio']:.3f} | {row['low']:.3f} to {row['high']:.3f}"
