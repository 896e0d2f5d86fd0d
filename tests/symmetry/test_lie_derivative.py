"""The Lie derivative: generators of shift and tilt, what follows them and what does not."""

import math

import numpy as np
import pytest
import torch
from scipy.ndimage import gaussian_filter
from torch import Tensor, nn

from medsym.errors import GridError
from medsym.symmetry import ChannelAction, flip
from medsym.symmetry.lie_derivative import (
    Motion,
    generator,
    lie_derivative,
    motions_of_plane,
    pointwise_floor,
    slope,
    smoothed,
)

MOTIONS = motions_of_plane("x")


def blob(
    *, centre: tuple[float, float, float] = (0.0, 0.0, 0.0), size: tuple[int, ...] = (24, 26, 22)
) -> Tensor:
    """Smooth ellipsoid, long along y, (1, 1, x, y, z), float64; coordinates from the centre."""
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in size]
    x, y, z = torch.meshgrid(*axes, indexing="ij")
    squared = (x - centre[0]) ** 2 / 5 + (y - centre[1]) ** 2 / 9 + (z - centre[2]) ** 2 / 7
    return torch.exp(-squared / 2)[None, None]


def relative(found: Tensor, expected: Tensor) -> float:
    return float((found - expected).norm() / expected.norm())


def turned(degrees: float, *, axis: int, towards: int) -> Tensor:
    """The ellipsoid turned about the centre, by its formula and not by resampling."""
    axes = [torch.arange(n, dtype=torch.float64) - (n - 1) / 2 for n in (24, 26, 22)]
    place = list(torch.meshgrid(*axes, indexing="ij"))
    c, s = math.cos(math.radians(degrees)), math.sin(math.radians(degrees))
    back = list(place)
    back[axis] = c * place[axis] + s * place[towards]
    back[towards] = -s * place[axis] + c * place[towards]
    squared = back[0] ** 2 / 5 + back[1] ** 2 / 9 + back[2] ** 2 / 7
    return torch.exp(-squared / 2)[None, None]


def test_shift_is_the_derivative_of_the_moved_formula() -> None:
    moved = (blob(centre=(1e-4, 0, 0)) - blob(centre=(-1e-4, 0, 0))) / 2e-4
    assert relative(generator(blob(), Motion("x")), moved) < 1e-2
    assert relative(generator(blob(), Motion("y")), moved) > 1.0  # another axis is another motion


@pytest.mark.parametrize(("towards", "number"), [("y", 1), ("z", 2)])
def test_tilt_is_the_derivative_of_the_turned_formula(towards: str, number: int) -> None:
    moved = (turned(0.01, axis=0, towards=number) - turned(-0.01, axis=0, towards=number)) / 0.02
    assert relative(generator(blob(), Motion("x", towards)), moved) < 1e-2
    backwards = generator(blob(), Motion(towards, "x"))
    assert relative(backwards, moved) > 1.9  # the opposite turn is the opposite sign


def test_tilt_takes_the_first_axis_towards_the_second() -> None:
    right = blob(centre=(7, 0, 0))
    change = generator(right, Motion("x", "y"))
    y = torch.arange(26, dtype=torch.float64) - 12.5
    assert float((change * y[:, None]).sum()) > 0.1  # what lies at +x moves to +y


def test_slope_is_exact_on_polynomials_up_to_degree_six() -> None:
    x = torch.arange(20, dtype=torch.float64) - 9.5
    volume = (x**6).reshape(1, 1, 20, 1, 1).expand(1, 1, 20, 3, 3)
    expected = (6 * x**5).reshape(1, 1, 20, 1, 1).expand(1, 1, 20, 3, 3)
    inner = (slice(None), slice(None), slice(3, -3))
    assert torch.allclose(slope(volume, "x")[inner], expected[inner], rtol=1e-9)
    assert torch.equal(slope(volume, "y"), torch.zeros_like(volume))


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda m: m.name)
def test_motions_of_the_plane_reverse_under_its_mirror(motion: Motion) -> None:
    volume = torch.rand(1, 2, 8, 7, 6, dtype=torch.float64)
    other = generator(flip(volume), motion)
    assert torch.allclose(other, -flip(generator(volume, motion)), atol=1e-12)
    free = next(a for a in ("y", "z") if a != motion.towards)  # a mirror the motion does not feel
    unfelt = flip(generator(volume, motion), free)
    assert torch.allclose(generator(flip(volume, free), motion), unfelt, atol=1e-12)


@pytest.mark.parametrize("motion", MOTIONS, ids=lambda m: m.name)
def test_identity_has_no_lie_derivative(motion: Motion) -> None:
    found = lie_derivative(lambda v: v, torch.rand(1, 1, 9, 8, 7), motion)
    assert float(found.value.abs().max()) == 0.0
    assert found.share == 0.0


