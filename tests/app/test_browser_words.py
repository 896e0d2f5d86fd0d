"""What the review page says in a real browser: zones, sides, names of controls, saved pictures."""

import io
from pathlib import Path

import numpy as np
import pytest
from PIL import Image

from tests.app.browser_page import ViewerPage, is_orange

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
CASES = ["sub-01_T1w", "sub-02_FLAIR"]  # LAS; oblique with 6 mm slices
RADIOLOGICAL = "Radiological: R on left"


def test_what_is_under_the_bound_is_hatched_and_can_be_hidden(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    viewer.press("Crosshair")
    zone = viewer.tab.locator(".zone")
    assert zone.inner_text().startswith("Beyond the bound")
    solid = is_orange(viewer.inner("coronal")).sum()
    viewer.tab.locator('button[data-finding="2"]').click()
    viewer.settle()
    assert zone.inner_text().startswith("Under the bound")
    hatched = viewer.inner("coronal")
    assert is_orange(hatched).sum() < 0.2 * solid
    viewer.tick("Under the bound")
    assert (viewer.inner("coronal") != hatched).any(axis=-1).sum() > 50
    assert "model (hidden)" in viewer.tab.locator('.unseen[role="status"]').inner_text()


def test_what_was_not_compared_and_what_is_small_are_not_called_findings(
    viewer: ViewerPage,
) -> None:
    viewer.open(CASES[0])
    zone = viewer.tab.locator(".zone")
    viewer.canvas("axial").click(position={"x": 12, "y": 60})  # air beside the head
    viewer.settle()
    assert zone.inner_text().startswith("Nothing was compared")
    assert viewer.value("deviation") == "\u2013"
    viewer.tab.locator('button[data-finding="1"]').click()
    for _ in range(3):
        viewer.key("axial", "Shift+ArrowUp")  # forwards, away from the marker
    assert zone.inner_text().startswith("A small difference")


def test_sagittal_plane_names_its_side(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    name = viewer.canvas("sagittal").get_attribute("aria-label")
    assert "Mid-plane: right, 42.0 mm" in name
    viewer.press("Jump to mirror point")
    assert "Mid-plane: left, 42.0 mm" in viewer.canvas("sagittal").get_attribute("aria-label")
    assert "L* on left" in viewer.canvas("mirror").get_attribute("aria-label")


def test_small_scrolls_add_up_to_one_slice(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    x, y, z = viewer.position_mm()
    viewer.canvas("axial").hover()
    for _ in range(10):
        viewer.tab.mouse.wheel(0, 10)
    viewer.settle()
    assert viewer.position_mm() == pytest.approx([x, y, z - 2])


def test_saved_picture_carries_notice_and_sides(viewer: ViewerPage, tmp_path: Path) -> None:
    viewer.open(CASES[0])
    with viewer.tab.expect_download() as download:
        viewer.press("Save PNG")
    assert download.value.suggested_filename == "medsym_sub-01_T1w.png"
    download.value.save_as(tmp_path / "picture.png")
    image = np.asarray(
        Image.open(io.BytesIO((tmp_path / "picture.png").read_bytes())).convert("RGB")
    )
    strip = image[4:26].reshape(-1, 3)
    assert ((strip - np.array([58, 42, 8])) == 0).all(axis=1).mean() > 0.5, "strip background"
    assert (strip.min(axis=1) > 120).sum() > 200, "strip words"
    assert (image[-55:].min(axis=-1) > 200).sum() > 300, "caption words"
    assert image.shape[1] > 800


def test_controls_have_names_and_states(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    tree = viewer.tab.locator(".medsym").aria_snapshot()
    for part in (
        f'button "{RADIOLOGICAL}" [pressed]',
        'slider "Threshold"',
        'slider "Window"',
        'combobox "Layer"',
        "Axial plane at x 42, y 10, z 20 millimetres",
    ):
        assert part in tree
    assert viewer.tab.get_by_role("note").inner_text().startswith("Research use only")
