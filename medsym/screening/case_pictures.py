"""The pictures of one case: its leading places, an overview of the brain, and one for the list."""

from dataclasses import dataclass

import numpy as np

from medsym.inference.case import CaseResult
from medsym.screening.figure_sheets import jpeg, overview, three_planes, thumbnail
from medsym.screening.figures import data_uri, picture_of

#: Findings with pictures of their own; the table lists all of them.
MAX_PICTURES = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Sheet:
    """One place in three planes, as data URIs.

    Attributes:
        title: what the place is.
        plain: the scan alone.
        coloured: with deviation, peak and mirror place.
        cut: patient's side of the sagittal slice, "left" or "right".
    """

    title: str
    plain: str
    coloured: str
    cut: str


@dataclass(frozen=True, kw_only=True, slots=True)
class CasePictures:
    """All pictures of a case.

    Attributes:
        sheets: leading findings, or the largest deviation if there is none.
        overview: axial slices of the whole brain, a data URI.
        thumbnail: small JPEG of the leading place.
        defects: measured defect at the peak of every finding or at its mirror place, whichever is
            larger, nats; None where it was not measured.
        radiological: the patient's right is on the left-hand side.
    """

    sheets: tuple[Sheet, ...]
    overview: str
    thumbnail: bytes
    defects: tuple[float | None, ...]
    radiological: bool


def words_of(structure: str) -> str:
    """Name of a structure as it is read: "ventral diencephalon"."""
    return structure.replace("-", " ")


def case_pictures(result: CaseResult, *, radiological: bool = True) -> CasePictures:
    """Draw the pictures of a case that is assessable."""
    picture = picture_of(result)
    to_grid = np.linalg.inv(result.prepared.grid_to_world)

    def at(point_mm: tuple[float, float, float]) -> tuple[int, int, int]:
        return picture.index_of((to_grid @ np.array([*point_mm, 1.0]))[:3])

    places = [
        (f"Finding {f.rank}: {f.side} {words_of(f.structure)}", at(f.peak_mm))
        for f in result.findings[:MAX_PICTURES]
    ] or [("Largest deviation (no finding)", at(result.summary.deviation_max_mm))]
    sheets = []
    for title, place in places:
        plain, coloured = (
            data_uri(
                jpeg(three_planes(picture, at=place, radiological=radiological, overlay=overlay))
            )
            for overlay in (False, True)
        )
        side = "right" if place[0] >= picture.shape[0] // 2 else "left"
        sheets.append(Sheet(title=title, plain=plain, coloured=coloured, cut=side))
    return CasePictures(
        sheets=tuple(sheets),
        overview=data_uri(jpeg(overview(picture, radiological=radiological))),
        thumbnail=jpeg(thumbnail(picture, at=places[0][1], radiological=radiological)),
        defects=_defects(result),
        radiological=radiological,
    )


def _defects(result: CaseResult) -> tuple[float | None, ...]:
    if result.summary.measured_defect_max is None:
        return tuple(None for _ in result.findings)
    to_grid = np.linalg.inv(result.prepared.grid_to_world)
    size = np.abs(result.maps.defect)
    larger = np.maximum(size, size[::-1])
    places = [
        np.rint((to_grid @ np.array([*f.peak_mm, 1.0]))[:3]).astype(int) for f in result.findings
    ]
    return tuple(float(larger[x, y, z]) for x, y, z in places)
