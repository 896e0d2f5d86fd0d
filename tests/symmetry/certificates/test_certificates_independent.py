"""Other implementations agree: dense matrices with numpy, interval analysis, auto_LiRPA.

auto_LiRPA is not a development dependency: its last release on PyPI (0.3) needs torch below 1.13.
With its repository's current version installed the test at the end runs too.
"""

from typing import Any

import numpy as np
import numpy.typing as npt
import pytest
import torch
from torch import Tensor, nn

from medsym.nn.layers import MirrorConv3d
from medsym.symmetry import ChannelAction, Softness, measured_defect, mirror
from medsym.symmetry.certificates import certify, layer_certificates

Matrix = npt.NDArray[np.float64]
SHAPE = (1, 1, 8, 6, 5)
IMAGE, PAIR = ChannelAction.trivial(1), ChannelAction.regular(1)


def network_of(seed: int, softness: float = 0.2) -> nn.Sequential:
    torch.manual_seed(seed)
    layers = MirrorConv3d(IMAGE, PAIR, softness=Softness(softness)), nn.ReLU()
    last = MirrorConv3d(PAIR, IMAGE, softness=Softness(softness))
    return nn.Sequential(*layers, last).double().eval()


def dense(function: Any, shape: tuple[int, ...]) -> tuple[Matrix, Matrix]:
    """(matrix, offset) of an affine function of volumes, by automatic differentiation."""
    zero = torch.zeros(shape, dtype=torch.float64)
    with torch.no_grad():
        offset = function(zero).flatten().numpy()
    jacobian = torch.func.jacrev(lambda x: function(x).flatten())(zero)
    return jacobian.reshape(len(offset), -1).detach().numpy(), offset


class Dense:
    """A network, its mirror twin and their distance in matrices, without any of the rules."""

    def __init__(self, network: nn.Sequential) -> None:
        inner = (1, 2, *SHAPE[2:])
        self.layers = dense(network[0], SHAPE), dense(network[2], inner)
        self.image = dense(lambda x: mirror(x, IMAGE), SHAPE)[0]
        self.pair = dense(lambda x: mirror(x, PAIR), inner)[0]
        (first, b), (second, c) = self.layers
        self.twins = (
            (self.pair @ first @ self.image, self.pair @ b),
            (self.image @ second @ self.pair, self.image @ c),
        )

    def running(self, volume: Tensor) -> float:
        """|W2| |(W1~ - W1) x + b1~ - b1| + |(W2~ - W2) h + b2~ - b2| with exact norms."""
        x = volume.flatten().numpy()
        (first, b), (second, c) = self.layers
        (twin, d), (last, e) = self.twins
        h = np.maximum(first @ x + b, 0.0)
        source = np.linalg.norm((twin - first) @ x + d - b)
        return float(
            np.linalg.norm(second, 2) * source + np.linalg.norm((last - second) @ h + e - c)
        )

    def voxelwise(self, volume: Tensor) -> Matrix:
        """Differential interval analysis: a bound for every voxel, by another road."""
        x = volume.flatten().numpy()
        (first, b), (second, c) = self.layers
        (twin, d), (last, e) = self.twins
        z = first @ x + b
        gap = np.abs((twin - first) @ x + d - b)
        spread = np.maximum(
            np.abs(np.maximum(z + gap, 0.0) - np.maximum(z, 0.0)),
            np.abs(np.maximum(z - gap, 0.0) - np.maximum(z, 0.0)),
        )
        h = np.maximum(z, 0.0)
        return np.abs(last) @ spread + np.abs((last - second) @ h + e - c)


@pytest.mark.parametrize("seed", range(4))
def test_dense_matrices_give_the_same_layer_defects_and_the_same_running_bound(seed: int) -> None:
    network = network_of(seed)
    matrices = Dense(network)
    rows = {row.name: row.defect for row in layer_certificates(network)}
    for name, (matrix, _), (twin, _) in zip(
        ("0", "2"), matrices.layers, matrices.twins, strict=True
    ):
        exact = float(np.linalg.norm(twin - matrix, 2))
        assert exact <= rows[name] <= 1.4 * exact  # of a tiny image; the bound is of all images
    volume = torch.randn(SHAPE, dtype=torch.float64)
    found = certify(network, volume)
    expected = matrices.running(volume)
    assert expected <= float(found.running) <= 1.3 * expected
    assert float(found.measured) <= expected


