"""The soft head's guarantee: the defect is known from one pass and never exceeds the bound."""

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from torch import nn

from medsym.symmetry import (
    Axis,
    ChannelAction,
    defect_bound,
    mirror,
    one_pass_defect,
    rounding_slack,
    soft_odd,
    split_function,
)
from tests.builders_symmetry import ACTIONS, random_volume


def random_parts(seed: int, scale: float) -> tuple[nn.Module, torch.Tensor]:
    torch.manual_seed(seed)
    network = nn.Sequential(
        nn.Conv3d(1, 4, 3, padding=1), nn.LeakyReLU(), nn.Conv3d(4, 1, 3, padding=1)
    )
    return network.double(), scale * random_volume(
        ACTIONS["trivial"], seed=seed, dtype=torch.float64
    )[:, :1]


@given(seed=st.integers(0, 10_000), scale=st.floats(0.1, 30.0), sharp=st.floats(0.1, 20.0))
def test_theorem_one_pass_defect_is_the_measured_defect_and_below_the_bound(
    seed: int, scale: float, sharp: float
) -> None:
    network, volume = random_parts(seed, scale)

    def parts(x: torch.Tensor) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
        even, odd = split_function(network, x)
        tolerance = 0.3 * (1.0 + torch.tanh(even))
        return even, soft_odd(sharp * odd, tolerance), tolerance

    for readout in (lambda v: v, torch.sigmoid, torch.nn.functional.softplus):
        even, odd, tolerance = parts(volume)
        even_m, odd_m, _ = parts(mirror(volume))
        measured = readout(even_m + odd_m) - mirror(readout(even + odd))
        predicted = one_pass_defect(even, odd, readout=readout)
        torch.testing.assert_close(predicted, measured, atol=1e-11, rtol=1e-9)
        bound = defect_bound(even, tolerance, readout=readout)
        assert (measured.abs() <= bound).all()


def test_the_bound_is_reached_so_it_is_not_vacuous() -> None:
    network, volume = random_parts(3, 1.0)
    even, odd = split_function(network, volume)
    tolerance = torch.full_like(even, 0.5)
    limited = soft_odd(100.0 * odd, tolerance)
    ratio = one_pass_defect(even, limited).abs() / defect_bound(even, tolerance)
    assert ratio.max() > 0.99


def test_symmetric_scan_has_no_asymmetry_beyond_the_bound() -> None:
    """The identity A = [f(x) - f(Sx)] + E: on a symmetric scan A = E, so |A| <= bound."""
    network, volume = random_parts(4, 1.0)
    volume = volume + mirror(volume)
    even, odd = split_function(network, volume)
    tolerance = torch.full_like(even, 0.2)
    value = even + soft_odd(5.0 * odd, tolerance)
    asymmetry = value - mirror(value)
    assert asymmetry.abs().max() > 1e-3  # the model does make asymmetry of its own
    assert (asymmetry.abs() <= defect_bound(even, tolerance)).all()


def test_rounding_slack_covers_the_residue() -> None:
    assert rounding_slack(torch.tensor([1e-6, -2e-6])) >= 2e-6


@pytest.mark.parametrize("axis", ["x", "y", "z"])
def test_the_bound_lies_where_the_defect_is_along_every_axis(axis: Axis) -> None:
    action = ChannelAction.regular(1, axis=axis)
    generator = torch.Generator().manual_seed(0)
    even, odd, tolerance = (
        torch.rand(1, 2, 5, 6, 7, generator=generator, dtype=torch.float64) for _ in range(3)
    )
    odd = soft_odd(20.0 * odd, tolerance)  # nearly all of the tolerance
    defect = one_pass_defect(even, odd, action=action).abs()
    bound = defect_bound(even, tolerance, action=action)
    assert (defect <= bound).all()
    elsewhere: Axis = "y" if axis == "x" else "x"
    wrong = defect_bound(even, tolerance, action=ChannelAction.regular(1, axis=elsewhere))
    assert not (defect <= wrong).all()
