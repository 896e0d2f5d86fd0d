"""The pixel test: what lies on the patient's left is drawn on the right-hand side, always."""

from typing import Any

import numpy as np
import pytest

from medsym.science.atlas import AtlasCollector
from medsym.science.drawing.atlas import draw_atlas, draw_structures
from medsym.science.drawing.curves import draw_false_alarms, draw_reliability, draw_softness
from medsym.science.drawing.panels import draw_panels
from medsym.science.drawing.sheet import as_png, as_svg, styled
from medsym.science.false_alarms import calibration_curve
from medsym.science.panels import panel_of_subject
from medsym.science.structure_rows import StructureCollector
from tests.builders_case import flat_reference
from tests.science.builders import (
    PLACE,
    SHAPE,
    antisymmetric,
    axes,
    blob,
    drawn,
    seen,
    share_on_left_hand,
)
from tests.science.test_reliability import collected

SIDES = ("left", "right")


def lesion_on(side: str) -> np.ndarray:
    return blob(PLACE if side == "left" else (SHAPE[0] - 1 - PLACE[0], *PLACE[1:]))


def orange(colours: np.ndarray) -> np.ndarray:
    return colours[..., 0] - colours[..., 2] > 60


def violet(colours: np.ndarray) -> np.ndarray:
    return (colours[..., 2] - colours[..., 1] > 40) & (colours[..., 0] < 160)


def turquoise(colours: np.ndarray) -> np.ndarray:
    return (colours[..., 1] - colours[..., 0] > 100) & (colours[..., 2] > 120)


@pytest.mark.parametrize("side", SIDES)
def test_mask_deviation_and_asymmetry_of_the_left_are_on_the_right_hand(side: str) -> None:
    lesion = lesion_on(side)
    subject = seen(
        lesion=lesion,
        deviation=antisymmetric(lesion, 9.0),
        asymmetry=antisymmetric(lesion, 3.0),
    )
    panel = panel_of_subject("one", subject, peak_sd=4.0)
    with styled():
        colours, boxes = drawn(draw_panels([panel], title="t", peak_sd=4.0, mask="expert mask"))
    here = 0.0 if side == "left" else 1.0  # radiological: the patient's right is on the left hand
    for name in ("deviation", "asymmetry beyond the bound"):
        box = boxes[f"{name} one"]
        assert share_on_left_hand(orange(colours), box) == here
        assert share_on_left_hand(violet(colours), box) == 1.0 - here
        assert share_on_left_hand(turquoise(colours), box) == here
    assert share_on_left_hand(turquoise(colours), boxes["mask one"]) == here
    plain = boxes["scan one"]
    inside = colours[plain.top : plain.bottom, plain.left : plain.right]
    assert not turquoise(inside).any()
    assert not orange(inside).any()


@pytest.mark.parametrize("side", SIDES)
def test_atlas_shows_a_tolerance_of_the_left_on_the_right_hand(side: str) -> None:
    collector = AtlasCollector()
    for _ in range(2):
        collector.add(seen(tolerance=0.05 + 3.0 * lesion_on(side)))
    with styled():
        colours, boxes = drawn(draw_atlas(collector.finish(), title="t"))
    bright = (colours[..., 1] > 180) & (colours[..., 2] < 120)  # the upper end of viridis
    for plane in ("axial", "coronal"):
        share = share_on_left_hand(bright, boxes[f"tolerance {plane}"])
        assert share == (0.0 if side == "left" else 1.0)


def test_letters_of_the_sides_are_the_ones_of_the_pictures() -> None:
    collector = AtlasCollector()
    collector.add(seen(tolerance=0.1))
    collector.add(seen(tolerance=0.1))
    figure = draw_atlas(collector.finish(), title="t")
    for part in figure.axes:
        letters = {text.get_text(): text.get_position()[0] for text in part.texts}
        if part.get_label().endswith(("axial", "coronal")):
            assert letters["R"] < 0.5 < letters["L"]
        elif part.get_label().endswith("sagittal"):
            assert letters["A"] < 0.5 < letters["P"]


def test_bars_of_left_and_right_carry_their_own_numbers() -> None:
    atlas, structures = AtlasCollector(), StructureCollector()
    for _ in range(2):
        subject = seen(tolerance=np.where(axes()[0] < 0, 0.4, 0.1))
        atlas.add(subject)
        structures.add(subject)
    figure = draw_structures(atlas.finish(), structures.finish(), title="t")
    widths = {
        group.get_label(): group.patches[0].get_width()
        for group in figure.axes[0].containers
        if str(group.get_label()).startswith("patient")
    }
    assert widths["patient's left"] == pytest.approx(0.4, rel=1e-4)
    assert widths["patient's right"] == pytest.approx(0.1, rel=1e-4)


def softness(rows: list[dict[str, Any]]) -> dict[str, Any]:
    return {"where": "encoder", "exact": False, "learned": True, "layers": rows}


def test_curves_show_every_bin_and_every_rate() -> None:
    numbers = collected()
    figure = draw_reliability(numbers, title="t")
    likely, everything, counts = figure.axes
    for part, kind in ((likely, "likely"), (everything, "all")):
        marks = [line for line in part.lines if line.get_marker() == "o"]
        assert len(marks) == len(numbers[kind]["bins"])
    assert len(counts.patches) == len(numbers["histogram"]["voxels"])
    curve = calibration_curve(flat_reference(), np.linspace(0.1, 6.0, 30).tolist())
    whole = draw_false_alarms([("made", curve)], title="t").axes[0]
    (line,) = [line for line in whole.lines if line.get_label() == "made"]
    known = [p for p in curve["points"] if p["flagged"] is not None]
    assert list(line.get_xdata()) == [p["alpha"] for p in known]
    assert list(line.get_ydata()) == [p["flagged"]["value"] for p in known]


def test_softness_is_drawn_layer_by_layer_from_the_top() -> None:
    rows = [
        {"path": "first", "low": 0.1, "high": 0.2, "learned": True, "odd_share": 0.05},
        {"path": "second", "low": 0.3, "high": 0.6, "learned": True, "odd_share": None},
    ]
    part = draw_softness(softness(rows), title="t").axes[0]
    names = [label.get_text() for label in part.get_yticklabels()]
    assert dict(zip(names, part.get_yticks(), strict=True)) == {"first": 1.0, "second": 0.0}
    largest = next(group for group in part.containers if group.get_label() == "largest softness")
    assert [bar.get_width() for bar in largest.patches] == [0.2, 0.6]


def test_the_same_numbers_give_the_same_files() -> None:
    def files() -> tuple[bytes, bytes]:
        with styled():
            figure = draw_false_alarms(
                [("a", calibration_curve(flat_reference(), [1.0]))], title="t"
            )
            return as_png(figure), as_svg(figure)

    (png, svg), again = files(), files()
    assert (png, svg) == again
    assert png.startswith(b"\x89PNG")
    assert b"<svg" in svg
    assert b"<text" not in svg  # outlines: no font of the reader is needed
