"""The soft head: types of its parts, and what it does with the side it is told."""

import pytest
import torch
from torch import Tensor

from medsym.nn import SoftHead
from medsym.nn.head import HeadOutput, side_of
from medsym.symmetry import Axis, ChannelAction, flip, mirror
from tests.builders_symmetry import random_volume


def types(axis: Axis) -> tuple[ChannelAction, ChannelAction]:
    """(features, output with label, sign and trivial channels)."""
    output = ChannelAction.labels([0, 2, 1], axis=axis) + ChannelAction.sign(1, axis=axis)
    return ChannelAction.regular(3, axis=axis), output


def head_with(axis: Axis, side_width: float | None) -> SoftHead:
    torch.manual_seed(0)
    features, output = types(axis)
    head = SoftHead(features, output, hidden=features, tolerance=0.7, side_width=side_width)
    for parameter in head.parameters():
        torch.nn.init.normal_(parameter)
    return head.double()


def fresh_head() -> SoftHead:
    features, output = types("x")
    return SoftHead(features, output, hidden=features, tolerance=0.7, side_width=1.0).double()


def both(head: SoftHead, axis: Axis) -> tuple[HeadOutput, HeadOutput]:
    features, _ = types(axis)
    volume = random_volume(features, seed=1, size=(6, 5, 4), dtype=torch.float64)
    return head(volume), head(mirror(volume, features))


@pytest.mark.parametrize("axis", ["x", "y", "z"])
@pytest.mark.parametrize("side_width", [None, 1.0, 4.0])
def test_parts_have_their_types_whatever_the_head_is_told(
    axis: Axis, side_width: float | None
) -> None:
    _, output = types(axis)
    here, there = both(head_with(axis, side_width), axis)
    torch.testing.assert_close(there.even, mirror(here.even, output))
    torch.testing.assert_close(there.odd, mirror(here.odd, output.twisted()))
    torch.testing.assert_close(there.tolerance, mirror(here.tolerance, output.unsigned()))
    assert here.odd.abs().max() > 0.01


def test_a_side_along_the_wrong_axis_is_noticed(monkeypatch: pytest.MonkeyPatch) -> None:
    def wrong(volume: Tensor, _axis: Axis, width: float) -> Tensor:
        return side_of(volume, "y", width)

    monkeypatch.setattr("medsym.nn.head.side_of", wrong)
    here, there = both(head_with("x", 1.0), "x")
    gap = there.odd - mirror(here.odd, types("x")[1].twisted())
    assert gap.abs().max() > 0.01


@pytest.mark.parametrize("size", [1, 6, 7])
def test_side_is_odd_negative_on_the_left_and_zero_in_the_middle(size: int) -> None:
    side = side_of(torch.zeros(1, 1, size, 2, 2), "x", 2.0)
    assert torch.equal(flip(side), -side)
    assert (side[:, :, : size // 2] < 0).all()  # x grows to the patient's right
    if size % 2:
        assert side[0, 0, size // 2, 0, 0] == 0


def test_where_nothing_differs_between_the_sides_only_a_told_head_can() -> None:
    """Constant features, away from the border: the odd part of a trivial output is zero."""
    volume = torch.ones(1, 6, 12, 5, 4, dtype=torch.float64)
    inside = (slice(None), slice(0, 1), slice(2, -2))
    assert head_with("x", None)(volume).odd[inside].abs().max() < 1e-12
    output = head_with("x", 1.0)(volume)
    told = (output.odd / output.tolerance)[inside]
    assert told.abs().max() > 0.01
    assert (told[:, :, 0] * told[:, :, -1] < 0).all()


def test_fresh_head_is_strict_and_gets_a_gradient_of_its_odd_part() -> None:
    head = fresh_head()
    here, _ = both(head, "x")
    assert here.odd.abs().max() == 0.0
    target = torch.randn(here.value.shape, generator=torch.Generator().manual_seed(0))
    (here.value - target).square().sum().backward()
    for layer in (head.odd, head.sided):
        assert layer.parametrizations["weight"].original.grad.abs().max() > 1e-3  # type: ignore[index, union-attr]


def test_initial_tolerance_is_what_was_asked_for() -> None:
    head = fresh_head()
    with torch.no_grad():
        for name in ("weight", "bias"):
            head.hidden[0].parametrizations[name].original.zero_()  # type: ignore[index, union-attr, operator]
        tolerance = head(random_volume(types("x")[0], seed=3, dtype=torch.float64)).tolerance
    torch.testing.assert_close(tolerance, torch.full_like(tolerance, 0.7))
