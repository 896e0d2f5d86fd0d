"""Sliding-window inference whose windows the mirror maps onto each other.

MONAI starts its windows at one end of an axis and pushes the last one back inside, so windows
and their overlaps lie differently on the two sides: around a network that is exactly equivariant
this makes a defect of several percent. Windows ``start = i * step`` of length ``roi`` are
symmetric if and only if ``(size - roi) % step == 0``. Here the step is lowered, which costs
nothing while the number of windows stays, and what remains is padded equally on both sides.
"""

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from typing import Any, get_args

from monai.inferers.utils import sliding_window_inference
from torch import Tensor
from torch.nn.functional import pad

from medsym.errors import GridError
from medsym.symmetry.mirror import Axis, check_axis


@dataclass(frozen=True, kw_only=True, slots=True)
class WindowRow:
    """Windows along one axis, their starts symmetric about its middle.

    Attributes:
        windows: Number of windows.
        step: Voxels between the starts of neighbours; the roi itself for a single window.
        padding: Voxels added on each side.
    """

    windows: int
    step: int
    padding: int

    def starts(self) -> list[int]:
        """First voxel of each window on the padded axis."""
        return [i * self.step for i in range(self.windows)]


def symmetric_row(size: int, *, roi: int, overlap: float) -> WindowRow:
    """The fewest windows that overlap at least this much, then the least padding.

    Args:
        size: Voxels along the axis.
        roi: Length of a window, voxels.
        overlap: Least share of a window that its neighbour also covers, in [0, 1).

    Returns:
        A row with ``size + 2 * padding - roi == (windows - 1) * step``.

    Raises:
        GridError: MS-281, a window or an overlap with which no row exists.
    """
    if size < 1 or roi < 1 or not 0.0 <= overlap < 1.0:
        raise GridError(
            code="MS-281",
            subject="sliding window",
            cause=f"size {size}, window {roi} and overlap {overlap} make no row of windows",
            fix="use a positive size and window, and an overlap of at least 0 and below 1",
        )
    rest = size - roi
    if rest <= 0 and rest % 2 == 0:
        return WindowRow(windows=1, step=roi, padding=-rest // 2)
    if rest < 0:  # one voxel too many for a single centred window: two, a voxel apart
        return WindowRow(windows=2, step=1, padding=(1 - rest) // 2)
    largest = max(int(roi * (1.0 - overlap)), 1)
    for gaps in range(math.ceil(rest / largest), rest + 1):
        for step in range(math.ceil(rest / gaps), largest + 1):
            if (gaps * step - rest) % 2 == 0:
                return WindowRow(windows=gaps + 1, step=step, padding=(gaps * step - rest) // 2)
    raise AssertionError("steps of one voxel always fit")


def symmetric_sliding_window(
    volume: Tensor,
    roi_size: int | Sequence[int],
    network: Callable[..., Any],
    *,
    overlap: float | Sequence[float] = 0.25,
    mode: str = "gaussian",
    axis: Axis | tuple[Axis, ...] = "x",
    sw_batch_size: int = 1,
    padding_mode: str = "constant",
    cval: float = 0.0,
    **options: Any,
) -> Any:
    """MONAI's ``sliding_window_inference`` on windows that keep the mirror of the network.

    The result has the defect of the network on its windows; blending adds rounding alone. Where
    MONAI's own windows were symmetric the result is MONAI's. Axes that are not mirrored are left
    to MONAI.

    Args:
        volume: (b, c, x, y, z).
        roi_size: Window in voxels, one number or one per axis; as in MONAI, a size below 1
            stands for the whole axis.
        network: Called with windows (n, c, *roi); returns a tensor, or a tuple or dict of them.
        overlap: Least overlap of neighbouring windows, a share of the window.
        mode: How windows are blended, "gaussian" or "constant"; both weigh symmetrically.
        axis: The mirrored axis, or several.
        sw_batch_size: Windows per call of the network.
        padding_mode: How volumes are padded: constant, reflect, replicate or circular.
        cval: Value of the padding if it is constant; the background of the scan.
        options: Any other argument of MONAI's function.

    Returns:
        What the network returns, of the size of the volume.

    Raises:
        GridError: MS-204 an unknown axis; MS-280 a volume or sizes that are not 3D; MS-281 no
            such windows; MS-282 an output whose voxels are not the input's, where padding has
            to be cut off.

    Example:
        >>> import torch
        >>> symmetric_sliding_window(torch.ones(1, 1, 20, 8, 8), 8, lambda w: 2 * w).shape
        torch.Size([1, 1, 20, 8, 8])
    """
    rois, overlaps = _per_axis(volume, roi_size, overlap)
    rows: dict[int, WindowRow] = {}
    for name in (axis,) if isinstance(axis, str) else axis:
        check_axis(name)
        number = get_args(Axis).index(name)
        row = symmetric_row(
            volume.shape[2 + number], roi=rois[number], overlap=float(overlaps[number])
        )
        rows[number] = row
        # MONAI takes int(roi * (1 - overlap)) as step; half a voxel more survives the rounding.
        overlaps[number] = max(1.0 - (row.step + 0.5) / rois[number], 0.0)
    margins = [rows[n].padding if n in rows else 0 for n in range(3)]
    twice = [margin for margin in reversed(margins) for _ in range(2)]  # torch: last axis first
    padded = pad(volume, twice, mode=padding_mode, value=cval) if any(margins) else volume
    output = sliding_window_inference(
        padded,
        rois,
        sw_batch_size,
        network,
        overlap=overlaps,
        mode=mode,
        padding_mode=padding_mode,
        cval=cval,
        **options,
    )
    return _cropped(output, margins, tuple(padded.shape[2:])) if any(margins) else output


def _per_axis(
    volume: Tensor, roi_size: int | Sequence[int], overlap: float | Sequence[float]
) -> tuple[list[int], list[float]]:
    """Window and overlap for each of the three axes."""
    rois = [roi_size] * 3 if isinstance(roi_size, int) else list(roi_size)
    overlaps = [overlap] * 3 if isinstance(overlap, int | float) else list(overlap)
    if volume.ndim != 5 or len(rois) != 3 or len(overlaps) != 3:
        raise GridError(
            code="MS-280",
            subject="sliding window",
            cause=f"a volume of shape {tuple(volume.shape)}, windows {rois} and overlaps "
            f"{overlaps} are not those of one 3D grid",
            fix="give (b, c, x, y, z), and one number or one per axis",
        )
    sizes = [n if n > 0 else size for n, size in zip(rois, volume.shape[2:], strict=True)]
    return sizes, overlaps


def _cropped(output: Any, margins: Sequence[int], padded: tuple[int, ...]) -> Any:
    """Cut the padding off every tensor of the output."""
    if isinstance(output, Mapping):
        return {key: _cropped(value, margins, padded) for key, value in output.items()}
    if isinstance(output, tuple):
        return tuple(_cropped(value, margins, padded) for value in output)
    if tuple(output.shape[2:]) != padded:
        raise GridError(
            code="MS-282",
            subject="sliding window",
            cause=f"the network returns {tuple(output.shape[2:])} voxels for {padded}, so the "
            f"padding of {tuple(margins)} voxels cannot be cut off",
            fix="use a network that keeps the grid, or a size with (size - roi) a multiple of the "
            "step",
        )
    for dim, margin in enumerate(margins, start=2):
        output = output.narrow(dim, margin, output.shape[dim] - 2 * margin)
    return output
