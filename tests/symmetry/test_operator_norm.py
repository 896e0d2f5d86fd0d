"""Norms of convolutions are never too small, hardly too large, and the known traps would show."""

import math

import numpy as np
import pytest
import torch
from torch import Tensor
from torch.nn import functional as F

from medsym.symmetry.operator_norm import absolute_norm, conv_norm, polyphase
from medsym.symmetry.symbol_norm import kernel_bounds, unfolding_bounds


def normal(*shape: int, seed: int = 0) -> Tensor:
    generator = torch.Generator().manual_seed(seed)
    return torch.randn(*shape, generator=generator, dtype=torch.float64)


def true_norm(weight: Tensor, size: int, *, transposed: bool = False, **form: int) -> float:
    """The operator written out as a dense matrix by torch.func, its norm by numpy."""
    function = F.conv_transpose3d if transposed else F.conv3d
    groups = form.get("groups", 1)
    channels = weight.shape[0] if transposed else weight.shape[1] * groups
    shape = (1, channels, size, size, size)
    matrix = torch.func.jacrev(lambda x: function(x, weight, **form).flatten())(
        torch.zeros(shape, dtype=torch.float64)
    )
    return float(np.linalg.norm(matrix.reshape(len(matrix), -1).numpy(), 2))


def power_iteration(weights: Tensor, size: int, steps: int) -> Tensor:
    """Lower bounds for many kernels (n, out, in, k, k, k), as one grouped convolution; (n,)."""
    count, _, columns, *_ = weights.shape
    kernel, pad = weights.flatten(0, 1), weights.shape[-1] // 2
    x = normal(1, count * columns, size, size, size, seed=1)
    found = weights.new_zeros(count)
    for _ in range(steps):
        y = F.conv3d(x, kernel, padding=pad, groups=count)
        found = found.maximum(_norms(y, count) / _norms(x, count))
        x = F.conv_transpose3d(y, kernel, padding=pad, groups=count)
        x = x / _norms(x, count).clamp_min(1e-30).repeat_interleave(columns).view(1, -1, 1, 1, 1)
    return found


def _norms(volume: Tensor, count: int) -> Tensor:
    return volume.view(count, -1).norm(dim=1)


FORMS = [
    ((3, 2, 3, 3, 3), {"padding": 1}),
    ((2, 3, 2, 2, 2), {"stride": 2}),
    ((2, 2, 4, 4, 4), {"stride": 2, "padding": 1}),
    ((2, 2, 3, 3, 3), {"stride": 2, "padding": 1}),
    ((2, 2, 3, 3, 3), {"dilation": 2, "padding": 2}),
    ((2, 2, 3, 3, 3), {"dilation": 2, "padding": 2, "stride": 2}),
    ((4, 1, 3, 3, 3), {"groups": 2, "padding": 1}),
    ((3, 2, 1, 1, 1), {}),
    ((2, 2, 1, 1, 1), {"stride": 2}),
    ((2, 2, 3, 1, 2), {}),
]


@pytest.mark.parametrize(("shape", "form"), FORMS)
@pytest.mark.parametrize("transposed", [False, True])
def test_the_bound_holds_the_norm_of_the_dense_matrix(
    shape: tuple[int, ...], form: dict[str, int], transposed: bool
) -> None:
    weight = normal(*shape, seed=len(form))
    terms = {k: v for k, v in form.items() if k != "padding"}
    bound, size = conv_norm(weight, **terms), 3 if transposed and form.get("stride") else 6
    truth = true_norm(weight, size, transposed=transposed, **form)
    assert truth <= bound
    assert bound <= 1.8 * truth  # the matrix is that of a tiny image, the bound of all images
    if form.get("stride") == shape[-1]:
        assert bound <= truth * (1.0 + 1e-11)  # one matrix per window: exact


def test_a_kernel_4_stride_2_is_not_bounded_by_its_stride_1_norm() -> None:
    weight = normal(4, 4, 4, 4, 4)
    assert conv_norm(weight, stride=2) < 0.75 * conv_norm(weight)


def test_bounds_are_within_a_tenth_of_the_norm_on_ordinary_images() -> None:
    kernels = normal(4, 8, 8, 3, 3, 3) * math.sqrt(2.0 / (8 * 27))
    kernels[1] = (kernels[1] - kernels[1].flip(2)) / 2  # an odd part, zero on a plane of w
    kernels[2] = 1.0 / 216.0 + 0.01 * kernels[2]  # low-pass
    bounds, truth = kernel_bounds(kernels), power_iteration(kernels, 12, 120)
    assert bool((truth <= bounds).all())
    assert bool((bounds <= 1.1 * truth).all())
    assert bool((unfolding_bounds(kernels)[[0, 1, 3]] > 1.7 * truth[[0, 1, 3]]).all())


