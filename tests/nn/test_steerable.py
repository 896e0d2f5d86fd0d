"""Steerable convolutions with softness: complete basis, strict start, laws, plain when folded."""

import copy

import pytest
import torch
from torch import nn

from medsym.errors import GridError, ModelError
from medsym.nn.representations import Fields
from medsym.nn.steerable import SteerableConv3d, SteerableKernel, SteerableLevel
from medsym.nn.steerable_basis import SteerableBasis, steerable_layer
from medsym.symmetry import (
    ChannelAction,
    Softness,
    fold,
    harden,
    layer_defect,
    measured_defect,
    mirror,
    relative_defect,
    split_kernel,
)
from medsym.symmetry.parametrisation import parametrisation
from medsym.symmetry.penalties import odd_weight_penalty
from medsym.symmetry.relaxation import relax
from tests.builders_symmetry import random_volume
from tests.nn.escnn_reference import reference_conv

T, S, R = ChannelAction.trivial(1), ChannelAction.sign(1), ChannelAction.regular(2)
MIXED = T + S + ChannelAction.regular(1)


def build(first: ChannelAction, second: ChannelAction, softness: Softness) -> SteerableConv3d:
    torch.manual_seed(0)
    layer = SteerableConv3d(first, second, softness=softness)
    for name, parameter in layer.named_parameters():
        if "logit" not in name:
            nn.init.normal_(parameter, std=0.3)
    return layer


@pytest.mark.parametrize(
    ("first", "second"), [(T, S), (T, ChannelAction.regular(1)), (MIXED, ChannelAction.regular(1))]
)
def test_basis_spans_every_symmetric_kernel(first: ChannelAction, second: ChannelAction) -> None:
    expand = SteerableBasis(first, second)
    kernels = torch.stack([expand(unit).flatten() for unit in torch.eye(expand.initial.numel())])
    whole = torch.eye(kernels.shape[1]).unflatten(1, (*expand.shape, 3, 3, 3))
    even = torch.stack([split_kernel(kernel, first, second)[0].flatten() for kernel in whole])
    dimension = int(torch.linalg.matrix_rank(even))
    assert int(torch.linalg.matrix_rank(kernels.double(), rtol=1e-5)) == dimension
    assert len(kernels) <= 1.4 * dimension


SCATTERED = ChannelAction.regular(1) + T + ChannelAction.regular(2) + S + T


@pytest.mark.parametrize(
    ("first", "second"), [(T, R), (R, R), (T, S), (SCATTERED, R), (R, SCATTERED), (S, SCATTERED)]
)
def test_coefficients_mean_what_they_mean_in_r3conv(
    first: ChannelAction, second: ChannelAction
) -> None:
    """escnn expands the same coefficients to the same kernel, whatever the order of the fields."""
    layer = steerable_layer(first, second).eval()
    torch.nn.init.normal_(layer.weights)
    with torch.no_grad():
        expected, _ = layer.expand_parameters()
    ours = SteerableBasis(first, second)(layer.weights.detach())
    torch.testing.assert_close(ours, expected, atol=1e-5, rtol=1e-5)
    assert expected.abs().max() > 0.1


def test_layers_can_be_copied() -> None:
    for first in (T, S, R):
        copied = copy.deepcopy(build(first, S, Softness(0.3)))
        assert torch.equal(copied.weight, build(first, S, Softness(0.3)).weight)


def test_default_basis_of_escnn_does_not() -> None:
    """The negative control: 10 of 27 dimensions, so completeness is our choice of rings."""
    weights = [
        reference_conv(Fields(trivial=1), outgoing=Fields(regular=1), seed=s).weight.flatten()
        for s in range(14)
    ]
    assert int(torch.linalg.matrix_rank(torch.stack(weights), rtol=1e-4)) == 10


@pytest.mark.parametrize(("first", "second"), [(T, R), (R, R), (MIXED, R), (R, MIXED)])
@pytest.mark.parametrize(("dtype", "limit"), [(torch.float32, 1e-5), (torch.float64, 1e-12)])
def test_layer_is_symmetric_at_softness_zero_and_along_no_other_axis(
    first: ChannelAction, second: ChannelAction, dtype: torch.dtype, limit: float
) -> None:
    layer = build(first, second, Softness(0.0)).to(dtype)
    volume = random_volume(first, seed=1, dtype=dtype)
    assert relative_defect(layer, volume, action_in=first, action_out=second) <= limit
    for dim in (3, 4):
        other = layer(first.apply(volume).flip(dim)) - second.apply(layer(volume)).flip(dim)
        assert other.detach().norm() > 0.1 * layer(volume).detach().norm()


def test_harden_and_fold_give_plain_symmetric_weights() -> None:
    layer = build(R, R, Softness(0.4, learned=True))
    volume = random_volume(R, seed=2)
    assert relative_defect(layer, volume, action_in=R, action_out=R) > 1e-2
    folded = fold(copy.deepcopy(layer))
    assert (folded(volume) - layer(volume)).abs().max() <= 1e-6
    assert dict(folded.named_parameters()).keys() == {"weight", "bias"}
    assert list(folded.buffers()) == []
    assert relative_defect(harden(layer), volume, action_in=R, action_out=R) <= 1e-5


