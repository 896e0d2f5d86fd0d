"""Every figure of the report, in order."""

from collections.abc import Iterator, Sequence
from dataclasses import dataclass

from matplotlib.figure import Figure

from medsym.science.drawing.atlas import draw_atlas, draw_structures
from medsym.science.drawing.curves import (
    draw_false_alarms,
    draw_reliability,
    draw_sides,
    draw_softness,
)
from medsym.science.drawing.panels import draw_panels
from medsym.science.drawing.sheet import as_png, as_svg, styled
from medsym.science.intervals import Numbers
from medsym.science.measured import people_words
from medsym.science.panels import Panel
from medsym.science.run import Findings

#: Cases in one figure: more do not fit on a printed page.
ROWS_PER_FIGURE = 4
SYNTHETIC_HEALTHY = "synthesised healthy subjects"


@dataclass(frozen=True, kw_only=True, slots=True)
class Drawn:
    """One figure: its section and name, and what it shows in words."""

    section: str
    name: str
    alt: str
    png: bytes
    svg: bytes


def draw_figures(findings: Findings) -> Iterator[Drawn]:
    """Every figure that there is something to show in."""
    numbers = findings.numbers
    name = numbers["model"]["name"]
    with styled():
        yield _drawn(
            "tolerance",
            "tolerance-atlas",
            "Mean learned tolerance, natural torque and natural asymmetry in three planes",
            draw_atlas(findings.atlas, title=f"{name}: tolerance atlas"),
        )
        yield _drawn(
            "tolerance",
            "tolerance-structures",
            "Tolerance by structure, left beside right, and against natural asymmetry",
            draw_structures(
                findings.atlas, numbers["structures"], title=f"{name}: where the tolerance lies"
            ),
        )
        if not numbers["softness"]["exact"]:
            figure = draw_softness(numbers["softness"], title=f"{name}: softness of the layers")
            yield _drawn("softness", "softness-layers", "Softness of every layer", figure)
        yield from _panels(findings)
        yield from _curves(findings)


def _panels(findings: Findings) -> Iterator[Drawn]:
    name = findings.numbers["model"]["name"]
    groups = (
        ("cases", "cases", "expert mask", "real scans", findings.cases),
        ("subjects", "subjects", "true lesion", "synthesised subjects", findings.subjects),
    )
    for section, file, mask, what, panels in groups:
        pages = _pages(panels)
        for number, page in enumerate(pages, start=1):
            part = f", {number} of {len(pages)}" if len(pages) > 1 else ""
            figure = draw_panels(
                page, title=f"{name}: {what}{part}", peak_sd=findings.peak_sd, mask=mask
            )
            alt = f"Scan, {mask}, deviation and asymmetry: {', '.join(p.name for p in page)}"
            yield _drawn(section, f"{file}-{number:02d}", alt, figure)


def _pages(panels: Sequence[Panel]) -> list[Sequence[Panel]]:
    return [panels[at : at + ROWS_PER_FIGURE] for at in range(0, len(panels), ROWS_PER_FIGURE)]


def _curves(findings: Findings) -> Iterator[Drawn]:
    numbers = findings.numbers
    name = numbers["model"]["name"]
    if numbers["reliability"]["all"].get("lesion_voxels"):
        yield _drawn(
            "reliability",
            "reliability",
            "Probability of pathology against observed frequency",
            draw_reliability(numbers["reliability"], title=f"{name}: reliability"),
        )
    yield _drawn(
        "alarms",
        "false-alarms",
        "Promised against realised share of flagged healthy scans",
        draw_false_alarms(alarm_groups(findings), title=f"{name}: false alarms on healthy scans"),
    )
    if numbers["sides"]:
        yield _drawn(
            "sides",
            "sides",
            "Share of the energy that differs between the sides, by layer",
            draw_sides(numbers["sides"], title=f"{name}: what differs between the sides"),
        )


def alarm_groups(findings: Findings) -> list[tuple[str, Numbers]]:
    """Name and curve of each group of healthy scans."""
    groups = [(SYNTHETIC_HEALTHY, findings.numbers["false_alarms"])]
    real = findings.numbers["cases"]["healthy"]
    return groups if real is None else [*groups, (people_words(real), real)]


def _drawn(section: str, name: str, alt: str, figure: Figure) -> Drawn:
    return Drawn(section=section, name=name, alt=alt, png=as_png(figure), svg=as_svg(figure))
