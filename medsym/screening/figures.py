"""Pictures of a case: slices of the aligned, brain-masked scan with the deviation over it.

Only the brain is drawn, so no face can be recognised. Slices come from the aligned frame (x to the
patient's right), in which the mid-line is vertical. Radiological pictures show the patient's right
on the left-hand side; every axial and coronal slice carries the letters R and L.
"""

import base64
import io
import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from PIL import Image, ImageDraw, ImageFont
from scipy.ndimage import zoom

from medsym import RESEARCH_USE_ONLY
from medsym.inference.case import CaseResult
from medsym.inference.findings import EXTENT_SHARE, pair_bound
from medsym.volumes.grid import resample
from medsym.volumes.slices import PLANES, side_letters, slice_picture

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
LETTER_SIZE = 16
#: Space around the brain, room for the letters, mm.
MARGIN_MM = 18.0
NOTICE_SIZE = 12


@dataclass(frozen=True, kw_only=True, slots=True)
class Picture:
    """What is drawn; arrays (x, y, z) on the refined symmetric grid.

    Attributes:
        scan: intensities in [0, 1], 0 outside the brain.
        deviation: SD, positive where there is more evidence than at the mirror place.
        visible: places that are coloured: deviation from the extent of a finding on, asymmetry
            beyond the bound.
        full_scale: deviation drawn with full colour, SD.
        refinement: voxels of the picture per voxel of the symmetric grid, along each axis.
        pixels: screen pixels per voxel of the picture, along each axis.
        origin: voxel of the refined symmetric grid at which the arrays begin; the mid-plane stays
            between the two middle columns.
    """

    scan: NDArray[np.float32]
    deviation: NDArray[np.float32]
    visible: NDArray[np.bool_]
    full_scale: float
    refinement: int = 2
    pixels: int = 2
    origin: tuple[int, int, int] = (0, 0, 0)

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
    return Picture(
        scan=np.where(brain, scaled, 0.0).astype(np.float32)[box],
        deviation=deviation[box],
        visible=((deviation >= EXTENT_SHARE * result.peak_sd) & (excess > 0) & brain)[box],
        full_scale=max(result.peak_sd, result.summary.deviation_max, 1e-6),
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
    picture: Picture, *, plane: str, index: int, radiological: bool = True, overlay: bool = True
) -> RGB:
    """One slice as (row, column, 3) colours, without letters."""

    def cut(values: NDArray[np.generic]) -> NDArray[np.generic]:
        return slice_picture(values, plane=plane, index=index, radiological=radiological)

    grey = np.asarray(cut(picture.scan), dtype=np.float64)[..., None]
    base = np.array(PAPER) + grey * (255.0 - np.array(PAPER))
    if overlay:
        strength = np.asarray(cut(picture.deviation), dtype=np.float64)[..., None]
        share = np.clip(strength / picture.full_scale, 0.0, 1.0)
        opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share
        shown = np.asarray(cut(picture.visible))[..., None]
        base = np.where(shown, base * (1.0 - opacity) + np.array(MORE) * opacity, base)
    return np.clip(np.rint(base), 0, 255).astype(np.uint8)


def letter_image(letter: str) -> Image.Image:
    """A letter as drawn into the pictures."""
    image = Image.new("RGB", (LETTER_SIZE, LETTER_SIZE + 4), PAPER)
    font = ImageFont.load_default(LETTER_SIZE)
    ImageDraw.Draw(image).text((2, 0), letter, fill=INK, font=font)
    return image


def labelled_slice(
    picture: Picture, *, plane: str, index: int, radiological: bool = True, overlay: bool = True
) -> Image.Image:
    """One enlarged slice with its side letters."""
    colours = colour_slice(
        picture, plane=plane, index=index, radiological=radiological, overlay=overlay
    )
    image = Image.fromarray(colours.repeat(picture.pixels, axis=0).repeat(picture.pixels, axis=1))
    first, second = side_letters(plane, radiological=radiological)
    top = (image.height - LETTER_SIZE) // 2
    image.paste(letter_image(first), (2, top))
    image.paste(letter_image(second), (image.width - LETTER_SIZE - 2, top))
    return image


def three_planes(
    picture: Picture, *, at: tuple[int, int, int], radiological: bool = True, overlay: bool = True
) -> Image.Image:
    """Axial, coronal and sagittal slice through a voxel, side by side over the notice."""
    cuts = [
        labelled_slice(
            picture, plane=plane, index=at[axis], radiological=radiological, overlay=overlay
        )
        for plane, axis in zip(PLANES, (2, 1, 0), strict=True)
    ]
    height = max(c.height for c in cuts)
    sheet = Image.new("RGB", (sum(c.width for c in cuts), height + NOTICE_SIZE + 6), PAPER)
    font = ImageFont.load_default(NOTICE_SIZE)
    notice = f"{RESEARCH_USE_ONLY} R, L: the patient's right and left."
    ImageDraw.Draw(sheet).text((6, height), notice, fill=INK, font=font)
    left = 0
    for cut in cuts:
        sheet.paste(cut, (left, (height - cut.height) // 2))
        left += cut.width
    return sheet


def data_uri(image: Image.Image) -> str:
    """PNG as a data URI, so that a page needs no other file."""
    buffer = io.BytesIO()
    image.save(buffer, format="PNG", optimize=True)
    return "data:image/png;base64," + base64.b64encode(buffer.getvalue()).decode("ascii")
