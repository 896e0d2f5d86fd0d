"""Disturbances: they move what they should, to the side that they should."""

import pytest
import torch

from medsym.audit.robustness import add_noise, robustness, shade, shift, tilt_of, turn
from medsym.audit.subject import subject_of
from medsym.symmetry import mirror
from medsym.symmetry.lie_derivative import Motion, generator, smoothed
from tests.audit.small_networks import GainOnTheRight, asymmetric_volume, exact_network


@pytest.mark.parametrize(
    ("motion", "dims"), [(Motion("x", "y"), (2, 3)), (Motion("x", "z"), (2, 4))]
)
def test_quarter_turn_is_the_one_of_torch(motion: Motion, dims: tuple[int, int]) -> None:
    volume = asymmetric_volume((9, 9, 9))
    assert torch.allclose(turn(volume, motion, 90.0), torch.rot90(volume, 1, dims), atol=1e-4)
    assert not torch.allclose(turn(volume, motion, -90.0), torch.rot90(volume, 1, dims), atol=0.1)


def test_small_turn_is_the_generator_of_the_lie_derivative() -> None:
    volume = smoothed(asymmetric_volume((20, 22, 18)).double(), sigma=2.0)
    for motion in (Motion("x", "y"), Motion("x", "z"), Motion("z", "x")):
        finite = (turn(volume, motion, 2.0) - turn(volume, motion, -2.0)) / 4.0
        expected = generator(volume, motion)
        assert float((finite - expected).norm() / expected.norm()) < 0.2
        assert float((finite + expected).norm() / expected.norm()) > 1.8


def test_shift_moves_towards_the_far_end() -> None:
    volume = torch.zeros(1, 1, 8, 4, 4)
    volume[0, 0, 2, 1, 1] = 1.0
    assert torch.equal(shift(volume, 3, axis="x"), volume.roll(3, 2))
    assert torch.equal(shift(volume, 1, axis="z"), volume.roll(1, 4))


def test_shading_brightens_the_right_and_keeps_the_middle() -> None:
    shaded = shade(torch.ones(1, 1, 9, 4, 4), 0.3, axis="x")
    assert float(shaded[0, 0, -1].mean()) == pytest.approx(1.3)  # x grows to the patient's right
    assert float(shaded[0, 0, 0].mean()) == pytest.approx(0.7)
    assert float(shaded[0, 0, 4].mean()) == pytest.approx(1.0)
    assert torch.equal(shaded[:, :, :, 0], shaded[:, :, :, -1])


def test_noise_has_the_asked_spread_and_leaves_the_background() -> None:
    volume = torch.zeros(1, 1, 30, 30, 30)
    volume[:, :, 10:20] = 5.0 + asymmetric_volume((10, 30, 30))
    noise = add_noise(volume, 0.1) - volume
    assert float(noise[:, :, 10:20].std()) == pytest.approx(0.1, rel=0.05)
    assert not bool(noise[volume == 0].any())
    assert torch.equal(add_noise(volume, 0.1), add_noise(volume, 0.1))
    assert not torch.equal(add_noise(volume, 0.1), add_noise(volume, 0.1, seed=1))


def test_exact_network_keeps_its_defect_under_every_disturbance() -> None:
    rows = robustness(subject_of(exact_network()), asymmetric_volume())
    assert [row.name for row in rows] == [
        "none",
        *("noise", "noise", "shading", "shading", "tilt", "tilt", "shift", "shift"),
    ]
    assert max(row.defect for row in rows) < 1e-5
    assert rows[0].output_change == rows[0].input_change == 0.0
    assert all(row.output_change > 0.0 for row in rows[1:])


def test_symmetric_scan_shows_asymmetry_only_where_a_disturbance_makes_it() -> None:
    volume = asymmetric_volume()
    rows = robustness(subject_of(exact_network()), volume + mirror(volume))
    assert rows[0].asymmetry < 1e-5
    assert all(row.asymmetry > 1e-3 for row in rows[1:])


def test_broken_network_shows_its_defect_in_every_row() -> None:
    rows = robustness(subject_of(GainOnTheRight()), asymmetric_volume())
    assert all(row.defect > 0.3 for row in rows)


def test_output_of_a_follower_is_compared_after_it_was_moved_along() -> None:
    """The identity follows every motion, so a tilt and a shift change nothing."""
    rows = robustness(subject_of(torch.nn.Identity()), asymmetric_volume())
    moved = [row for row in rows if row.name in ("tilt", "shift")]
    assert len(moved) == 4
    assert max(row.output_change for row in moved) == 0.0
    assert min(row.input_change for row in moved) > 0.1


def test_tilt_leaves_the_mirror_plane_of_its_axis() -> None:
    for axis in ("x", "y", "z"):
        assert tilt_of(axis).axis == axis