def test_exact_defect_is_the_measured_one() -> None:
    layer = build(MIXED, R, Softness(0.4)).double()
    volume = random_volume(MIXED, seed=3, dtype=torch.float64)
    measured = measured_defect(layer, volume, action_in=MIXED, action_out=R)
    torch.testing.assert_close(layer_defect(layer, volume), measured, atol=1e-12, rtol=1e-9)
    assert measured.detach().norm() > 0.1


def test_even_part_comes_from_escnn_and_odd_part_from_the_free_kernel() -> None:
    layer = build(R, R, Softness(0.5))
    kernel, raw = parametrisation(layer, "weight")
    assert isinstance(kernel, SteerableKernel)
    even, odd = (part.detach() for part in kernel.parts(raw))
    assert split_kernel(even, R, R)[1].abs().max() == 0.0
    assert split_kernel(odd, R, R)[0].abs().max() <= 1e-6 * odd.abs().max()
    torch.testing.assert_close(even + odd, layer.weight.detach())
    strict = build(R, R, Softness(0.0))
    torch.testing.assert_close(strict.weight.detach(), even)


@pytest.mark.parametrize("first", [True, False])
def test_soft_level_starts_as_the_strict_one_and_can_leave_it(first: bool) -> None:
    """Relaxation morphism: the same function at the start, live gradients, free afterwards."""
    torch.manual_seed(0)
    before, action = (T, R) if first else (R, ChannelAction.regular(3))
    level = SteerableLevel(before, action, Softness(0.5, learned=True), first=first)
    volume = random_volume(before, seed=4)
    strict = harden(copy.deepcopy(level))
    assert (level(volume) - strict(volume)).abs().max() <= 1e-5
    assert relative_defect(level, volume, action_in=before, action_out=action) <= 1e-5
    assert level(volume).shape[2] == (8 if first else 4)
    target = torch.randn(level(volume).shape, generator=torch.Generator().manual_seed(5))
    optimiser = torch.optim.Adam(level.parameters(), lr=0.05)
    for _ in range(5):
        optimiser.zero_grad()
        (level(volume) - target).square().mean().backward()
        optimiser.step()
    assert relative_defect(level, volume, action_in=before, action_out=action) > 1e-2


def test_gradients_reach_every_parameter() -> None:
    layer = build(R, R, Softness(0.3, learned=True))
    layer(random_volume(R, seed=6)).square().sum().backward()
    assert parametrisation(layer, "weight")[0].coefficients.grad is not None
    assert [n for n, p in layer.named_parameters() if p.grad is None or not p.grad.any()] == []


def test_strict_layer_relaxes_without_changing_its_function_and_penalties_see_its_odd_part() -> (
    None
):
    layer = build(R, R, Softness(0.0))
    volume = random_volume(R, seed=7)
    before = layer(volume).detach()
    relax(layer, 0.3)
    torch.testing.assert_close(layer(volume).detach(), before, atol=1e-6, rtol=0.0)
    assert float(odd_weight_penalty(layer).detach()) <= 1e-12
    with torch.no_grad():
        for parameter in (parametrisation(layer, n)[1] for n in ("weight", "bias")):
            parameter.add_(0.1 * torch.randn_like(parameter))
    assert float(odd_weight_penalty(layer).detach()) > 1e-5
    assert relative_defect(layer, volume, action_in=R, action_out=R) > 1e-3


def test_kernel_is_expanded_in_full_precision_under_autocast() -> None:
    layer = build(R, R, Softness(0.0))
    with torch.autocast("cpu", dtype=torch.bfloat16):
        kernel = layer.weight.detach()
    assert kernel.dtype == torch.float32
    assert split_kernel(kernel, R, R)[1].abs().max() <= 1e-6 * kernel.abs().max()


def test_precision_of_one_layer_is_its_own() -> None:
    """The basis that escnn caches is shared; converting one layer must not convert the next."""
    build(R, R, Softness()).double()
    assert build(R, R, Softness()).weight.dtype == torch.float32


def test_left_and_right_stay_apart() -> None:
    """A level fed with a lump on the left answers on the left; the mirror answers on the right."""
    torch.manual_seed(0)
    level = SteerableLevel(T, R, Softness(), first=True)
    volume = torch.zeros(1, 1, 8, 6, 4)
    volume[:, :, 1] = 1.0
    here, there = level(volume).detach(), level(mirror(volume)).detach()
    torch.testing.assert_close(there, mirror(here, R), atol=1e-5, rtol=1e-5)
    assert (there - here).abs().max() > 0.1
    assert (there - R.apply(here)).abs().max() > 0.1


def test_refusals_name_the_layer() -> None:
    with pytest.raises(ModelError, match=r"MS-237 steerable convolution: .*no sum of trivial"):
        SteerableConv3d(ChannelAction.labels([2, 1, 0]), R)
    with pytest.raises(ModelError, match=r"MS-237 .*axis='y'.*along x"):
        SteerableConv3d(ChannelAction.trivial(1, axis="y"), ChannelAction.trivial(1, axis="y"))
    layer = build(T, R, Softness())
    with pytest.raises(ModelError, match=r"MS-238 .*expanded from coefficients"):
        layer.weight = torch.zeros(4, 1, 3, 3, 3)
    level = SteerableLevel(R, R, Softness(), first=False)
    with pytest.raises(GridError, match="MS-203"):
        level(torch.zeros(1, 4, 7, 6, 4))
