"""Volumes as the browser reads them: magic, then int16 voxels, x fastest, gzip around both.

value = slope * stored + intercept; the stored value -32768 means "no data here".
"""

import hashlib
import zlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.viewer.grid import DisplayGrid, FloatArray, IntArray
from medsym.volumes.voxel_order import in_c_order

MAGIC = b"MEDSYMV1"  # a server that answers with a web page must not be read as a brain
NO_DATA = -32768
LARGEST = 32767
LABEL_LIMIT = 32767
SLACK = 1e-6  # of a step: what the division may add
BLOCK = 4  # planes at a time: they stay in a processor's cache
GZIP_WINDOW = 31  # zlib's number for the largest window and a gzip header, which names no time

Affine = tuple[tuple[float, ...], ...]
Rounding = Literal["nearest", "up", "inwards"]


@dataclass(frozen=True, kw_only=True, slots=True)
class EncodedVolume:
    """A gzip body and what is needed to read it.

    Attributes:
        body: gzip of magic and voxels.
        grid: geometry of the voxels.
        slope: value per step.
        intercept: value of a stored 0.
        low: smallest value.
        high: largest value.
        world_to_voxel: world mm -> voxel of the file it was resampled from, (4, 4); None for maps.
    """

    body: bytes
    grid: DisplayGrid
    slope: float
    intercept: float
    low: float
    high: float
    world_to_voxel: Affine | None = None

    @property
    def digest(self) -> str:
        """SHA-256 of the body: the content's name in the store."""
        return hashlib.sha256(self.body).hexdigest()

    def describe(self, url: str) -> dict[str, object]:
        """JSON for the browser: where the volume is and how to read it."""
        return {
            "url": url,
            "shape": list(self.grid.shape),
            "spacing": self.grid.spacing_mm,
            "origin": list(self.grid.origin_mm),
            "slope": self.slope,
            "intercept": self.intercept,
            "low": self.low,
            "high": self.high,
            "world_to_voxel": self.world_to_voxel,
        }


def encode(
    values: FloatArray,
    *,
    grid: DisplayGrid,
    symmetric: bool,
    rounding: Rounding = "nearest",
) -> EncodedVolume:
    """Quantise to 16 bits and compress.

    Args:
        values: (x, y, z) on `grid`; NaN is stored as "no data".
        grid: geometry of `values`.
        symmetric: True for signed maps: zero stays exactly zero and both signs share one scale.
            Error at most max|value| / 65534. False for scans: the range low..high is used whole.
        rounding: "up" never stores less than the value, as a bound needs, "inwards" never more than
            its size, as what is compared with a bound needs; twice the error.

    Returns:
        The encoded volume.
    """
    low, high = _span(values)
    if symmetric:
        slope, intercept = max(abs(low), abs(high)) / LARGEST or 1.0, 0.0
    else:
        slope, intercept = (high - low) / (2 * LARGEST) or 1.0, (high + low) / 2
    stored = np.empty(values.shape, dtype="<i2")
    for x in range(0, len(values), BLOCK):
        block = values[x : x + BLOCK]
        known = np.isfinite(block)
        steps = (np.where(known, block, 0.0).astype(np.float64) - intercept) / slope
        stored[x : x + BLOCK] = np.where(known, _whole(steps, rounding), NO_DATA)
    return _pack(
        stored, grid=grid, slope=slope, intercept=intercept, span=(low, high), noisy=not symmetric
    )


def _span(values: FloatArray) -> tuple[float, float]:
    """Smallest and largest value; 0 and 0 where there is none."""
    low, high = float(np.fmin.reduce(values, axis=None)), float(np.fmax.reduce(values, axis=None))
    if not (np.isinf(low) or np.isinf(high)):
        return (low, high) if low <= high else (0.0, 0.0)
    known = values[np.isfinite(values)]
    return (float(known.min()), float(known.max())) if known.size else (0.0, 0.0)


def _whole(steps: FloatArray, rounding: Rounding) -> FloatArray:
    if rounding == "up":
        return np.minimum(np.ceil(steps), LARGEST)
    if rounding == "inwards":
        return np.trunc(steps + np.copysign(SLACK, steps))
    return np.rint(steps)


def encode_labels(values: FloatArray, *, grid: DisplayGrid) -> EncodedVolume:
    """Store label numbers as they are; NaN becomes "no data"."""
    known = np.isfinite(values)
    stored = np.where(known, np.rint(np.nan_to_num(values)), NO_DATA)
    top = float(stored.max(initial=0))
    if top > LABEL_LIMIT:
        msg = f"label {top:.0f} does not fit 16 bits"
        raise ValueError(msg)
    return _pack(stored, grid=grid, slope=1.0, intercept=0.0, span=(0.0, top), noisy=False)


def _pack(
    stored: IntArray | FloatArray,
    *,
    grid: DisplayGrid,
    slope: float,
    intercept: float,
    span: tuple[float, float],
    noisy: bool,
) -> EncodedVolume:
    raw = in_c_order(stored.astype("<i2", copy=False).T)  # x fastest
    return EncodedVolume(
        body=_gzip(raw, noisy=noisy),
        grid=grid,
        slope=float(slope),
        intercept=float(intercept),
        low=span[0],
        high=span[1],
    )


def _gzip(raw: IntArray, *, noisy: bool) -> bytes:
    """Gzip at its lowest level, as the reader is on the same machine.

    Args:
        raw: C-contiguous.
        noisy: a scan, in which nothing but its background repeats: no more than runs are looked
            for, which takes a third of the time and gives no more bytes.
    """
    strategy = zlib.Z_RLE if noisy else zlib.Z_DEFAULT_STRATEGY
    packer = zlib.compressobj(1, zlib.DEFLATED, GZIP_WINDOW, zlib.DEF_MEM_LEVEL, strategy)
    return b"".join((packer.compress(MAGIC), packer.compress(raw.data), packer.flush()))