def test_convolution_follows_a_shift_and_not_a_tilt() -> None:
    """Its kernel has a direction, so a turn of the input is not a turn of the output."""
    conv = nn.Conv3d(1, 2, 3, padding=1, bias=False).double()
    shift, tilt = (lie_derivative(conv, blob(), motion) for motion in MOTIONS[:2])
    inner = (..., slice(5, -5), slice(5, -5), slice(5, -5))
    assert float(shift.value[inner].norm() / shift.moved[inner].norm()) < 1e-13
    assert tilt.share > 0.05
    assert shift.method == "forward derivative"


def test_every_second_voxel_does_not_follow_a_shift() -> None:
    """Aliasing: a stride on a rough picture; a smooth one hides it."""
    rough = torch.randn(1, 1, 24, 24, 24, dtype=torch.float64)
    sparse = lie_derivative(lambda v: v[:, :, ::2, ::2, ::2], rough, Motion("x"))
    assert sparse.share > 0.5
    smooth = lie_derivative(lambda v: v[:, :, ::2, ::2, ::2], blob(), Motion("x"))
    assert smooth.share < 0.1


def test_a_function_tied_to_the_grid_ignores_the_motion() -> None:
    picture = blob(centre=(2, 1, 0))
    fixed = lie_derivative(lambda v: picture + 0.0 * v, blob(), Motion("x"))
    assert fixed.share == pytest.approx(1.0)


def test_change_is_what_a_finite_shift_makes() -> None:
    """|L f| t agrees with |g_-t f(g_t x) - f(x)| for a small t, on formulas."""
    gain = torch.linspace(0.5, 1.5, 24, dtype=torch.float64).reshape(1, 1, 24, 1, 1)
    t = 1e-3
    step = 1.0 / 23.0  # change of the gain per voxel
    found = lie_derivative(lambda v: gain * v, blob(), Motion("x"))
    expected = (gain + step * t) * blob() - gain * blob()
    assert relative(found.value * t, expected) < 2e-2
    assert found.change == pytest.approx(float(expected.norm() / (gain * blob()).norm()) / t, 2e-2)


class NoForward(torch.autograd.Function):
    """tanh without a forward derivative."""

    @staticmethod
    def forward(volume: Tensor) -> Tensor:
        return torch.tanh(volume)

    @staticmethod
    def setup_context(ctx: object, inputs: object, output: object) -> None:
        """Nothing is kept."""

    @staticmethod
    def backward(ctx: object, gradient: Tensor) -> Tensor:  # noqa: ARG004
        return gradient


@pytest.mark.parametrize(("dtype", "limit"), [(torch.float64, 1e-6), (torch.float32, 2e-2)])
def test_difference_replaces_a_missing_forward_derivative(dtype: torch.dtype, limit: float) -> None:
    volume = blob().to(dtype)
    exact = lie_derivative(torch.tanh, volume, Motion("x"))
    fallback = lie_derivative(NoForward.apply, volume, Motion("x"))
    assert (exact.method, fallback.method) == ("forward derivative", "central difference")
    change, expected = fallback.value + fallback.moved, exact.value + exact.moved
    assert relative(change, expected) < limit


def test_other_mistakes_of_the_function_are_not_swallowed() -> None:
    with pytest.raises(RuntimeError, match=r"expected input.* to have 2 channels"):
        lie_derivative(nn.Conv3d(2, 1, 3), torch.rand(1, 1, 8, 8, 8), Motion("x"))


def test_floor_falls_with_the_roughness_of_the_picture() -> None:
    rough = torch.randn(1, 1, 20, 20, 20)
    assert pointwise_floor(blob(), Motion("x")) < 0.1 < pointwise_floor(rough, Motion("x"))


def test_smoothing_is_the_gaussian_of_scipy_and_lowers_the_floor() -> None:
    rough = torch.randn(1, 2, 12, 13, 14, dtype=torch.float64)
    expected = gaussian_filter(rough.numpy(), (0, 0, 1, 1, 1), mode="nearest")
    assert np.allclose(smoothed(rough).numpy(), expected, atol=1e-12)
    floor = pointwise_floor(rough, Motion("x"))
    assert pointwise_floor(smoothed(rough), Motion("x")) < 0.7 * floor


def test_label_channels_are_carried_along() -> None:
    """A mirrored network has the same Lie derivative, with the sign of the mirrored motion."""
    action = ChannelAction.trivial(1)
    conv = nn.Conv3d(1, 1, 3, padding=1).double()
    volume = torch.rand(1, 1, 8, 8, 8, dtype=torch.float64)
    twin = lie_derivative(lambda v: flip(conv(flip(v))), flip(volume), Motion("x"))
    here = lie_derivative(conv, volume, Motion("x"))
    assert torch.allclose(twin.value, -action.apply(flip(here.value)), atol=1e-12)


def test_impossible_motions_are_refused() -> None:
    with pytest.raises(GridError, match=r"MS-283 .*towards itself"):
        Motion("x", "x")
    with pytest.raises(GridError, match="MS-204"):
        Motion("left")
    with pytest.raises(GridError, match="MS-204"):
        motions_of_plane("w")
