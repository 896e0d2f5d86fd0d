"""Ten thousand random trials and an adversarial search never break a certificate."""

import pytest
import torch
from torch import Tensor, nn

from medsym.nn.layers import MirrorConv3d
from medsym.symmetry import ChannelAction, Softness, measured_defect
from medsym.symmetry.certificates.certify import certify
from medsym.symmetry.parts import split_kernel
from tests.builders_certificate import certificate, random_network

NETWORKS, INPUTS = 200, 50


@pytest.mark.slow
def test_ten_thousand_random_trials_hold_and_the_unsound_variants_fail_the_same_trials() -> None:
    bound = without_rounding = 0
    a_priori, defects = 0, 0
    for seed in range(NETWORKS):
        found = certificate(seed, INPUTS)
        bound += int((found.measured > found.running).sum())
        a_priori += int((found.measured > found.a_priori).sum())
        without_rounding += int((found.measured > found.running - found.rounding).sum())
        defects += int((found.measured > 1e-3 * found.output_norm).sum())
    assert (bound, a_priori) == (0, 0)
    assert defects > NETWORKS * INPUTS // 2  # most trials have a defect to bound
    assert without_rounding > 20  # a bound that fails in floating point is not a bound


def ratio(network: nn.Module, volume: Tensor) -> float:
    return float(certify(network, volume).tightness.max())


def two_convolutions(seed: int, last: float) -> tuple[nn.Sequential, ChannelAction]:
    torch.manual_seed(seed)
    inner, image = ChannelAction.regular(1), ChannelAction.trivial(1)
    network = nn.Sequential(
        MirrorConv3d(image, inner, softness=Softness(0.5)),
        nn.LeakyReLU(0.5),
        MirrorConv3d(inner, image, softness=Softness(last)),
    )
    return network.double().eval(), inner


def steering_bound(network: nn.Sequential, volume: Tensor, inner: ChannelAction) -> Tensor:
    """A differentiable stand-in for the running bound; it steers, the certificate judges."""
    image = ChannelAction.trivial(1)
    first, second = network[0], network[2]
    features = network[1](first(volume))
    source = volume.new_zeros(())
    total = volume.new_zeros(())
    for layer, given, taken, h in (
        (first, image, inner, volume),
        (second, inner, image, features),
    ):
        kernel = layer.weight
        odd = split_kernel(kernel, given, taken)[1]
        source = 2.0 * nn.functional.conv3d(h, odd, padding=1).norm()
        symbols = torch.fft.fftn(kernel, s=(8, 8, 8), dim=(2, 3, 4)).flatten(2).permute(2, 0, 1)
        total = torch.linalg.matrix_norm(symbols, 2).max() * total + source
    return total


@pytest.mark.slow
@pytest.mark.parametrize(("seed", "last"), [(0, 0.5), (1, 0.0)])
def test_gradient_ascent_on_measured_over_bound_approaches_one_and_never_passes_it(
    seed: int, last: float
) -> None:
    network, inner = two_convolutions(seed, last)
    volume = torch.randn(1, 1, 6, 6, 6, dtype=torch.float64).requires_grad_()
    start = ratio(network, volume)
    optimiser = torch.optim.Adam([volume, *network.parameters()], lr=0.03)
    ratios = []
    for step in range(240):
        measured = measured_defect(network, volume).norm()
        loss = steering_bound(network, volume, inner).log() - measured.log()
        optimiser.zero_grad()
        loss.backward()
        optimiser.step()
        if step % 20 == 19:
            ratios.append(ratio(network, volume))
    assert max(ratios) <= 1.0
    assert max(ratios) > max(0.75, 1.2 * start)


def test_gradient_ascent_over_inputs_never_passes_the_a_priori_bound() -> None:
    for seed in range(8):
        network, action = random_network(seed)
        network.double()
        volume = torch.randn(4, 1, 8, 4, 4, dtype=torch.float64)
        volume = volume / volume.flatten(1).norm(dim=1).view(-1, 1, 1, 1, 1)
        bound = certify(network, volume, action_out=action, radius=1.0).a_priori
        for _ in range(15):
            volume = volume.detach().requires_grad_()
            defect = measured_defect(network, volume, action_out=action).flatten(1).norm(dim=1)
            assert float(defect.detach().max()) <= bound
            defect.sum().backward()
            step = torch.nn.functional.normalize(volume.grad.flatten(1)).view_as(volume)
            volume = volume + 0.3 * step
            volume = volume / volume.flatten(1).norm(dim=1).view(-1, 1, 1, 1, 1).clamp_min(1.0)
