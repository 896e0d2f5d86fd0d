"""What is drawn of a case: slices of the aligned, brain-masked scan with the deviation over it.

Only the brain is drawn, so no face can be recognised. Slices come from the aligned frame (x to the
patient's right), in which the mid-line is vertical. Radiological pictures show the patient's right
on the left-hand side.
"""

import base64
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image
from scipy.ndimage import zoom

from medsym.inference.case import CaseResult
from medsym.inference.findings import EXTENT_SHARE, pair_bound
from medsym.volumes.grid import resample
from medsym.volumes.slices import slice_picture

RGB = NDArray[np.uint8]
#: A voxel of the picture is a whole fraction of a voxel of the symmetric grid, near this size: half
#: of it on a grid of 3 mm and of 2 mm.
PICTURE_MM = 1.25
#: A pixel of the picture is no larger than this.
PIXEL_MM = 0.75
#: More evidence than on the mirror side; "less" is the same place seen from the other side.
MORE = (230, 97, 1)
INK, PAPER = (235, 235, 235), (12, 12, 16)
#: Opacity of a place beyond the bound, from just beyond it up to the full scale.
OPACITY = (0.25, 0.85)
#: Space around the brain, room for the letters, mm.
MARGIN_MM = 18.0
#: Distance and width of the lines over places within the bound, screen pixels.
HATCH = (7, 2)
HATCH_INK = (205, 205, 205)


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is drawn; arrays (x, y, z) on the refined symmetric grid.

    Attributes:
        scan: intensities in [0, 1], 0 outside the brain.
        deviation: SD, positive where there is more evidence than at the mirror place.
        visible: places that are coloured: deviation from the extent of a finding on, asymmetry
            beyond the bound.
        within: places of the same deviation whose asymmetry the bound covers; hatched.
        full_scale: deviation drawn with full colour, SD.
        extent: deviation from which places are coloured or hatched, SD.
        voxel_mm: edge of a voxel of the picture.
        refinement: voxels of the picture per voxel of the symmetric grid, along each axis.
        pixels: screen pixels per voxel of the picture, along each axis.
        origin: voxel of the refined symmetric grid at which the arrays begin; the mid-plane stays
            between the two middle columns.
    """

    scan: NDArray[np.float32]
    deviation: NDArray[np.float32]
    visible: NDArray[np.bool_]
    within: NDArray[np.bool_]
    full_scale: float
    extent: float
    voxel_mm: float
    refinement: int = 2
    pixels: int = 2
    origin: tuple[int, int, int] = (0, 0, 0)

    @property
    def shape(self) -> tuple[int, int, int]:
        """Voxels along x, y and z."""
        x, y, z = self.scan.shape
        return x, y, z

    def mirror_of(self, at: tuple[int, int, int]) -> tuple[int, int, int]:
        """The mirror place of a voxel: the mid-plane lies between the two middle columns."""
        return self.scan.shape[0] - 1 - at[0], at[1], at[2]

    def index_of(self, grid_index: NDArray[np.floating]) -> tuple[int, int, int]:
        """Nearest voxel of the picture to a (fractional) voxel of the symmetric grid."""
        fine = (np.asarray(grid_index) + 0.5) * self.refinement - 0.5 - self.origin
        x, y, z = np.clip(np.rint(fine), 0, np.array(self.scan.shape) - 1).astype(int)
        return int(x), int(y), int(z)


def picture_of(result: CaseResult) -> Picture:
    """Refined, brain-masked arrays of a case."""
    prepared, maps = result.prepared, result.maps
    refinement = max(1, round(prepared.grid.spacing_mm / PICTURE_MM))
    voxel_mm = prepared.grid.spacing_mm / refinement
    shape = tuple(n * refinement for n in prepared.grid.shape)
    finer = np.diag([1.0 / refinement] * 3 + [1.0])
    finer[:3, 3] = (1.0 / refinement - 1.0) / 2.0
    affine = prepared.grid_to_world @ finer
    values = np.asarray(
        resample(prepared.scan, to_shape=(shape[0], shape[1], shape[2]), affine_to=affine),
        dtype=np.float32,
    )
    brain = _refined(maps.brain.astype(np.float32), refinement) > 0.5
    inside = values[brain]
    low, high = np.percentile(inside, [1, 99]) if inside.size else (0.0, 1.0)
    scaled = np.clip((values - low) / max(float(high - low), 1e-12), 0.0, 1.0)
    excess = _refined(maps.asymmetry - pair_bound(maps), refinement)
    deviation = _refined(maps.deviation, refinement)
    box = _brain_box(brain, margin=round(MARGIN_MM / voxel_mm))
    extent = EXTENT_SHARE * result.peak_sd
    reached = (deviation >= extent) & brain
    return Picture(
        scan=np.where(brain, scaled, 0.0).astype(np.float32)[box],
        deviation=deviation[box],
        visible=(reached & (excess > 0))[box],
        within=(reached & (excess <= 0))[box],
        full_scale=max(result.peak_sd, result.summary.deviation_max, 1e-6),
        extent=extent,
        voxel_mm=voxel_mm,
        refinement=refinement,
        pixels=math.ceil(voxel_mm / PIXEL_MM),
        origin=(box[0].start, box[1].start, box[2].start),
    )


def _brain_box(brain: NDArray[np.bool_], *, margin: int) -> tuple[slice, slice, slice]:
    """Box around the brain with a margin; symmetric in x, so the mid-plane stays in the middle."""
    spread = brain | brain[::-1]
    sides = []
    for axis, size in enumerate(brain.shape):
        filled = np.flatnonzero(spread.any(axis=tuple(a for a in range(3) if a != axis)))
        first, last = (filled[0], filled[-1]) if filled.size else (0, size - 1)
        sides.append(slice(max(int(first) - margin, 0), min(int(last) + 1 + margin, size)))
    return sides[0], sides[1], sides[2]


def _refined(values: NDArray[np.float32], refinement: int) -> NDArray[np.float32]:
    refined: NDArray[np.float32] = zoom(
        values.astype(np.float32), refinement, order=1, mode="nearest", grid_mode=True
    )
    return refined


def colour_slice(
    picture: Picture,
    *,
    plane: str,
    index: int,
    radiological: bool = True,
    overlay: bool = True,
    scale: int = 1,
) -> RGB:
    """One slice as (row, column, 3) colours, without letters.

    Args:
        picture: what is drawn.
        plane: "axial", "coronal" or "sagittal".
        index: of the slice.
        radiological: the patient's right on the left-hand side.
        overlay: with the deviation in colour and, hatched, the places within the bound.
        scale: screen pixels per voxel of the picture; values between voxels are interpolated.
    """

    def cut(values: NDArray[np.generic], how: Image.Resampling) -> NDArray[np.float64]:
        flat = slice_picture(values, plane=plane, index=index, radiological=radiological)
        image = Image.fromarray(np.ascontiguousarray(flat, dtype=np.float32))
        size = (image.width * scale, image.height * scale)
        return np.asarray(image.resize(size, how), dtype=np.float64)[..., None]

    smooth, linear = Image.Resampling.BICUBIC, Image.Resampling.BILINEAR
    grey = np.clip(cut(picture.scan, smooth), 0.0, 1.0)
    base = np.array(PAPER) + grey * (255.0 - np.array(PAPER))
    if overlay:
        share = np.clip(cut(picture.deviation, linear) / picture.full_scale, 0.0, 1.0)
        opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share
        shown = cut(picture.visible, linear) > 0.5
        base = np.where(shown, base * (1.0 - opacity) + np.array(MORE) * opacity, base)
        row, column = np.indices(base.shape[:2])
        line = np.asarray((row + column) % HATCH[0] < HATCH[1])[..., None]
        hatched = (cut(picture.within, linear) > 0.5) & ~shown & line
        base = np.where(hatched, np.array(HATCH_INK), base)
    return np.clip(np.rint(base), 0, 255).astype(np.uint8)


def data_uri(jpeg: bytes) -> str:
    """JPEG as a data URI, so that a page needs no other file."""
    return "data:image/jpeg;base64," + base64.b64encode(jpeg).decode("ascii")
