"""What is written into pictures: letters, rings, the scale bar, the colour bar, the notice."""

import numpy as np
from PIL import Image, ImageDraw, ImageFont

from medsym import RESEARCH_USE_ONLY
from medsym.screening.figures import INK, MORE, OPACITY, PAPER, Picture
from medsym.upwards import beside_threshold, threshold_text
from medsym.volumes.slices import picture_place, side_letters

LETTER_SIZE = 16
TEXT_SIZE = 13
#: Ring around the mirror place; sky blue of Okabe and Ito, told from orange by any colour vision.
MIRROR = (86, 180, 233)
#: Radius of the rings, mm.
RING_MM = 7.0
#: Length of the scale bar, mm.
SCALE_MM = 50.0
#: Grey of the tissue behind the colours of the colour bar.
BAR_GREY = 130.0
BAR_SIZE = (150, 12)
#: Height of the strip with the legend under a sheet, in lines of text.
LINE = TEXT_SIZE + 7


def font_of(size: int) -> ImageFont.FreeTypeFont | ImageFont.ImageFont:
    """The font that Pillow carries."""
    return ImageFont.load_default(size)


def letter_image(letter: str, *, size: int = LETTER_SIZE) -> Image.Image:
    """A letter as drawn into the pictures."""
    image = Image.new("RGB", (size, size + 4), PAPER)
    ImageDraw.Draw(image).text((2, 0), letter, fill=INK, font=font_of(size))
    return image


def add_letters(image: Image.Image, *, plane: str, radiological: bool, size: int) -> None:
    """Side letters at half height of both edges."""
    first, second = side_letters(plane, radiological=radiological)
    top = (image.height - size) // 2
    image.paste(letter_image(first, size=size), (2, top))
    image.paste(letter_image(second, size=size), (image.width - size - 2, top))


def add_ring(
    image: Image.Image,
    picture: Picture,
    *,
    at: tuple[int, int, int],
    plane: str,
    radiological: bool,
    mirror: bool = False,
) -> None:
    """A ring around a place; around the mirror place a blue diamond, so that shape tells too."""
    scale = image.width / (picture.shape[1] if plane == "sagittal" else picture.shape[0])
    row, column = picture_place(at, shape=picture.shape, plane=plane, radiological=radiological)
    x, y = (column + 0.5) * scale, (row + 0.5) * scale
    radius = max(RING_MM / picture.voxel_mm * scale, 4.0)
    draw = ImageDraw.Draw(image)
    for colour, width in ((PAPER, 4), (MIRROR if mirror else INK, 2)):
        if mirror:
            corners = [(x - radius, y), (x, y - radius), (x + radius, y), (x, y + radius)]
            draw.line([*corners, corners[0], corners[1]], fill=colour, width=width, joint="curve")
        else:
            box = (x - radius, y - radius, x + radius, y + radius)
            draw.ellipse(box, outline=colour, width=width)


def add_scale_bar(image: Image.Image, *, pixel_mm: float) -> None:
    """A bar of ``SCALE_MM`` in the lower left corner."""
    draw = ImageDraw.Draw(image)
    length, y = SCALE_MM / pixel_mm, image.height - 10
    draw.line([(8, y), (8 + length, y)], fill=INK, width=2)
    for x in (8, 8 + length):
        draw.line([(x, y - 4), (x, y + 4)], fill=INK, width=2)
    text = f"{SCALE_MM / 10:g} cm"
    draw.text((14 + length, y - 8), text, fill=INK, font=font_of(TEXT_SIZE))


def colour_bar(picture: Picture) -> Image.Image:
    """The colours over mid-grey tissue, with the deviations of both ends in SD."""
    width, height = BAR_SIZE
    values = np.linspace(picture.extent, picture.full_scale, width)
    share = np.clip(values / picture.full_scale, 0.0, 1.0)[None, :, None]
    opacity = OPACITY[0] + (OPACITY[1] - OPACITY[0]) * share
    colours = BAR_GREY * (1.0 - opacity) + np.array(MORE) * opacity
    bar = Image.fromarray(np.rint(colours).astype(np.uint8).repeat(height, axis=0))
    font = font_of(TEXT_SIZE)
    low = threshold_text(picture.extent)
    high = f"{beside_threshold(picture.full_scale, picture.extent)} SD"
    before = round(font.getlength(low)) + 6
    image = Image.new("RGB", (before + width + round(font.getlength(high)) + 8, LINE), PAPER)
    draw = ImageDraw.Draw(image)
    draw.text((0, 1), low, fill=INK, font=font)
    image.paste(bar, (before, 4))
    draw.text((before + width + 6, 1), high, fill=INK, font=font)
    return image


def notice_strip(width: int) -> Image.Image:
    """The research-use notice over the width of a sheet, smaller where the sheet is narrow."""
    text = f"{RESEARCH_USE_ONLY} R, L: the patient's right and left."
    size = TEXT_SIZE
    while size > 7 and font_of(size).getlength(text) > width - 12:
        size -= 1
    strip = Image.new("RGB", (width, LINE), PAPER)
    ImageDraw.Draw(strip).text((6, 1), text, fill=INK, font=font_of(size))
    return strip


def legend_strip(picture: Picture, *, width: int, marks: bool) -> Image.Image:
    """What colours, lines and rings mean."""
    strip = Image.new("RGB", (width, LINE), PAPER)
    draw, font, y = ImageDraw.Draw(strip), font_of(TEXT_SIZE), LINE // 2
    bar = colour_bar(picture)
    strip.paste(bar, (6, 0))
    x = 6 + bar.width + 18
    entries = [("hatch", "within the bound: may be the model")]
    if marks:
        entries = [("ring", "peak"), ("diamond", "its mirror place"), *entries]
    for kind, text in entries:
        if kind == "ring":
            draw.ellipse((x, y - 7, x + 14, y + 7), outline=INK, width=2)
        elif kind == "diamond":
            corners = [(x, y), (x + 7, y - 7), (x + 14, y), (x + 7, y + 7), (x, y)]
            draw.line(corners, fill=MIRROR, width=2)
        else:
            for step in range(0, 15, 5):
                draw.line([(x + step, y + 6), (x + step + 6, y - 6)], fill=INK, width=2)
        draw.text((x + 24, 1), text, fill=INK, font=font)
        x += 24 + round(font.getlength(text)) + 22
    return strip
