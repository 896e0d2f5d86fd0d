"""Two pictures side by side in a real browser: sides, homologous places, blink, prior. Pixels."""

import numpy as np
import pytest

from tests.app.browser_page import ViewerPage, is_orange, is_white, share_across
from tests.app.result_folder import MARKER_MM, WITHIN_MM, mirrored
from tests.app.visits_folder import NOW, OTHER, THEN, build_visits, marker_then

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
RADIOLOGICAL = "Radiological: R on left"
build = build_visits
MATCH_MM = 2.0  # half a voxel of the scans of this folder: error of the match


def open_compare(viewer: ViewerPage, case: str, **query: str) -> None:
    words = "".join(f"&{key}={value}" for key, value in query.items())
    viewer.tab.goto(f"{viewer.address}/compare?case={case}{words}")
    viewer.tab.locator('.medsym[data-status="ready"]').wait_for(timeout=60_000)
    viewer.settle()


def cell(viewer: ViewerPage, name: str, *, right: bool = False) -> str:
    """A cell of the table of values at both crosshairs."""
    side = "right" if right else "left"
    text: str = viewer.tab.locator(f'td[data-{side}="{name}"]').inner_text()
    return text.replace("\N{MINUS SIGN}", "-")


def place_mm(viewer: ViewerPage, *, right: bool = False) -> list[float]:
    return [float(part) for part in cell(viewer, "mm", right=right).split()]


def centroid(mask: np.ndarray) -> np.ndarray:
    assert mask.sum() > 10, "nothing to be seen"
    return np.argwhere(mask).mean(axis=0)


def show_scans_alone(viewer: ViewerPage) -> None:
    """In a window in which only the marker is white."""
    for button in ("Full range", "Crosshair", "Heatmap"):
        viewer.press(button)


def white_while(viewer: ViewerPage, shown: str) -> np.ndarray:
    """White pixels of the left axial plane while it shows one of two blinking pictures."""
    wanted = viewer.tab.locator(f'canvas[data-plane="axial"][data-shown="{shown}"]')
    for _ in range(20):
        wanted.wait_for()
        image = viewer.inner("axial")
        if wanted.count():  # still
            return is_white(image)
    msg = f"the left plane never showed the {shown}"
    raise AssertionError(msg)


def test_a_marker_on_the_right_is_at_the_homologous_place_of_the_mirror(viewer: ViewerPage) -> None:
    open_compare(viewer, NOW)
    assert place_mm(viewer) == pytest.approx(MARKER_MM, abs=0.1)
    assert place_mm(viewer, right=True) == pytest.approx(mirrored(MARKER_MM), abs=0.1)
    assert cell(viewer, "side").startswith("right, 42")
    assert cell(viewer, "side", right=True).startswith("left, 42")
    assert float(cell(viewer, "scan")) > 900
    assert float(cell(viewer, "scan", right=True)) < 400
    assert float(cell(viewer, "deviation")) == -float(cell(viewer, "deviation", right=True)) == 8
    viewer.press("Crosshair")
    for plane in ("axial", "coronal"):
        viewer.press(plane.capitalize())
        scan, mirror = viewer.inner(plane), viewer.inner(f"{plane}-beside")
        assert share_across(is_orange(scan)) < 0.45, "the patient's right is on the left"
        reflected = 1 - share_across(is_orange(mirror))
        assert share_across(is_orange(scan)) == pytest.approx(reflected, abs=0.01)
        name = viewer.canvas(f"{plane}-beside").get_attribute("aria-label")
        assert "Mirrored" in name
        assert "L* on left" in name
    viewer.press("Axial")
    viewer.press(RADIOLOGICAL)
    assert share_across(is_orange(viewer.inner("axial"))) > 0.55
    assert share_across(is_orange(viewer.inner("axial-beside"))) < 0.45


