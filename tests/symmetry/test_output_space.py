"""Output-space softness: any network gets a known defect and a bound that is never violated."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import Tensor, nn

from medsym.errors import GridError, ModelError
from medsym.symmetry import (
    ChannelAction,
    SoftEquivariant,
    measured_defect,
    mirror,
    tolerance_for,
)
from tests.builders_symmetry import ACTIONS, random_volume


def free_network(action: ChannelAction, *, seed: int = 1) -> nn.Module:
    torch.manual_seed(seed)
    return nn.Sequential(
        nn.Conv3d(1, 5, 3, padding=1), nn.GELU(), nn.Conv3d(5, action.channels, 3, padding=1)
    ).eval()


@pytest.mark.parametrize("tolerance", [0.0, 0.05, 1.0])
@pytest.mark.parametrize("kind", ["trivial", "sign", "labels"])
def test_output_space_softness_bounds_any_network(tolerance: float, kind: str) -> None:
    action = ACTIONS[kind]
    torch.manual_seed(1)
    free = nn.Sequential(
        nn.Conv3d(1, 5, 3, padding=1), nn.GELU(), nn.Conv3d(5, action.channels, 3, padding=1)
    )
    soft = SoftEquivariant(free.double(), tolerance=tolerance, action_out=action)
    volume = random_volume(ChannelAction.trivial(1), seed=11, dtype=torch.float64)
    out = soft(volume)
    measured = measured_defect(lambda x: soft(x).value, volume, action_out=action)
    torch.testing.assert_close(out.defect, measured, atol=1e-12, rtol=1e-9)
    assert (measured.abs() <= out.bound).all()
    raw = measured_defect(free, volume, action_out=action)
    assert raw.abs().max() > 0.05  # negative control: the free network is not equivariant


@given(
    seed=st.integers(0, 10_000),
    tolerance=st.floats(0.0, 3.0),
    scale=st.sampled_from([1e-30, 1e-3, 1.0, 1e4]),
    kind=st.sampled_from(["trivial", "sign", "labels", "sum"]),
)
def test_float32_defect_never_exceeds_the_bound(
    seed: int, tolerance: float, scale: float, kind: str
) -> None:
    """No allowance: the comparison is <= in the precision that ran."""
    action = ACTIONS[kind]
    soft = SoftEquivariant(free_network(action, seed=seed), tolerance=tolerance, action_out=action)
    volume = scale * random_volume(ChannelAction.trivial(1), seed=seed)
    with torch.no_grad():
        measured = measured_defect(lambda x: soft(x).value, volume, action_out=action)
        assert (measured.abs() <= soft(volume).bound).all()


def test_the_bound_without_its_rounding_would_be_violated() -> None:
    soft = SoftEquivariant(free_network(ACTIONS["trivial"]), tolerance=0.01)
    volume = 100.0 * random_volume(ChannelAction.trivial(1), seed=2)
    with torch.no_grad():
        measured = measured_defect(lambda x: soft(x).value, volume)
    assert (measured.abs() > 0.02).any()


@pytest.mark.parametrize("axis", ["y", "z"])
def test_softness_along_another_axis_is_not_softness_along_x(axis: str) -> None:
    action = ChannelAction.trivial(1, axis=axis)  # type: ignore[arg-type]
    soft = SoftEquivariant(free_network(action), action_in=action, action_out=action)
    volume = random_volume(action, seed=3)
    with torch.no_grad():
        along = measured_defect(
            lambda x: soft(x).value, volume, action_in=action, action_out=action
        )
        across = measured_defect(lambda x: soft(x).value, volume)
    assert along.abs().max() == 0.0
    assert across.abs().max() > 0.05


class Side(nn.Module):
    """Says how much more there is on the right than on the left, and how much in all."""

    def forward(self, volume: Tensor) -> Tensor:
        half = volume.shape[2] // 2
        left, right = volume[:, :, :half].sum((1, 2, 3, 4)), volume[:, :, half:].sum((1, 2, 3, 4))
        return torch.stack([right - left + 0.5, right + left], dim=1)


def test_a_network_that_answers_without_a_picture_is_softened_too() -> None:
    action = ChannelAction.sign(1) + ChannelAction.trivial(1)
    soft = SoftEquivariant(Side().eval(), tolerance=0.0, action_out=action)
    volume = random_volume(ChannelAction.trivial(1), seed=4, dtype=torch.float64)
    answer, mirrored = soft(volume).value, soft(mirror(volume)).value
    torch.testing.assert_close(mirrored, answer * torch.tensor([[-1.0, 1.0]]))
    assert abs(float(answer[0, 0] - Side()(volume)[0, 0])) == pytest.approx(0.5)  # its bias is odd


def test_swapped_channels_share_the_larger_tolerance() -> None:
    action = ACTIONS["labels"]  # channels 1 and 2 swap
    tolerance = torch.tensor([0.0, 0.1, 0.3, 0.2])
    soft = SoftEquivariant(free_network(action), tolerance=tolerance, action_out=action)
    assert soft.tolerance.tolist() == pytest.approx([0.0, 0.3, 0.3, 0.2])
    bound = soft(random_volume(ChannelAction.trivial(1), seed=5)).bound
    assert bound.amax((0, 2, 3, 4)).tolist() == pytest.approx([0.0, 0.6, 0.6, 0.4], abs=1e-5)


def test_tolerance_from_data_keeps_the_share_and_makes_the_bound_tight() -> None:
    action = ACTIONS["labels"]
    network = free_network(action)
    volumes = [random_volume(ChannelAction.trivial(1), seed=s) for s in range(4)]
    limits = tolerance_for(network, volumes, share=0.9, action_out=action)
    soft = SoftEquivariant(network, tolerance=limits, action_out=action)
    with torch.no_grad():
        kept = torch.stack([(soft(v).value - network(v)).abs() < 1e-6 for v in volumes])
        ratio = max(float((soft(v).defect.abs() / soft(v).bound).max()) for v in volumes)
    assert 0.88 < kept.float().mean() < 0.95
    assert 0.99 < ratio <= 1.0
    everything = tolerance_for(network, volumes, share=1.0, action_out=action)
    assert (everything >= limits).all()


def test_learned_tolerance_gets_a_gradient_and_starts_where_it_should() -> None:
    action = ACTIONS["labels"]
    soft = SoftEquivariant(free_network(action), tolerance=0.01, learned=True, action_out=action)
    assert soft.tolerance.item() == pytest.approx(0.01, rel=1e-4)
    soft(random_volume(ChannelAction.trivial(1), seed=6)).value.square().sum().backward()
    assert soft.raw_tolerance.grad is not None
    assert soft.raw_tolerance.grad.abs().sum() > 0


def test_impossible_tolerances_are_refused() -> None:
    network = free_network(ACTIONS["trivial"])
    with pytest.raises(ModelError, match=r"MS-207 tolerance: -1.0 is negative"):
        SoftEquivariant(network, tolerance=-1.0)
    with pytest.raises(ModelError, match=r"MS-207 .*starts at 0"):
        SoftEquivariant(network, tolerance=0.0, learned=True)
    with pytest.raises(ModelError, match=r"MS-208 tolerance_for: 0 volumes"):
        tolerance_for(network, [])


@pytest.mark.parametrize(("share", "expected"), [(1e-9, 1.0), (0.25, 1.0), (0.26, 2.0), (0.6, 3.0)])
def test_tolerance_leaves_at_least_the_share_alone(share: float, expected: float) -> None:
    odd = torch.tensor([1.0, -3.0, 2.0, 4.0, -4.0, -2.0, 3.0, -1.0]).reshape(1, 1, 8, 1, 1)
    assert tolerance_for(lambda x: 0.0 * x + odd, [odd], share=share).tolist() == [expected]


def test_tolerances_and_networks_that_do_not_fit_are_refused() -> None:
    volume = torch.randn(1, 2, 4, 4, 4)
    with pytest.raises(ModelError, match="MS-207"):
        SoftEquivariant(nn.Identity(), tolerance=float("nan"))
    with pytest.raises(ModelError, match=r"MS-207 tolerance: 3 tolerances for 2 output channels"):
        SoftEquivariant(nn.Identity(), tolerance=torch.ones(3))(volume)
    with pytest.raises(GridError, match=r"MS-209"):
        SoftEquivariant(nn.Conv2d(2, 2, 3, padding=1))(volume[..., 0])
