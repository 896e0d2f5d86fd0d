"""The output moves at most C(x) times the change of softness, for every softness."""

import pytest
import torch
from torch import nn

from medsym.errors import ModelError
from medsym.nn.layers import MirrorConv3d, MirrorInstanceNorm3d
from medsym.symmetry import ChannelAction, Softness
from medsym.symmetry.certificates.stability import OtherSoftness, softness_stability
from medsym.symmetry.softness import softnesses
from tests.builders_certificate import random_network, varied_inputs

IMAGE, PAIR = ChannelAction.trivial(1), ChannelAction.regular(1)


def turn(network: nn.Module, generator: torch.Generator, spread: float) -> float:
    """Move every softness on its own; returns the largest change that the layers see."""
    largest = 0.0
    for _, softness in softnesses(network):
        old = softness.value.clone()
        moved = (old + spread * (2.0 * torch.rand(old.shape, generator=generator) - 1.0)).clamp(
            0, 1
        )
        softness.write(moved)
        largest = max(largest, float((moved - old).abs().max()))
    return largest


@pytest.mark.slow
def test_ten_thousand_turns_of_softness_stay_within_the_constant() -> None:
    tightest, violations = 0.0, 0
    for seed in range(100):
        network, _ = random_network(1000 + seed)
        generator = torch.Generator().manual_seed(seed)
        volume = varied_inputs(seed, 20)
        stability = softness_stability(network, volume)
        before = {name: softness.value.clone() for name, softness in softnesses(network)}
        with torch.no_grad():
            start = network(volume).double()
            for spread in (1.0, 0.3, 0.03, 1e-3, 1.0):
                change = turn(network, generator, spread)
                moved = (network(volume).double() - start).flatten(1).norm(dim=1)
                violations += int((moved > stability.constant * change + stability.rounding).sum())
                share = moved / (stability.constant * change + stability.rounding)
                tightest = max(tightest, float(share.nan_to_num().max()))
                for name, softness in softnesses(network):
                    softness.write(before[name])
    assert violations == 0
    assert tightest > 0.5  # the constant is no mere large number


def test_for_one_layer_the_constant_is_the_odd_part_of_the_output() -> None:
    layer = MirrorConv3d(IMAGE, PAIR, softness=Softness(0.25)).double()
    volume = torch.randn(2, 1, 6, 6, 6, dtype=torch.float64)
    stability = softness_stability(layer, volume)
    with torch.no_grad():
        start = layer(volume)
        next(softness for _, softness in softnesses(layer)).write(0.75)
        moved = (layer(volume) - start).flatten(1).norm(dim=1)
    assert torch.allclose(moved, 0.5 * stability.constant, rtol=1e-9)


def test_a_network_without_softness_does_not_move() -> None:
    network = nn.Sequential(nn.Conv3d(1, 2, 3), nn.ReLU(), nn.MaxPool3d(3, 2)).eval()
    stability = softness_stability(network, torch.randn(1, 1, 8, 8, 8))
    assert float(stability.constant) == 0.0
    assert float(stability.rounding) > 0.0


def test_the_constant_includes_soft_norms_and_biases() -> None:
    norm = MirrorInstanceNorm3d(PAIR, softness=Softness(0.5))
    with torch.no_grad():
        norm.parametrizations["bias"].original.copy_(torch.tensor([1.0, -1.0]))
    network = nn.Sequential(MirrorConv3d(IMAGE, PAIR), norm).eval()
    stability = softness_stability(network, torch.randn(1, 1, 4, 4, 4))
    assert float(stability.constant) >= (2.0 * 64.0) ** 0.5  # each of 64 voxels moves by 1 twice


def test_a_vector_is_bounded_at_every_softness_from_any_other() -> None:
    even, odd = torch.randn(2, 1000, dtype=torch.float64)
    comparison = OtherSoftness()
    for a in (0.0, 0.3, 1.0):
        limit = comparison.largest(even + a * odd, odd)
        for b in (0.0, 0.6, 1.0):
            assert bool(((even + b * odd).abs() <= limit + 1e-12).all())


def test_softness_that_varies_over_the_voxels_is_refused_by_name() -> None:
    class Varying(Softness):
        varies = True

    network = nn.Sequential(nn.Identity(), MirrorConv3d(IMAGE, PAIR, softness=Softness(0.5)))
    network[1].parametrizations["weight"][0].softness = Varying(0.5)
    with pytest.raises(ModelError, match=r"MS-260 1: .*Varying"):
        softness_stability(network, torch.randn(1, 1, 4, 4, 4))
