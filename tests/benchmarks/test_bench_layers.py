"""The benchmark of the layers: its keys, its settings and its arithmetic, not its times."""

import json
import time

import pytest
import torch

from medsym.benchmarks.layer_kernels import kernel_spaces
from medsym.benchmarks.layer_networks import MirrorLayers, PlainLayers, TimedUNet
from medsym.benchmarks.layer_timing import compare_times
from medsym.benchmarks.layers import format_layers, run_layer_benchmark
from medsym.symmetry import ChannelAction, fold, harden, relative_defect

RATIOS = (
    "train_step_soft_over_plain",
    "inference_folded_over_plain",
    "mirror_block_over_dense",
    "mirror_conv_over_dense",
    "train_step_ours_over_escnn",
)


def test_result_has_the_promised_ratios_and_is_json() -> None:
    threads = torch.get_num_threads()
    result = run_layer_benchmark(
        sizes={256: 2}, seconds=0.01, network_size=8, pairs=1, stack=(1, 4)
    )
    for name in RATIOS:
        row = result["comparisons"][name]["ours"]
        assert result[name] == row["ratio"] > 0
        assert row["low"] <= row["ratio"] <= row["high"]
        assert name in format_layers(result)
    assert json.loads(json.dumps(result)) == result
    assert result["settings"]["sizes"] == {"256": 2}
    assert result["machine"]["torch"] == torch.__version__
    assert torch.get_num_threads() == threads


def test_a_function_that_does_the_work_twice_takes_twice_the_time() -> None:
    def spin() -> None:
        end = time.process_time() + 2e-3
        while time.process_time() < end:
            pass

    steps = {"once": spin, "again": spin, "twice": lambda: (spin(), spin())}
    rows = compare_times(lambda: steps, seconds=0.5)
    assert rows["once"]["ratio"] == 1.0
    assert rows["again"]["ratio"] == pytest.approx(1.0, abs=0.2)
    assert rows["twice"]["ratio"] == pytest.approx(2.0, abs=0.4)


def test_our_kernels_are_complete_and_escnn_default_ones_are_not() -> None:
    space = kernel_spaces()
    assert space["ours"] == 1.0
    assert space["dimension"] == 54
    assert 0.3 < space["escnn"] < 0.5


def test_timed_networks_compute_the_same_function() -> None:
    torch.manual_seed(0)
    soft = TimedUNet(MirrorLayers(), pairs=2)
    volume = torch.randn(1, 2, 8, 8, 8)
    with torch.no_grad():
        before = soft(volume)
        plain = TimedUNet(PlainLayers(), pairs=2)
        plain.load_state_dict(fold(soft).state_dict())
        assert torch.allclose(plain(volume), before, atol=1e-5)


def test_timed_network_is_soft_before_and_exact_after_hardening() -> None:
    torch.manual_seed(0)
    soft = TimedUNet(MirrorLayers(), pairs=2)
    volume, action = torch.randn(1, 2, 8, 8, 8), ChannelAction.regular(1)
    with torch.no_grad():
        assert relative_defect(soft, volume, action_in=action, action_out=action) > 1e-3
        harden(soft)
        assert relative_defect(soft, volume, action_in=action, action_out=action) <= 1e-5
