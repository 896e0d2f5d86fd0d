"""Volumes as the browser reads them: magic, then int16 voxels, x fastest, gzip around both.

value = slope * stored + intercept; the stored value -32768 means "no data here".
"""

import gzip
import hashlib
from dataclasses import dataclass
from typing import Literal

import numpy as np

from app.viewer.grid import DisplayGrid, FloatArray

MAGIC = b"MEDSYMV1"  # a server that answers with a web page must not be read as a brain
NO_DATA = -32768
LARGEST = 32767
LABEL_LIMIT = 32767
SLACK = 1e-6  # of a step: what the division may add

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
    level: int = 1,
) -> EncodedVolume:
    """Quantise to 16 bits and compress.

    Args:
        values: (x, y, z) on `grid`; NaN is stored as "no data".
        grid: geometry of `values`.
        symmetric: True for signed maps: zero stays exactly zero and both signs share one scale.
            Error at most max|value| / 65534. False for scans: the range low..high is used whole.
        rounding: "up" never stores less than the value, as a bound needs, "inwards" never more than
            its size, as what is compared with a bound needs; twice the error.
        level: gzip level; 1 because the reader is on the same machine.

    Returns:
        The encoded volume.
    """
    known = np.isfinite(values)
    if known.any():
        low, high = (
            float(np.min(values, where=known, initial=np.inf)),
            float(np.max(values, where=known, initial=-np.inf)),
        )
    else:
        low, high = 0.0, 0.0
    if symmetric:
        slope, intercept = max(abs(low), abs(high)) / LARGEST or 1.0, 0.0
    else:
        slope, intercept = (high - low) / (2 * LARGEST) or 1.0, (high + low) / 2
    steps = (np.nan_to_num(values).astype(np.float64) - intercept) / slope
    if rounding == "up":
        whole = np.minimum(np.ceil(steps), LARGEST)
    elif rounding == "inwards":
        whole = np.trunc(steps + np.copysign(SLACK, steps))
    else:
        whole = np.rint(steps)
    stored = np.where(known, whole, NO_DATA)
    return _pack(stored, grid=grid, slope=slope, intercept=intercept, span=(low, high), level=level)


def encode_labels(values: FloatArray, *, grid: DisplayGrid, level: int = 1) -> EncodedVolume:
    """Store label numbers as they are; NaN becomes "no data"."""
    known = np.isfinite(values)
    stored = np.where(known, np.rint(np.nan_to_num(values)), NO_DATA)
    top = float(stored.max(initial=0))
    if top > LABEL_LIMIT:
        msg = f"label {top:.0f} does not fit 16 bits"
        raise ValueError(msg)
    return _pack(stored, grid=grid, slope=1.0, intercept=0.0, span=(0.0, top), level=level)


def _pack(
    stored: FloatArray,
    *,
    grid: DisplayGrid,
    slope: float,
    intercept: float,
    span: tuple[float, float],
    level: int,
) -> EncodedVolume:
    raw = stored.astype("<i2").tobytes(order="F")
    return EncodedVolume(
        body=gzip.compress(MAGIC + raw, compresslevel=level, mtime=0),
        grid=grid,
        slope=float(slope),
        intercept=float(intercept),
        low=span[0],
        high=span[1],
    )
