"""The mirror: S S = 1 on every kind of channel, and refusals by words."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st

from medsym.errors import GridError
from medsym.symmetry import ChannelAction, check_strided, mirror, split_function
from tests.builders_symmetry import ACTIONS, random_volume


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_mirror_is_self_inverse(action: ChannelAction) -> None:
    volume = random_volume(action, seed=1)
    assert torch.equal(mirror(mirror(volume, action), action), volume)


@pytest.mark.parametrize("action", ACTIONS.values(), ids=ACTIONS.keys())
def test_mirror_keeps_every_norm(action: ChannelAction) -> None:
    volume = random_volume(action, seed=2)
    assert torch.isclose(mirror(volume, action).norm(), volume.norm())


def test_mirror_moves_the_left_voxel_to_the_right() -> None:
    volume = torch.zeros(1, 1, 6, 4, 4)
    volume[0, 0, 1, 2, 3] = 1.0
    assert mirror(volume)[0, 0, 4, 2, 3] == 1.0
    assert mirror(volume).sum() == 1.0


def test_left_and_right_labels_swap_by_name() -> None:
    labels = ChannelAction.labels([0, 2, 1])
    volume = torch.zeros(1, 3, 2, 1, 1)
    volume[0, 1, 0] = 1.0  # "left" structure on the left
    swapped = mirror(volume, labels)
    assert swapped[0, 2, 1] == 1.0
    assert swapped.sum() == 1.0


def test_twisted_type_is_the_type_of_the_odd_part() -> None:
    action = ChannelAction.trivial(1)
    weight = torch.randn(1, 1, 3, 3, 3)

    def function(x: torch.Tensor) -> torch.Tensor:
        return torch.nn.functional.conv3d(x, weight, padding=1)

    volume = random_volume(action, seed=3)
    even, odd = split_function(function, volume)
    even_m, odd_m = split_function(function, mirror(volume))
    torch.testing.assert_close(even_m, mirror(even))
    torch.testing.assert_close(odd_m, mirror(odd, action.twisted()))
    assert odd.abs().max() > 0.01  # not vacuous


@given(st.lists(st.integers(0, 3), min_size=1, max_size=6))
def test_only_involutions_are_accepted(perm: list[int]) -> None:
    is_involution = sorted(perm) == list(range(len(perm))) and all(
        perm[p] == c for c, p in enumerate(perm)
    )
    if is_involution:
        assert ChannelAction(tuple(perm), (1,) * len(perm)).channels == len(perm)
    else:
        with pytest.raises(GridError, match=r"MS-201 .*not an involution.*Fix: swap"):
            ChannelAction(tuple(perm), (1,) * len(perm))


def test_wrong_number_of_channels_is_refused() -> None:
    with pytest.raises(GridError, match=r"MS-202 .*tensor has 3 channels.*the action has 2"):
        mirror(torch.zeros(1, 3, 2, 2, 2), ChannelAction.trivial(2))


@pytest.mark.parametrize(
    ("size", "kernel", "padding", "fine"),
    [(32, 2, 0, True), (32, 4, 1, True), (32, 3, 1, False), (33, 3, 1, True), (33, 2, 0, False)],
)
def test_strided_sizes_follow_the_rule(size: int, kernel: int, padding: int, *, fine: bool) -> None:
    if fine:
        check_strided(size, kernel=kernel, stride=2, padding=padding, name="down")
    else:
        with pytest.raises(GridError, match=r"MS-203 down: size"):
            check_strided(size, kernel=kernel, stride=2, padding=padding, name="down")


def test_the_rule_is_the_truth() -> None:
    """Negative control: an even kernel is symmetric on sizes the rule allows, on others not."""
    weight = torch.randn(1, 1, 3, 3, 3)
    weight = (weight + weight.flip(2)) / 2

    def defect(size: int) -> float:
        volume = torch.randn(1, 1, size, 8, 8, generator=torch.Generator().manual_seed(0))
        run = lambda x: torch.nn.functional.conv3d(x, weight, stride=2, padding=1)  # noqa: E731
        return float((run(mirror(volume)) - mirror(run(volume))).norm() / run(volume).norm())

    assert defect(33) < 1e-5
    assert defect(32) > 0.5


def test_a_slice_has_no_third_axis_to_flip() -> None:
    assert mirror(torch.arange(4.0).reshape(4, 1, 1)).flatten().tolist() == [3.0, 2.0, 1.0, 0.0]
    with pytest.raises(GridError, match=r"MS-209.*2D networks"):
        mirror(torch.zeros(1, 4, 6, 6))
