"""Sheets of a report: a place in three planes, the whole brain in slices, and a small picture."""

import io
from collections.abc import Sequence
from functools import partial

import numpy as np
from PIL import Image, ImageDraw

from medsym.screening.figure_marks import (
    LETTER_SIZE,
    TEXT_SIZE,
    add_letters,
    add_ring,
    add_scale_bar,
    font_of,
    legend_strip,
    notice_strip,
)
from medsym.screening.figures import INK, PAPER, Picture, colour_slice
from medsym.volumes.slices import PLANES

#: Axis along which each plane of ``PLANES`` is cut.
PLANE_AXES = (2, 1, 0)
#: Slices of the overview, and how many of them in a row.
OVERVIEW = (24, 6)
OVERVIEW_LETTER = 14
#: Of the space around the brain, what the overview leaves out at every edge, mm.
OVERVIEW_TRIM_MM = 10.0
#: Width of the small picture of a list, pixels.
THUMBNAIL = 112
THUMBNAIL_LETTER = 10
JPEG_QUALITY = 88

Place = tuple[int, int, int]


def labelled_slice(
    picture: Picture,
    *,
    plane: str,
    index: int,
    radiological: bool = True,
    overlay: bool = True,
    letter: int = LETTER_SIZE,
    trim: int = 0,
) -> Image.Image:
    """One enlarged slice with its side letters, without ``trim`` voxels at every edge."""
    colours = colour_slice(
        picture,
        plane=plane,
        index=index,
        radiological=radiological,
        overlay=overlay,
        scale=picture.pixels,
    )
    cut = trim * picture.pixels
    rows, columns = (slice(cut, n - cut) for n in colours.shape[:2])
    image = Image.fromarray(np.ascontiguousarray(colours[rows, columns]))
    add_letters(image, plane=plane, radiological=radiological, size=letter)
    return image


def three_planes(
    picture: Picture,
    *,
    at: Place,
    radiological: bool = True,
    overlay: bool = True,
    marks: bool = True,
) -> Image.Image:
    """Axial, coronal and sagittal slice through a voxel, over legend (with overlay) and notice."""
    cuts = []
    for plane, axis in zip(PLANES, PLANE_AXES, strict=True):
        cut = labelled_slice(
            picture, plane=plane, index=at[axis], radiological=radiological, overlay=overlay
        )
        if overlay and marks:
            ring = partial(add_ring, cut, picture, plane=plane, radiological=radiological)
            if plane != "sagittal":
                ring(at=picture.mirror_of(at), mirror=True)
            ring(at=at)
        if plane == PLANES[0]:
            add_scale_bar(cut, pixel_mm=picture.voxel_mm / picture.pixels)
        cuts.append(cut)
    row = _row(cuts, height=max(c.height for c in cuts))
    for left, plane in zip(np.cumsum([0, *(c.width for c in cuts[:-1])]), PLANES, strict=True):
        ImageDraw.Draw(row).text((int(left) + 8, 4), plane, fill=INK, font=font_of(TEXT_SIZE))
    legend = [legend_strip(picture, width=row.width, marks=marks)] if overlay else []
    return _column([row, *legend, notice_strip(row.width)])


def overview(picture: Picture, *, radiological: bool = True) -> Image.Image:
    """Axial slices from the lowest to the highest of the brain, over legend and notice."""
    number, columns = OVERVIEW
    filled = np.flatnonzero(picture.scan.any(axis=(0, 1)))
    low, high = (int(filled[0]), int(filled[-1])) if filled.size else (0, picture.shape[2] - 1)
    trim = round(OVERVIEW_TRIM_MM / picture.voxel_mm)
    wanted = np.linspace(low, high, number + 2)[1:-1]
    cuts = [
        labelled_slice(
            picture,
            plane="axial",
            index=round(float(z)),
            radiological=radiological,
            letter=OVERVIEW_LETTER,
            trim=trim,
        )
        for z in wanted
    ]
    add_scale_bar(cuts[0], pixel_mm=picture.voxel_mm / picture.pixels)
    rows = [
        _row(cuts[start : start + columns], height=cuts[0].height)
        for start in range(0, number, columns)
    ]
    width = rows[0].width
    return _column([*rows, legend_strip(picture, width=width, marks=False), notice_strip(width)])


def thumbnail(picture: Picture, *, at: Place, radiological: bool = True) -> Image.Image:
    """The axial slice through a place, small, with letters, ring and notice."""
    colours = colour_slice(picture, plane="axial", index=at[2], radiological=radiological, scale=2)
    image = Image.fromarray(colours)
    add_ring(image, picture, at=at, plane="axial", radiological=radiological)
    height = round(image.height * THUMBNAIL / image.width)
    image = image.resize((THUMBNAIL, height), Image.Resampling.LANCZOS)
    add_letters(image, plane="axial", radiological=radiological, size=THUMBNAIL_LETTER)
    strip = Image.new("RGB", (THUMBNAIL, 12), PAPER)
    font = font_of(9)
    text = "Research use only"
    left = round((THUMBNAIL - font.getlength(text)) / 2)
    ImageDraw.Draw(strip).text((left, 0), text, fill=INK, font=font)
    return _column([image, strip])


def jpeg(image: Image.Image) -> bytes:
    """JPEG bytes with full colour resolution and without date or name: equal pictures, equal files.

    Of a sheet of the three planes JPEG takes 45 kB, PNG 120 kB.
    """
    buffer = io.BytesIO()
    image.save(buffer, format="JPEG", quality=JPEG_QUALITY, subsampling=0, optimize=True)
    return buffer.getvalue()


def _row(images: Sequence[Image.Image], *, height: int) -> Image.Image:
    sheet = Image.new("RGB", (sum(i.width for i in images), height), PAPER)
    left = 0
    for image in images:
        sheet.paste(image, (left, (height - image.height) // 2))
        left += image.width
    return sheet


def _column(images: Sequence[Image.Image]) -> Image.Image:
    sheet = Image.new("RGB", (images[0].width, sum(i.height for i in images)), PAPER)
    top = 0
    for image in images:
        sheet.paste(image, (0, top))
        top += image.height
    return sheet