def test_blink_and_difference_show_what_they_say(viewer: ViewerPage) -> None:
    open_compare(viewer, NOW)
    show_scans_alone(viewer)
    viewer.canvas("axial").focus()
    viewer.tab.keyboard.press("b")
    shares = {shown: share_across(white_while(viewer, shown)) for shown in ("mirror", "scan")}
    assert shares["scan"] < 0.45
    assert shares["mirror"] > 0.55
    assert viewer.canvas("axial-beside").get_attribute("data-shown") == "mirror", "it stays"
    viewer.key("axial", "b")
    assert viewer.canvas("axial").get_attribute("data-shown") == "scan"
    viewer.key("axial", "d")
    difference = viewer.inner("axial-beside")
    blue = difference[..., 2] - difference[..., 0] > 25
    assert share_across(is_orange(difference)) < 0.45, "brighter on the patient's right"
    assert share_across(blue) > 0.55
    assert "R" in viewer.canvas("axial-beside").get_attribute("aria-label")


def test_the_prior_shows_the_same_place_although_the_head_lay_otherwise(viewer: ViewerPage) -> None:
    open_compare(viewer, NOW, prior=THEN)
    assert place_mm(viewer) == pytest.approx(MARKER_MM, abs=0.1)
    assert place_mm(viewer, right=True) == pytest.approx(marker_then(), abs=MATCH_MM)
    assert cell(viewer, "side", right=True).startswith("right, 4")
    assert cell(viewer, "structure", right=True) == cell(viewer, "structure") == "right cerebrum"
    show_scans_alone(viewer)
    for plane in ("axial", "sagittal"):
        viewer.press(plane.capitalize())
        now, then = (centroid(is_white(viewer.inner(name))) for name in (plane, f"{plane}-beside"))
        assert now == pytest.approx(then, abs=8), "canvas pixels, about two millimetres"
    words = viewer.tab.get_by_label("What changed").inner_text()
    assert "2023-11-02" in words
    changes = viewer.tab.locator("table.changes td:last-child").all_inner_texts()
    assert changes == ["0.0", "0.0"], "the same findings at both visits, none new, none gone"


def test_a_link_by_hand_moves_the_prior_but_never_to_the_other_side(viewer: ViewerPage) -> None:
    open_compare(viewer, NOW, prior=THEN)
    viewer.press("Unlink")
    viewer.canvas("axial-beside").click(
        position={"x": 300, "y": 150}
    )  # the patient's left, in front
    viewer.settle()
    assert place_mm(viewer) == pytest.approx(MARKER_MM, abs=0.1)
    assert cell(viewer, "side", right=True).startswith("left")
    there = place_mm(viewer, right=True)
    viewer.press("Link here")
    assert cell(viewer, "side", right=True).startswith("right, 4")
    assert place_mm(viewer, right=True)[1:] == pytest.approx(there[1:], abs=MATCH_MM)
    viewer.press("Automatic link")
    assert place_mm(viewer, right=True) == pytest.approx(marker_then(), abs=MATCH_MM)


def test_compare_goes_on_where_the_review_stood(viewer: ViewerPage) -> None:
    viewer.open(OTHER)
    viewer.tab.locator('button[data-finding="2"]').click()
    viewer.settle()
    viewer.tab.get_by_role("link", name="Compare").click()
    viewer.tab.locator('.medsym.compare[data-status="ready"]').wait_for()
    viewer.settle()
    assert place_mm(viewer) == pytest.approx(WITHIN_MM, abs=0.1)


def test_the_next_case_keeps_to_priors_and_the_address_says_so(viewer: ViewerPage) -> None:
    open_compare(viewer, NOW, prior=THEN)
    viewer.tab.keyboard.press("k")
    viewer.tab.wait_for_url("**case=" + THEN + "*")
    viewer.tab.locator(f'.medsym[data-status="ready"][data-case="{THEN}"]').wait_for()
    viewer.settle()
    assert f"prior={NOW}" in viewer.tab.url
    assert "LATER SCAN" in viewer.canvas("axial-beside").get_attribute("aria-label")
    assert OTHER not in viewer.tab.url
