"""The review canvas in a real browser: zones, fading, dial of rarity, outlines, readout."""

import math
from typing import Any

import nibabel
import numpy as np
import pytest
from scipy import ndimage

from medsym.upwards import figures_up
from tests.app.browser_page import ViewerPage, is_orange, share_across
from tests.app.result_folder import MARKER_MM, MAXIMA, P_VALUE, mirrored

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
LAS_CASE, OBLIQUE_CASE = "sub-01_T1w", "sub-02_FLAIR"


def inside(viewer: ViewerPage, script: str, *values: object) -> Any:
    """Run a script on the viewer object `v` of the page, with `a` as its arguments."""
    wrapped = f"(root, a) => {{ const v = root.medsymViewer; {script} }}"
    found = viewer.tab.locator(".medsym").evaluate(wrapped, list(values))
    viewer.settle()
    return found


def millilitres(viewer: ViewerPage, zone: str) -> float:
    """Number in the row of a zone of the legend."""
    return float(viewer.tab.locator(f'[data-ml="{zone}"]').inner_text().split()[0])


def warmth(image: np.ndarray) -> np.ndarray:
    """How orange pixels are."""
    return image[..., 0] - image[..., 2]


def test_three_zones_are_drawn_counted_and_hidden_each_on_its_own(viewer: ViewerPage) -> None:
    viewer.open(LAS_CASE)
    viewer.press("Crosshair")
    inside(viewer, "v.set({ window: [0, 9000] })")  # a dark scan
    full, above = viewer.inner("axial"), millilitres(viewer, "above")
    seen, before = is_orange(full), millilitres(viewer, "below")
    ball = 4 / 3 * math.pi * 8**3 / 1000  # ml, of the map within 8 mm of the marker
    assert above == pytest.approx(ball, rel=0.15)
    assert ball / 2 < millilitres(viewer, "under") < ball  # 5 SD, interpolated at its rim
    inside(viewer, "v.set({ threshold: 9, maximum: 14 })")  # above the 8 SD of the finding
    assert (millilitres(viewer, "above"), millilitres(viewer, "under")) == (0.0, 0.0)
    assert millilitres(viewer, "below") == pytest.approx(before + above, abs=0.11)
    assert not is_orange(viewer.inner("axial")).any()
    viewer.tick("Below the threshold")
    faint = viewer.inner("axial")[seen]
    assert 30 < np.median(faint.sum(axis=1)) < 0.5 * np.median(full[seen].sum(axis=1))
    inside(viewer, "v.set({ threshold: 8.1 })")  # nearer to it: less faint
    assert np.median(viewer.inner("axial")[seen] - faint, axis=0)[0] > 3
    assert (
        "below it but beyond the bound (faint)"
        in viewer.tab.locator('.unseen[role="status"]').inner_text()
    )
    viewer.tick("Below the threshold")
    assert not is_orange(viewer.inner("axial")).any()


