"""Attention over a window: equal to its definition, in every mode of differentiation."""

from itertools import product

import pytest
import torch
from torch import Tensor
from torch.autograd import forward_ad, gradcheck, gradgradcheck
from torch.nn import functional as F

from medsym.nn.exchange import ContralateralExchange
from medsym.nn.window_match import window_match
from medsym.symmetry import ChannelAction, mirror, relative_defect


def naive(keys: Tensor, queried: Tensor, values: Tensor, sharpness: Tensor, radius: int) -> Tensor:
    """The definition, voxel by voxel and offset by offset."""
    match = torch.zeros_like(values)
    sizes = keys.shape[2:]
    for place in product(*(range(n) for n in sizes)):
        rows = []
        for offset in product(range(-radius, radius + 1), repeat=3):
            x, y, z = (
                min(max(v + o, 0), n - 1) for v, o, n in zip(place, offset, sizes, strict=True)
            )
            distance = (keys[0, :, *place] - queried[0, :, x, y, z]).square().mean()
            rows.append((-sharpness * distance, values[0, :, x, y, z]))
        weights = torch.stack([logit for logit, _ in rows]).softmax(dim=0)
        match[0, :, *place] = sum(w * value for w, (_, value) in zip(weights, rows, strict=True))
    return match


def random_inputs(*, batch: int = 1, size: tuple[int, int, int] = (4, 3, 2)) -> tuple[Tensor, ...]:
    keys, queried = torch.randn(2, batch, 2, *size, dtype=torch.float64)
    values = torch.randn(batch, 3, *size, dtype=torch.float64)
    sharpness = torch.tensor(1.7, dtype=torch.float64)
    return tuple(t.clone().requires_grad_() for t in (keys, queried, values, sharpness))


@pytest.mark.parametrize("radius", [1, 2])
def test_match_is_its_definition(radius: int) -> None:
    inputs = random_inputs()
    expected = naive(*(t.detach() for t in inputs), radius)
    torch.testing.assert_close(window_match(*inputs, radius=radius), expected)
    with torch.no_grad():
        torch.testing.assert_close(window_match(*inputs, radius=radius), expected)


@pytest.mark.parametrize("radius", [1, 2])
def test_gradients_are_those_of_the_definition(radius: int) -> None:
    inputs = random_inputs(batch=2, size=(3, 2, 1))

    def match(*tensors: Tensor) -> Tensor:
        return window_match(*tensors, radius=radius)

    assert gradcheck(match, inputs, check_forward_ad=True, check_batched_grad=True)


def test_gradients_have_gradients() -> None:
    def match(*tensors: Tensor) -> Tensor:
        return window_match(*tensors, radius=1)

    assert gradgradcheck(match, random_inputs(size=(2, 2, 1)))


def test_forward_mode_needs_no_change_of_every_input() -> None:
    keys, queried, values, sharpness = random_inputs()
    with forward_ad.dual_level():
        moving = forward_ad.make_dual(values.detach(), torch.ones_like(values))
        match = window_match(keys, queried, moving, sharpness, radius=1)
        tangent = forward_ad.unpack_dual(match).tangent
    torch.testing.assert_close(tangent, torch.ones_like(values))  # weights sum to 1


def test_a_sharp_match_finds_the_place_that_agrees_and_no_other() -> None:
    """Moved by one voxel towards higher x, front or top: the match is brought back from there."""
    keys = torch.randn(1, 8, 6, 5, 4)
    values = torch.randn(1, 2, 6, 5, 4)
    for dim in (2, 3, 4):
        match = window_match(
            keys, keys.roll(1, dim), values.roll(1, dim), torch.tensor(1e4), radius=1
        )
        inner = slice(1, -1)
        torch.testing.assert_close(
            match[:, :, inner, inner, inner], values[:, :, inner, inner, inner]
        )


def test_nothing_is_kept_for_the_backward_pass_but_inputs() -> None:
    """Autograd alone kept 8 key differences and 2 weights for each of 27 offsets."""
    layer = ContralateralExchange(ChannelAction.regular(8), radius=1)
    volume = torch.randn(1, 16, 12, 10, 8, requires_grad=True)
    kept: dict[int, int] = {}

    def keep(tensor: Tensor) -> Tensor:
        kept[tensor.untyped_storage().data_ptr()] = tensor.untyped_storage().nbytes()
        return tensor

    with torch.autograd.graph.saved_tensors_hooks(keep, lambda tensor: tensor):
        layer(volume)
    voxels = volume[0, 0].numel()
    assert sum(kept.values()) / 4 / voxels < 27 * 8


@pytest.mark.parametrize("size", [(12, 10, 8), (2, 2, 2)])
def test_mixed_precision_agrees_to_its_rounding(size: tuple[int, int, int]) -> None:
    action = ChannelAction.regular(4)
    layer = ContralateralExchange(action, radius=1)
    volume = torch.randn(2, 8, *size, requires_grad=True)
    exact = layer(volume)
    (wanted,) = torch.autograd.grad(exact.square().sum(), volume)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        rounded = layer(volume)
    (found,) = torch.autograd.grad(rounded.float().square().sum(), volume)
    for value, reference in ((rounded.float(), exact), (found, wanted)):
        assert (value - reference).norm() < 2e-2 * reference.norm()


def test_exchange_stays_exact_in_half_precision_features() -> None:
    action = ChannelAction.regular(4)
    layer = ContralateralExchange(action, radius=1)
    volume = torch.randn(1, 8, 12, 10, 8)
    with torch.autocast("cpu", dtype=torch.bfloat16):
        assert relative_defect(layer, volume, action_in=action, action_out=action) < 1e-2
    assert relative_defect(layer, volume, action_in=action, action_out=action) < 1e-5


def test_gradient_of_the_exchange_mirrors_with_the_scan() -> None:
    action = ChannelAction.regular(4)
    layer = ContralateralExchange(action, radius=1).double()
    volume = torch.randn(1, 8, 6, 5, 4, dtype=torch.float64, requires_grad=True)
    other = mirror(volume.detach(), action).requires_grad_()
    (here,) = torch.autograd.grad(F.silu(layer(volume)).sum(), volume)
    (there,) = torch.autograd.grad(F.silu(layer(other)).sum(), other)
    torch.testing.assert_close(mirror(there, action), here)
