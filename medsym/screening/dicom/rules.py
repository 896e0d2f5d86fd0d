"""Which DICOM series may be a scan of a head in one piece, of one person."""

from collections.abc import Sequence
from itertools import pairwise

import numpy as np

from medsym.screening.dicom.headers import Header

#: SOP classes of images that show a head in slices: MR, CT, and enhanced MR, CT with many frames.
_SLICES = frozenset({"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"})
_FRAMES = frozenset({"1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.2.1"})
#: Words after the second of ImageType that mean a part of a complex image without the anatomy.
_NO_MAGNITUDE = frozenset(
    {"P", "PHASE", "PHASE MAP", "VELOCITY MAP", "R", "REAL", "I", "IMAGINARY"}
)
#: Fewer images than this are a localizer, whatever they are called.
MIN_IMAGES = 8
#: Steps between slices differ by less than this share where none is missing: positions are written
#: with three decimals or more, and one missing slice doubles a step.
_UNEVEN = 0.1
#: Positions closer than this are one slice of several echoes or times, mm.
_SAME_PLACE_MM = 0.01


def problem_of(images: Sequence[Header]) -> str:
    """Why a series is no scan of a head in one piece; nothing if it may be one."""
    kinds = {image.kind for image in images}
    if not images[0].series:
        return "does not say which series its images belong to"
    if len({(image.study, image.person[:3]) for image in images}) > 1:  # archives edit the 4th
        return "mixes images of several persons or visits"
    if not kinds <= _SLICES | _FRAMES:
        return f"holds no MR or CT images (modality {images[0].modality or 'none stated'})"
    if any(image.samples != 1 for image in images):
        return "is in colour"
    return _what_it_shows(images) or ("" if kinds & _FRAMES else _where_it_lies(images))


def _what_it_shows(images: Sequence[Header]) -> str:
    types = {word for image in images for word in image.image_type}
    if "LOCALIZER" in types or "SCOUT" in types:
        return "is a localizer"
    if "DERIVED" in types:
        return "was derived from other images"
    if any(_NO_MAGNITUDE & set(image.image_type[2:]) for image in images):
        return "shows phases or another part of a complex image"
    turns = {tuple(round(v, 2) for v in image.turn) for image in images}
    if len(turns) > 1:
        return f"its slices lie in {len(turns)} directions, as in a localizer"
    count = sum(image.frames for image in images)
    return f"has only {count} images" if count < MIN_IMAGES else ""


def _where_it_lies(images: Sequence[Header]) -> str:
    """Whether every slice is there; dcm2niix closes a gap, and half of the head moves."""
    if not all(image.turn and image.place for image in images):
        return "does not say where its images lie in the patient"
    normal = np.cross(images[0].turn[:3], images[0].turn[3:])
    depths = sorted(float(np.dot(normal, image.place)) for image in images)
    steps = [after - before for before, after in pairwise(depths)]
    steps = [step for step in steps if step > _SAME_PLACE_MM]
    if steps and max(steps) - min(steps) > _UNEVEN * float(np.median(steps)):
        return f"lacks slices: they lie {min(steps):.2f} to {max(steps):.2f} mm apart"
    return ""
