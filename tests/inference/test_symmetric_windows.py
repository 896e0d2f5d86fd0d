"""Sliding windows keep the mirror of the network; MONAI's own windows do not."""

from collections.abc import Callable

import pytest
import torch
from hypothesis import given
from hypothesis import strategies as st
from monai.inferers.utils import sliding_window_inference
from torch import Tensor, nn

from medsym.errors import GridError
from medsym.inference.symmetric_windows import symmetric_row, symmetric_sliding_window
from medsym.symmetry import Axis, ChannelAction, harden, relative_defect, soften_layer


def exact_network(axis: Axis = "x") -> nn.Module:
    """Two convolutions and an instance norm that commute with the mirror and see borders."""
    one, four = (ChannelAction.trivial(n, axis=axis) for n in (1, 4))
    net = nn.Sequential(
        soften_layer(nn.Conv3d(1, 4, 3, padding=1), action_in=one, action_out=four),
        nn.InstanceNorm3d(4),
        nn.LeakyReLU(0.1),
        soften_layer(nn.Conv3d(4, 1, 3, padding=1), action_in=four, action_out=one),
    )
    return harden(net).eval()


def windowed_defect(infer: Callable[[Tensor], Tensor], size: tuple[int, int, int]) -> float:
    volume = torch.rand(1, 1, *size, generator=torch.Generator().manual_seed(1))
    with torch.inference_mode():
        return relative_defect(infer, volume)


@given(size=st.integers(1, 90), roi=st.integers(1, 40), overlap=st.floats(0.0, 0.95))
def test_rows_are_symmetric_and_overlap_at_least_as_asked(
    size: int, roi: int, overlap: float
) -> None:
    row = symmetric_row(size, roi=roi, overlap=overlap)
    length = size + 2 * row.padding
    starts = row.starts()
    assert starts == sorted(length - roi - start for start in starts)
    assert row.windows == 1 or row.step <= max(int(roi * (1 - overlap)), 1)
    covered = {voxel for start in starts for voxel in range(start, start + roi)}
    assert covered == set(range(length))
    assert row.padding < max(roi, 2)


@pytest.mark.parametrize(
    ("size", "overlap", "windows", "padding"),
    [(64, 0.25, 3, 0), (72, 0.25, 3, 0), (100, 0.25, 4, 2), (80, 0.25, 3, 0), (65, 0.5, 4, 0)],
)
def test_rows_of_window_32_cost_as_few_windows_as_possible(
    size: int, overlap: float, windows: int, padding: int
) -> None:
    row = symmetric_row(size, roi=32, overlap=overlap)
    assert (row.windows, row.padding) == (windows, padding)


@pytest.mark.parametrize("mode", ["gaussian", "constant"])
@pytest.mark.parametrize("overlap", [0.0, 0.25, 0.4, 0.7])
@pytest.mark.parametrize("size", [5, 8, 16, 19, 20, 27, 33])
def test_exact_network_stays_exact_on_any_size(size: int, overlap: float, mode: str) -> None:
    net = exact_network()

    def infer(volume: Tensor) -> Tensor:
        return symmetric_sliding_window(volume, 8, net, overlap=overlap, mode=mode)

    assert windowed_defect(infer, (size, 11, 6)) <= 1e-5


@pytest.mark.parametrize("size", [19, 21, 27, 33])
def test_windows_of_monai_break_the_mirror(size: int) -> None:
    net = exact_network()

    def infer(volume: Tensor) -> Tensor:
        return sliding_window_inference(volume, (8, 8, 8), 1, net, overlap=0.25, mode="gaussian")

    assert windowed_defect(infer, (size, 11, 6)) > 1e-2


def test_only_the_named_axis_is_kept() -> None:
    """Windows made symmetric along y do not help a network that is symmetric along x."""
    net = exact_network()

    def infer(volume: Tensor) -> Tensor:
        return symmetric_sliding_window(volume, 8, net, axis="y")

    assert windowed_defect(infer, (19, 11, 6)) > 1e-2


def test_other_axes_and_several_axes_are_kept_too() -> None:
    volume = torch.rand(1, 1, 11, 13, 19)
    for axis in ("y", "z"):
        net, action = exact_network(axis), ChannelAction.trivial(1, axis=axis)
        for axes in (axis, ("x", "y", "z")):
            defect = relative_defect(
                lambda v, n=net, a=axes: symmetric_sliding_window(v, 8, n, axis=a),
                volume,
                action_in=action,
                action_out=action,
            )
            assert defect <= 1e-5


def test_labels_swap_sides_together_with_the_windows() -> None:
    """A network with a left and a right channel: exact with the labels, far off without."""
    one, sides = ChannelAction.trivial(1), ChannelAction.labels([1, 0])
    net = soften_layer(nn.Conv3d(1, 2, 3, padding=1), action_in=one, action_out=sides)
    volume = torch.rand(1, 1, 19, 8, 8)

    def infer(volume: Tensor) -> Tensor:
        return symmetric_sliding_window(volume, 8, net)

    assert relative_defect(infer, volume, action_out=sides) <= 1e-5
    assert relative_defect(infer, volume) > 1e-2


@pytest.mark.parametrize(("size", "overlap"), [(20, 0.25), (26, 0.25), (8, 0.5), (6, 0.25)])
def test_where_the_windows_of_monai_are_symmetric_the_result_is_the_same(
    size: int, overlap: float
) -> None:
    net, volume = exact_network(), torch.rand(2, 1, size, 11, 9)
    ours = symmetric_sliding_window(volume, 8, net, overlap=overlap)
    theirs = sliding_window_inference(volume, (8, 8, 8), 1, net, overlap=overlap, mode="gaussian")
    assert torch.equal(ours, theirs)


def test_structured_outputs_are_cropped_and_other_grids_refused() -> None:
    volume = torch.rand(1, 1, 19, 8, 8)
    found = symmetric_sliding_window(volume, 8, lambda w: {"a": w + 1, "b": 2 * w}, overlap=0.0)
    assert found["b"].shape == volume.shape
    assert torch.allclose(found["b"], 2 * volume)
    with pytest.raises(GridError, match=r"MS-282 .*cannot be cut off"):
        symmetric_sliding_window(volume, 8, lambda w: w[..., ::2, ::2, ::2], overlap=0.0)


def test_impossible_windows_are_refused_by_name() -> None:
    volume = torch.rand(1, 1, 19, 8, 8)
    with pytest.raises(GridError, match=r"MS-280 .*not those of one 3D grid"):
        symmetric_sliding_window(volume[0], 8, nn.Identity())
    with pytest.raises(GridError, match=r"MS-281 .*overlap 1.0"):
        symmetric_sliding_window(volume, 8, nn.Identity(), overlap=1.0)
    with pytest.raises(GridError, match=r"MS-204 .*no spatial axis 'w'"):
        symmetric_sliding_window(volume, 8, nn.Identity(), axis="w")
