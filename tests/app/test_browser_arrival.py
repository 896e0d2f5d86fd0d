"""What arrives in a browser, and when: the scan before its maps; and that a run is seen to end."""

import json
from collections.abc import Iterator
from contextlib import contextmanager
from typing import Any

import numpy as np
import pytest

from medsym.benchmarks.viewer.probes import COUNT_RUNS, RERUN
from tests.app.browser_page import ViewerPage, is_orange, share_across

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
CASE, OTHER = "sub-01_T1w", "sub-02_FLAIR"
MAPS = "**/medsym/maps/*"
WORDS = "The maps are being read"


@contextmanager
def held(viewer: ViewerPage, case: str) -> Iterator[list[Any]]:
    """The page of a case whose maps are not answered; gives the requests that wait."""
    waiting: list[Any] = []
    viewer.tab.route(MAPS, lambda route: waiting.append(route))  # noqa: PLW0108 - keeps a mark
    try:
        viewer.tab.goto(f"{viewer.address}/review?case={case}")
        viewer.tab.locator('.medsym[data-status="scan"]').wait_for()
        viewer.settle()
        yield waiting
    finally:
        viewer.tab.unroute(MAPS)


def band(viewer: ViewerPage, plane: str) -> bool:
    """Whether a plane bears the dark amber band that says that maps are missing."""
    row = viewer.pixels(plane)[33]
    return bool((np.abs(row - [69, 41, 7]).max(axis=1) < 12).mean() > 0.9)


def caption(viewer: ViewerPage) -> list[str]:
    """Lines below a saved picture."""
    script = """async root => {
        const loaded = performance.getEntriesByType("resource").map(({ name }) => name);
        const module = await import(loaded.find(name => name.endsWith("/capture.js")));
        return module.captionLines(root.medsymViewer); }"""
    lines: list[str] = viewer.tab.locator(".medsym").evaluate(script)
    return lines


def test_the_scan_is_read_while_its_maps_come_and_every_plane_says_so(viewer: ViewerPage) -> None:
    with held(viewer, CASE) as waiting:
        planes = ("axial", "coronal", "sagittal")
        assert all(band(viewer, plane) for plane in planes)
        assert not is_orange(viewer.inner("axial")[60:]).any()
        assert viewer.tab.locator('.zone[data-zone="none"]').inner_text() == WORDS
        assert WORDS in viewer.tab.locator("[data-waiting]").inner_text()
        assert WORDS in viewer.canvas("axial").get_attribute("aria-label")
        assert any("MAPS NOT READ YET" in line for line in caption(viewer))
        x, y, z = viewer.position_mm()
        viewer.key("axial", "ArrowLeft")
        assert viewer.position_mm() == pytest.approx([x + 2, y, z])
        viewer.key("axial", "x")
        for request in waiting:
            request.continue_()
        viewer.tab.locator('.medsym[data-status="ready"]').wait_for()
        viewer.settle()
    assert not any(band(viewer, plane) for plane in planes)
    assert share_across(is_orange(viewer.inner("axial"))) < 0.45, "on the patient's right"
    assert viewer.tab.locator("[data-waiting]").count() == 0
    focus = "root => root.getRootNode().activeElement?.dataset.plane"
    assert viewer.tab.locator(".medsym").evaluate(focus) == "axial", "the keys go on"
    viewer.key("axial", "x")
    assert viewer.position_mm() == pytest.approx([x + 2, y, z])


def test_maps_of_another_case_are_refused(viewer: ViewerPage) -> None:
    with held(viewer, OTHER) as waiting:
        other = waiting[0].fetch().json()
        waiting[0].abort()
    with held(viewer, CASE) as waiting:
        waiting[0].fulfill(status=200, body=json.dumps(other))
        viewer.tab.locator('.medsym[data-status="failed"]').wait_for()
    assert "maps of another case" in viewer.tab.locator('.medsym [role="alert"]').inner_text()
    assert viewer.tab.locator("canvas[data-plane]").count() == 0


def test_maps_that_cannot_be_read_leave_no_picture_without_them(viewer: ViewerPage) -> None:
    with held(viewer, CASE) as waiting:
        waiting[0].fulfill(status=500, body="MS-102 x.nii.gz: is damaged")
        viewer.tab.locator('.medsym[data-status="failed"]').wait_for()
    assert "MS-102" in viewer.tab.locator('.medsym [role="alert"]').inner_text()
    assert viewer.tab.locator("canvas[data-plane]").count() == 0


def test_a_run_whose_messages_come_all_at_once_is_measured(viewer: ViewerPage) -> None:
    viewer.tab.add_init_script(COUNT_RUNS)
    viewer.open(CASE)
    viewer.tab.locator('[data-test-script-state="notRunning"]').wait_for()
    busy = "setTimeout(() => { const end = performance.now() + 1500;"
    busy += " while (performance.now() < end); }, 0);"
    quick, held_up = (RERUN, RERUN.replace("element.click();", f"element.click(); {busy}"))
    button = viewer.tab.get_by_role("button", name="Next")
    assert button.evaluate(held_up) > 1500
    viewer.settle()
    assert 0 < viewer.tab.get_by_role("button", name="Previous").evaluate(quick) < 30000