@pytest.mark.parametrize("seed", range(4))
def test_interval_analysis_and_the_certificate_both_contain_the_defect(seed: int) -> None:
    network = network_of(seed)
    volume = torch.randn(SHAPE, dtype=torch.float64)
    limits = Dense(network).voxelwise(volume)
    defect = measured_defect(network, volume).detach().flatten().numpy()
    twin_side = measured_defect(network, volume).detach().flip(2).flatten().abs().numpy()
    assert np.all(twin_side <= limits + 1e-12)
    found = certify(network, volume)
    assert float(found.measured) == pytest.approx(float(np.linalg.norm(defect)), rel=1e-9)
    assert float(found.measured) <= min(float(found.running), float(np.linalg.norm(limits)))
    assert float(found.running) < 5.0 * float(np.linalg.norm(limits))


class TwinDifference(nn.Module):
    """x -> f(S x) - S f(x) in dense layers, which any verifier reads."""

    def __init__(self, matrices: Dense) -> None:
        super().__init__()
        (first, b), (second, c) = matrices.layers
        (twin, d), (last, e) = matrices.twins
        self.hidden = _linear(np.vstack([first, twin]), np.concatenate([b, d]))
        self.out = _linear(np.hstack([-second, last]), e - c)

    def forward(self, volume: Tensor) -> Tensor:
        return self.out(torch.relu(self.hidden(volume)))


def _linear(matrix: Matrix, offset: Matrix) -> nn.Linear:
    layer = nn.Linear(matrix.shape[1], matrix.shape[0]).double()
    with torch.no_grad():
        layer.weight.copy_(torch.from_numpy(matrix))
        layer.bias.copy_(torch.from_numpy(offset))
    return layer


def largest_defect(network: nn.Module, radius: float) -> float:
    """By gradient ascent over inputs of norm up to ``radius``: a lower bound on the supremum."""
    generator = torch.Generator().manual_seed(0)
    volume = torch.randn(16, *SHAPE[1:], generator=generator, dtype=torch.float64)
    largest = 0.0
    for _ in range(60):
        volume = radius * nn.functional.normalize(volume.detach().flatten(1)).view_as(volume)
        defect = measured_defect(network, volume.requires_grad_()).flatten(1).norm(dim=1)
        largest = max(largest, float(defect.detach().max()))
        (step,) = torch.autograd.grad(defect.sum(), volume)
        volume = volume + radius * nn.functional.normalize(step.flatten(1)).view_as(volume)
    return largest


@pytest.mark.parametrize("seed", range(3))
def test_dense_twin_difference_is_the_defect(seed: int) -> None:
    network = network_of(seed)
    volume = torch.randn(SHAPE, dtype=torch.float64)
    written_out = TwinDifference(Dense(network))(volume.flatten(1)).detach().view(SHAPE)
    defect = measured_defect(network, volume).detach()
    assert torch.allclose(written_out, mirror(defect), atol=1e-12)


@pytest.mark.parametrize("seed", range(3))
def test_auto_lirpa_agrees_over_a_ball_of_inputs(seed: int) -> None:
    lirpa = pytest.importorskip("auto_LiRPA", exc_type=ImportError)
    perturbations = pytest.importorskip("auto_LiRPA.perturbations", exc_type=ImportError)
    network, radius = network_of(seed), 2.0
    difference = TwinDifference(Dense(network))
    centre = torch.zeros(1, int(np.prod(SHAPE)), dtype=torch.float64)
    ball = perturbations.PerturbationLpNorm(norm=2, eps=radius)
    bounded = lirpa.BoundedModule(difference, centre)
    low, high = bounded.compute_bounds(x=(lirpa.BoundedTensor(centre, ball),), method="CROWN")
    theirs = float(torch.maximum(low.abs(), high.abs()).norm())
    ours = certify(network, torch.zeros(SHAPE, dtype=torch.float64), radius=radius).a_priori
    reached = largest_defect(network, radius)
    assert reached <= ours
    assert reached <= theirs
    assert 0.02 < ours / theirs < 10.0