def test_colour_grows_with_the_distance_to_the_bound_without_a_jump(viewer: ViewerPage) -> None:
    viewer.open(LAS_CASE)
    viewer.press("Crosshair")
    inside(
        viewer,
        """v.volumes.scan.stored.fill(0);
        const { asymmetry, bound, deviation } = v.volumes, [nx, ny] = bound.shape;
        bound.stored.fill(Math.round(1 / bound.slope)); // 1 nat
        asymmetry.stored.forEach((_, n) => {
          const y = bound.origin[1] + bound.spacing * (Math.floor(n / nx) % ny);
          const side = Math.sign(bound.origin[0] + bound.spacing * (n % nx)); // right is more
          deviation.stored[n] = Math.round(8 * side / deviation.slope);
          asymmetry.stored[n] = Math.round((1 + 0.01 * y) * side / asymmetry.slope); });
        v.moveTo([0, 2, 30]);""",
    )
    rows = viewer.inner("axial")
    across = rows.shape[1] // 2
    profile = warmth(rows)[:, across - 60 : across - 20].max(axis=1)  # between the stripes
    profile = profile[np.flatnonzero(profile > 2)[0] :][4:]  # from the front edge backwards
    ends = np.flatnonzero(profile > 2)[-1]
    assert profile[0] > 1.5 * profile[ends // 2] > 10, "the front is far beyond the bound"
    assert (np.diff(profile[:ends]) <= 2).all(), "never more colour further back"
    assert np.abs(np.diff(profile[: ends - 4])).max() < 0.2 * profile[0], "no jump at the bound"


def test_dial_of_rarity_is_the_conformal_quantile_and_follows_the_threshold(
    viewer: ViewerPage,
) -> None:
    viewer.open(LAS_CASE)
    healthy = np.sort(MAXIMA)
    count = healthy.size
    for rarity in (2, 5, 20, 81):
        steps = inside(viewer, "return v.calibration.thresholds.map(step => step.one_in)")
        viewer.slide("rarity", steps.index(rarity) + 1)
        rank = math.ceil((count + 1) * (1 - 1 / rarity) - 1e-9)
        threshold = inside(viewer, "return v.settings.threshold")
        assert threshold == pytest.approx(healthy[rank - 1], abs=1e-5)
        words = viewer.tab.locator(".rarity").inner_text()
        assert words.startswith(f"At most 1 in {rarity} healthy scans would show this anywhere")
    assert "the rarest that 80 can tell" in words
    for threshold in (0.5, 2.0, 3.7, 5.0, 7.5):
        viewer.slide("threshold", threshold)
        as_large = int((healthy >= threshold).sum())
        rarity = (count + 1) // (as_large + 1)
        shown = viewer.tab.locator('[for="medsym-rarity"] >> nth=1').inner_text()
        assert shown == (f"1 in {rarity}" if rarity > 1 else "common")
    who = viewer.tab.locator("[data-dial]").inner_text()
    assert "80 healthy people of site-a" in who
    assert "Rarer than 1 in 81 cannot be told" in who


def is_outline(image: np.ndarray) -> np.ndarray:
    """Pale yellow pixels."""
    red, green, blue = (image[..., channel] for channel in range(3))
    return (red > 150) & (green > 150) & (abs(red - green) < 25) & (red - blue > 25)


def test_outlines_lie_over_any_layer_and_on_the_side_of_their_structure(viewer: ViewerPage) -> None:
    viewer.open(LAS_CASE)
    viewer.press("Crosshair")
    inside(
        viewer,
        """const { anatomy } = v.volumes; // label 2 is the patient's right
        anatomy.stored.forEach((label, n) => { if (label === 1) anatomy.stored[n] = 0; });
        v.moveTo([50, 10, 0]);""",
    )
    assert not is_outline(viewer.inner("axial")).any()
    viewer.tick("Outlines of the structures")
    for plane in ("axial", "coronal"):
        image = viewer.inner(plane)
        assert share_across(is_outline(image)) < 0.45
        assert is_outline(image).mean() < 0.05, "thin lines"
    assert not is_outline(viewer.inner("mirror")).any()
    viewer.press("Radiological: R on left")
    assert share_across(is_outline(viewer.inner("axial"))) > 0.55
    viewer.press("Heatmap")
    assert share_across(is_outline(viewer.inner("axial"))) > 0.55, "also without a heat layer"
    lines = is_outline(viewer.inner("axial")).sum()
    viewer.slide("outlineOpacity", 10)
    assert is_outline(viewer.inner("axial")).sum() < 0.2 * lines


def test_readout_of_an_oblique_scan_is_that_of_its_file(viewer: ViewerPage) -> None:
    viewer.open(OBLIQUE_CASE)
    assert viewer.value("p") == f"p {figures_up(P_VALUE)}: 1 in 81 healthy scans"
    assert viewer.value("defect") == "0.10 nats, whole scan"
    assert float(viewer.value("deviation")) == 8
    assert float(viewer.value("mirrorDeviation").replace("\u2212", "-")) == -8
    assert viewer.position_mm("mirror") == pytest.approx(mirrored(MARKER_MM), abs=0.05)
    image = nibabel.load(viewer.folder.parent / "scans" / f"{OBLIQUE_CASE}.nii.gz")
    voxels, to_voxel = np.asarray(image.dataobj), np.linalg.inv(image.affine)
    for node in ((40, 50, 60), (70, 60, 40), (55, 80, 50)):  # of the grid that is shown
        mm = inside(
            viewer,
            """const { origin, spacing } = v.volumes.scan;
            v.moveTo(a.map((index, axis) => origin[axis] + spacing * index));
            return v.crosshair;""",
            *node,
        )
        index = (to_voxel @ [*mm, 1])[:3]
        assert viewer.position_mm("voxel") == pytest.approx(index, abs=0.051)
        there = ndimage.map_coordinates(voxels, index[:, None], order=1)[0]
        assert float(viewer.value("scan")) == pytest.approx(there, abs=0.51)  # no decimals shown


def test_planes_and_panel_fit_a_laptop_and_a_tablet_on_end(viewer: ViewerPage) -> None:
    usual = viewer.tab.viewport_size
    try:
        viewer.tab.set_viewport_size({"width": 1280, "height": 800})
        viewer.open(LAS_CASE)
        for part in (".stage", ".panel"):
            box = viewer.tab.locator(part).bounding_box()
            assert box["y"] + box["height"] <= 800
            assert box["x"] + box["width"] <= 1280
        viewer.tab.set_viewport_size({"width": 834, "height": 1112})
        viewer.settle()
        stage, panel = (viewer.tab.locator(part).bounding_box() for part in (".stage", ".panel"))
        assert stage["y"] + stage["height"] <= min(panel["y"], 1112)
        assert stage["width"] == pytest.approx(panel["width"], abs=2)
        assert panel["x"] + panel["width"] <= 834
    finally:
        viewer.tab.set_viewport_size(usual)


def test_the_mirrored_plane_is_drawn_anew_when_it_is_another_picture(viewer: ViewerPage) -> None:
    viewer.open(LAS_CASE)
    start = viewer.pixels("mirror")
    viewer.press("Mirrored")
    viewer.press("Mirrored")
    assert (viewer.pixels("mirror") == start).all(), "hidden and shown again"
    viewer.slide("threshold", 6.0)
    assert (viewer.pixels("mirror") == start).all()
    viewer.press("Full range")
    window = viewer.pixels("mirror")
    assert (window != start).any()
    viewer.press("Radiological: R on left")
    assert share_across(window.min(axis=-1) > 235) != share_across(
        viewer.pixels("mirror").min(axis=-1) > 235
    ), "the other side of the screen"
