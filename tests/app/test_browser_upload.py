"""A scan goes through upload, analysis and review in a real browser, and then it is gone."""

import time
import zipfile
from collections.abc import Iterator
from pathlib import Path
from typing import Any

import pytest

from tests.app.browser_page import (
    FLAGS,
    ViewerPage,
    enter,
    find_chromium,
    is_white,
    share_across,
    start_server,
)
from tests.screening.quick_run import store

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
RIGHT_MM = (40.0, 10.0, 10.0)


@pytest.fixture
def scratch(tmp_path: Path) -> Path:
    """The server's folder for temporary files."""
    place = tmp_path / "scratch"
    place.mkdir()
    return place


@pytest.fixture
def site(tmp_path: Path, scratch: Path) -> Iterator[tuple[Any, str]]:
    """A browser, and the address of a viewer for uploads; its end must leave nothing."""
    playwright = pytest.importorskip("playwright.sync_api", reason="playwright is not installed")
    chromium = find_chromium()
    if chromium is None:
        pytest.skip("no Chromium on this machine")
    process, address = start_server("--upload", log=tmp_path / "server.log", temporary=scratch)
    try:
        with playwright.sync_playwright() as driver:
            browser = driver.chromium.launch(executable_path=chromium, args=FLAGS)
            yield browser, address
            assert list(scratch.rglob("bad.zip")), "the second reader is still there"
            process.terminate()
            process.wait(timeout=20)
            assert not list(scratch.iterdir())
            browser.close()
    finally:
        process.terminate()
        process.wait(timeout=20)


def upload(tab: Any, address: str, scan: Path) -> None:
    tab.goto(f"{address}/upload")
    tab.locator("input[type=file]").set_input_files(str(scan))
    tab.get_by_role("button", name=f"Remove {scan.name}").wait_for(timeout=30_000)
    tab.get_by_role("button", name="Analyse").click()


def test_an_uploaded_scan_is_read_by_its_reader_alone_and_then_gone(
    site: tuple[Any, str], scratch: Path, tmp_path: Path
) -> None:
    browser, address = site
    scan = store(tmp_path / "<b>head</b>.nii.gz".replace("/", ""), lesion_mm=RIGHT_MM)
    mine = browser.new_context(viewport={"width": 1280, "height": 800})
    enter(mine, address)
    tab = mine.new_page()
    volumes: list[str] = []
    mine.on("request", lambda asked: "/volumes/" in asked.url and volumes.append(asked.url))
    upload(tab, address, scan)
    tab.get_by_role("button", name="Open in Review").wait_for(timeout=180_000)
    with tab.expect_download() as waiting:
        tab.get_by_role("link", name="Download the results").click()
    with zipfile.ZipFile(waiting.value.path()) as packed:
        assert any(name.endswith("_case.json") for name in packed.namelist())
    tab.get_by_role("button", name="Open in Review").click()
    tab.locator('.medsym[data-status="ready"]').wait_for(timeout=60_000)
    viewer = ViewerPage(tab, address, folder=scratch)
    viewer.press("Full range")
    viewer.press("Heatmap")
    viewer.press("Crosshair")
    for plane in ("axial", "coronal"):
        assert share_across(is_white(viewer.inner(plane))) < 0.45, "right is on the left"
    theirs = browser.new_context()
    enter(theirs, address)
    other = theirs.new_page()
    other.goto(f"{address}/review?case={tab.url.rpartition('=')[2]}")
    other.get_by_text("Nothing was analysed yet").wait_for(timeout=30_000)
    assert other.request.get(volumes[0]).status == 200
    (kept,) = scratch.rglob("files")
    mine.close()
    bad = tmp_path / "bad.zip"
    bad.write_bytes(b"PK\x03\x04, and then no archive at all")
    upload(other, address, bad)
    other.get_by_text("Refused:").wait_for(timeout=180_000)
    assert "MS-680" in other.get_by_text("What to do:").inner_text()
    for _ in range(400):
        if not kept.exists():
            break
        time.sleep(0.05)
    assert not kept.exists()
    assert other.request.get(volumes[0]).status == 404