def test_wide_layers_are_proved_by_factorisation_and_agree_with_singular_values() -> None:
    wide = normal(20, 20, 3, 3, 1)
    exact = torch.linalg.svdvals(torch.fft.fft2(wide[..., 0], s=(96, 96)).permute(2, 3, 0, 1))
    bound = conv_norm(wide, precision=0.002)
    assert float(exact.max()) <= bound <= 1.01 * float(exact.max())
    odd = torch.zeros(20, 20, 3, 1, 1, dtype=torch.float64)
    odd[0, 0, 0], odd[0, 0, 2] = 1.0, -1.0  # 2 sin w: all zero at w = 0, its norm is 2
    assert 2.0 <= conv_norm(odd) <= 2.05
    assert conv_norm(torch.zeros(20, 20, 3, 3, 3)) == 0.0


def test_a_small_budget_gives_a_looser_bound_not_a_wrong_one() -> None:
    kernels = normal(1, 8, 8, 3, 3, 3)
    fine, coarse = kernel_bounds(kernels), kernel_bounds(kernels, budget=6e6)
    none = kernel_bounds(kernels, budget=1.0)
    assert fine < coarse < none
    assert torch.equal(none, unfolding_bounds(kernels))


def test_absolute_norm_is_the_norm_of_the_absolute_kernel() -> None:
    weight = normal(2, 2, 3, 3, 3)
    truth = true_norm(weight.abs(), 7, padding=1)
    assert truth <= absolute_norm(weight) <= 1.25 * truth
    assert conv_norm(weight) <= absolute_norm(weight)
    assert conv_norm(weight.abs()) == pytest.approx(absolute_norm(weight), rel=0.03)


def test_polyphase_is_the_strided_convolution() -> None:
    weight, volume = normal(2, 3, 4, 4, 4), normal(1, 3, 8, 8, 8, seed=1)
    phases = volume.view(1, 3, 4, 2, 4, 2, 4, 2).permute(0, 1, 3, 5, 7, 2, 4, 6).flatten(1, 4)
    direct = F.conv3d(volume, weight, stride=2)
    assert torch.allclose(F.conv3d(phases, polyphase(weight, stride=2)), direct)


TRIALS = ((1, 2, 1500), (2, 1, 2500), (2, 2, 1000), (3, 1, 4000), (3, 2, 700), (4, 1, 300))


@pytest.mark.slow
def test_ten_thousand_kernels_hold_and_the_known_traps_are_caught_by_the_same_trial() -> None:
    violated = {"bound": 0, "fft on the image": 0, "fft on the kernel": 0, "power": 0}
    for k, columns, count in (
        (1, 2, 1500),
        (2, 1, 2500),
        (2, 2, 1000),
        (3, 1, 4000),
        (3, 2, 700),
        (4, 1, 300),
    ):
        kernels = normal(count, 2, columns, k, k, k, seed=k)
        signs = torch.tensor([(-1.0) ** i for i in range(k)])
        checked = signs.view(k, 1, 1) * signs.view(k, 1) * signs
        kernels[::2] = kernels[::2].abs() * checked  # high-pass: a periodic grid misses its peak
        low, weak = power_iteration(kernels, 5, 10), power_iteration(kernels, 5, 3)
        violated["bound"] += int((low > kernel_bounds(kernels, precision=0.3)).sum())
        violated["fft on the image"] += int((low > _periodic_norm(kernels, 5)).sum())
        violated["fft on the kernel"] += int((low > _periodic_norm(kernels, k) * (1 + 1e-9)).sum())
        violated["power"] += int((low > weak * (1 + 1e-9)).sum())
    assert sum(count for *_, count in TRIALS) == 10_000
    assert violated.pop("bound") == 0
    assert min(violated.values()) > 50, violated


def _periodic_norm(kernels: Tensor, size: int) -> Tensor:
    """Largest singular value on the frequencies of a grid of ``size``: not a bound."""
    symbols = torch.fft.fftn(kernels, s=(size,) * 3, dim=(3, 4, 5)).flatten(3)
    return torch.linalg.svdvals(symbols.permute(0, 3, 1, 2))[..., 0].amax(1)
