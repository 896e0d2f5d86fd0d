"""Ruler, zoom, pan and window in a real browser: lengths in mm, and what stays where it was."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.browser_page import ViewerPage, is_white
from tests.app.result_folder import MARKER_MM

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
STRAIGHT, OBLIQUE = "sub-01_T1w", "sub-02_FLAIR"  # LAS; turned, with 6 mm slices
RADII = np.array([70.0, 90.0, 75.0])  # of the head, mm
RULER = (208, 179, 255)
AXES = {"axial": 0, "coronal": 0, "sagittal": 1}  # world axis across a plane


def show_scan_alone(viewer: ViewerPage, case: str) -> None:
    viewer.open(case)
    for button in ("Full range", "Heatmap", "Crosshair"):
        viewer.press(button)


def drag(
    viewer: ViewerPage, plane: str, *places: tuple[float, float], button: str = "left"
) -> None:
    """Drag over a plane, (x, y) in its pixels."""
    box = viewer.canvas(plane).bounding_box()
    points = [(box["x"] + x, box["y"] + y) for x, y in places]
    viewer.tab.mouse.move(*points[0])
    viewer.tab.mouse.down(button=button)
    for point in points[1:]:
        viewer.tab.mouse.move(*point)
    viewer.tab.mouse.up(button=button)
    viewer.settle()


def last_length_mm(viewer: ViewerPage) -> float:
    words = viewer.tab.get_by_label("Last length").inner_text()
    return float(words.removeprefix("Last length ").removesuffix(" mm"))


def marker_at(viewer: ViewerPage, plane: str) -> np.ndarray:
    """Where the marker is on a plane, (x, y), pixels."""
    return np.argwhere(is_white(viewer.inner(plane))).mean(axis=0)[::-1]


def head_width_mm(axis: int) -> float:
    """Width of the head through the marker, along a world axis."""
    others = [n for n in range(3) if n != axis]
    share = sum((MARKER_MM[n] / RADII[n]) ** 2 for n in others)
    return float(2 * RADII[axis] * np.sqrt(1 - share))


def ruler_ink(image: np.ndarray) -> int:
    return int((np.abs(image - np.array(RULER)).max(axis=-1) < 12).sum())


def test_a_ruler_measures_the_known_width_of_the_head(viewer: ViewerPage) -> None:
    show_scan_alone(viewer, OBLIQUE)
    clean = viewer.pixels("axial")
    viewer.press("Ruler")
    for plane, axis in AXES.items():
        image = viewer.inner(plane)
        y, x = np.argwhere(is_white(image)).mean(axis=0)
        row = image[round(y)].mean(axis=-1)
        left, *_, right = np.flatnonzero(row > 40)  # half of the head's grey
        drag(viewer, plane, (left, y), (x, y), (right + 1, y))
        assert last_length_mm(viewer) == pytest.approx(head_width_mm(axis), abs=4)
    measured = last_length_mm(viewer)
    viewer.press("Zoom in")
    assert last_length_mm(viewer) == measured
    assert ruler_ink(viewer.pixels("axial")) > 100 > ruler_ink(clean)
    assert f"Rulers: {measured:.1f} mm." in viewer.canvas("sagittal").get_attribute("aria-label")
    with viewer.tab.expect_download() as download:
        viewer.press("Save PNG")
    saved = np.asarray(Image.open(io.BytesIO(Path(download.value.path()).read_bytes())))
    assert ruler_ink(saved[..., :3].astype(int)) > 300
    viewer.key("axial", "PageUp")
    assert ruler_ink(viewer.pixels("axial")) < 10, "a length belongs to its slice"
    viewer.key("axial", "PageDown")
    assert ruler_ink(viewer.pixels("axial")) > 100
    viewer.press("Clear rulers")
    assert ruler_ink(viewer.pixels("axial")) < 10


def test_zoom_keeps_the_point_under_the_pointer_and_drags_move_the_picture(
    viewer: ViewerPage,
) -> None:
    show_scan_alone(viewer, STRAIGHT)
    place, width = marker_at(viewer, "axial"), int(is_white(viewer.inner("axial")).sum())
    box = viewer.canvas("axial").bounding_box()
    viewer.tab.mouse.move(box["x"] + place[0], box["y"] + place[1])
    viewer.tab.keyboard.down("Control")
    for _ in range(5):
        viewer.tab.mouse.wheel(0, -100)
    viewer.tab.keyboard.up("Control")
    viewer.settle()
    assert is_white(viewer.inner("axial")).sum() > 2 * width
    assert marker_at(viewer, "axial") == pytest.approx(place, abs=2.5)
    start = {plane: marker_at(viewer, plane) for plane in ("axial", "coronal")}
    drag(viewer, "axial", (120, 120), (140, 130), (180, 100), button="middle")
    moved = {plane: marker_at(viewer, plane) - start[plane] for plane in start}
    assert moved["axial"] == pytest.approx([60, -20], abs=2.5)
    assert moved["coronal"] == pytest.approx([60, 0], abs=2.5), "planes stay linked"
    letters = is_white(viewer.pixels("axial"))
    middle = letters.shape[0] // 2
    assert letters[middle - 12 : middle + 12, 5:30].sum() > 20
    viewer.press("Reset")
    viewer.press("Full range")
    assert marker_at(viewer, "axial") == pytest.approx(place, abs=1)
    assert viewer.position_mm() == pytest.approx(MARKER_MM)


def test_tools_are_buttons_that_say_whether_they_are_on(viewer: ViewerPage) -> None:
    show_scan_alone(viewer, STRAIGHT)
    place = marker_at(viewer, "axial")
    window = viewer.tab.locator('output[for="medsym-window"]')
    widths = [float(window.inner_text())]
    viewer.press("Window")
    drag(viewer, "axial", (200, 150), (150, 150))
    widths.append(float(window.inner_text()))
    viewer.press("Pan")
    drag(viewer, "axial", (200, 150), (190, 150), (230, 150))
    drag(viewer, "axial", (200, 150), (160, 150), button="right")
    widths.append(float(window.inner_text()))
    assert widths == sorted(widths, reverse=True), "to the left is narrower"
    assert len(set(widths)) == 3
    assert (marker_at(viewer, "axial") - place)[0] == pytest.approx(30, abs=5)
    assert viewer.position_mm() == pytest.approx(MARKER_MM), "only a point drag moves the crosshair"
    tree = viewer.tab.locator(".toolbar").aria_snapshot()
    assert 'button "Pan" [pressed]' in tree
    assert 'button "Ruler"\n' in tree
    viewer.key("axial", "Escape")
    assert 'button "Point" [pressed]' in viewer.tab.locator(".toolbar").aria_snapshot()


def test_two_fingers_magnify_and_move_without_moving_the_crosshair(viewer: ViewerPage) -> None:
    show_scan_alone(viewer, STRAIGHT)
    place, size = marker_at(viewer, "axial"), int(is_white(viewer.inner("axial")).sum())
    box = viewer.canvas("axial").bounding_box()
    fingers = viewer.tab.context.new_cdp_session(viewer.tab)

    def touch(kind: str, *apart: float) -> None:
        x, y = box["x"] + place[0] + 10, box["y"] + place[1]
        points = [{"x": x + way, "y": y, "id": n} for n, way in enumerate(apart)]
        fingers.send("Input.dispatchTouchEvent", {"type": kind, "touchPoints": points})

    touch("touchStart", -20)
    touch("touchStart", -20, 20)
    for way in (25, 32, 40):
        touch("touchMove", -way, way)
    touch("touchEnd")
    viewer.settle()
    assert viewer.position_mm() == pytest.approx(MARKER_MM)
    assert is_white(viewer.inner("axial")).sum() > 2.5 * size, "twice as far apart"
    assert marker_at(viewer, "axial") == pytest.approx(place - [10, 0], abs=3)
    touch("touchStart", 30)
    touch("touchEnd")
    viewer.settle()
    assert viewer.position_mm()[0] < MARKER_MM[0] - 10, "a tap moves the crosshair"
