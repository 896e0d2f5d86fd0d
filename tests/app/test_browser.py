"""What a reader sees in a real browser: sides, letters, zones, numbers. Pixels, not calls."""

from http.client import HTTPConnection
from urllib.parse import urlsplit

import numpy as np
import pytest

from tests.app.browser_page import (
    KEY,
    ViewerPage,
    is_blue,
    is_orange,
    is_white,
    share_across,
)
from tests.app.result_folder import MARKER_MM, WITHIN_MM

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
CASES = ["sub-01_T1w", "sub-02_FLAIR"]  # LAS; oblique with 6 mm slices
RADIOLOGICAL = "Radiological: R on left"
NEUROLOGICAL = "Neurological: L on left"
FETCH = "url => fetch(url, {mode: 'no-cors'}).then(() => 'answered', () => 'failed')"
IMAGE = "url => { new Image().src = url; }"
SOCKET = "url => { try { new WebSocket(url); } catch {} }"


def show_scan_alone(viewer: ViewerPage, case: str) -> None:
    viewer.open(case)
    viewer.press("Full range")
    viewer.press("Heatmap")
    viewer.press("Crosshair")


@pytest.mark.parametrize("case", CASES)
def test_marker_on_the_patients_right_is_on_the_side_of_the_letter_r(
    viewer: ViewerPage, case: str
) -> None:
    show_scan_alone(viewer, case)
    for plane in ("axial", "coronal"):
        assert share_across(is_white(viewer.inner(plane))) < 0.45
    assert share_across(is_white(viewer.inner("mirror"))) > 0.55
    viewer.press(RADIOLOGICAL)
    for plane in ("axial", "coronal"):
        assert share_across(is_white(viewer.inner(plane))) > 0.55
    assert share_across(is_white(viewer.inner("mirror"))) < 0.45
    viewer.press(NEUROLOGICAL)
    assert share_across(is_white(viewer.inner("axial"))) < 0.45


def letter_ink(viewer: ViewerPage, plane: str) -> tuple[int, int]:
    """White pixels of the letters at the left and at the right edge."""
    image = is_white(viewer.pixels(plane))
    middle = image.shape[0] // 2
    band = image[middle - 12 : middle + 12]
    return int(band[:, 5:30].sum()), int(band[:, -30:-5].sum())


def test_letters_change_sides_with_the_convention(viewer: ViewerPage) -> None:
    show_scan_alone(viewer, CASES[0])
    for plane in ("axial", "coronal"):
        left, right = letter_ink(viewer, plane)
        assert left > 1.25 * right > 10, "an R has more ink than an L"
    viewer.press(RADIOLOGICAL)
    for plane in ("axial", "coronal"):
        left, right = letter_ink(viewer, plane)
        assert right > 1.25 * left > 10


def test_sagittal_direction_is_a_setting_of_its_own(viewer: ViewerPage) -> None:
    show_scan_alone(viewer, CASES[0])
    assert share_across(is_white(viewer.inner("sagittal"))) < 0.5  # y = +10, nose on the left
    viewer.press(RADIOLOGICAL)
    assert share_across(is_white(viewer.inner("sagittal"))) < 0.5
    viewer.press("Nose on left")
    assert share_across(is_white(viewer.inner("sagittal"))) > 0.5


@pytest.mark.parametrize("case", CASES)
def test_more_than_the_mirror_side_is_orange_on_its_own_side(viewer: ViewerPage, case: str) -> None:
    viewer.open(case)
    viewer.press("Crosshair")
    assert not is_blue(viewer.inner("axial")).any(), "the mirror side is not a second finding"
    viewer.tick("Show the mirror side too")
    for plane in ("axial", "coronal"):
        image = viewer.inner(plane)
        assert share_across(is_orange(image)) < 0.45
        assert share_across(is_blue(image)) > 0.55


def test_threshold_acts_in_the_browser_alone(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    viewer.press("Crosshair")
    before = is_orange(viewer.inner("axial")).sum()
    sent = len(viewer.frames)
    assert sent > 0
    viewer.slide("maximum", 12.0)
    viewer.slide("threshold", 7.9)
    at_edge = is_orange(viewer.inner("axial")).sum()
    viewer.slide("opacity", 0)
    hidden = is_orange(viewer.inner("axial")).sum()
    assert before > 100
    assert 0 < at_edge < before
    assert hidden == 0
    assert len(viewer.frames) == sent, "a slider must not make the server run"


@pytest.mark.parametrize("case", CASES)
def test_click_reads_the_point_that_was_clicked(viewer: ViewerPage, case: str) -> None:
    show_scan_alone(viewer, case)
    row, column = np.argwhere(is_white(viewer.inner("axial"))).mean(axis=0)
    viewer.canvas("axial").click(position={"x": 200, "y": 150})
    viewer.settle()
    assert viewer.position_mm() != pytest.approx(MARKER_MM, abs=4)
    viewer.canvas("axial").click(position={"x": float(column), "y": float(row)})
    viewer.settle()
    assert viewer.position_mm() == pytest.approx(MARKER_MM, abs=1.5)
    assert float(viewer.value("scan")) > 900
    assert float(viewer.value("mirrorScan")) < 400
    assert viewer.position_mm("mirror") == pytest.approx([-MARKER_MM[0], *MARKER_MM[1:]], abs=1.5)
    assert viewer.value("side").startswith("right, 4")


def test_arrow_keys_move_the_way_they_point(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    x, y, z = viewer.position_mm()
    viewer.key("axial", "ArrowLeft")
    assert viewer.position_mm() == pytest.approx([x + 2, y, z])  # towards the patient's right
    viewer.key("axial", "c")
    viewer.key("axial", "ArrowLeft")
    assert viewer.position_mm() == pytest.approx([x, y, z])
    viewer.key("sagittal", "ArrowUp")
    viewer.key("coronal", "PageUp")
    assert viewer.position_mm() == pytest.approx([x, y + 2, z + 2])


def test_finding_row_and_mirror_button_jump(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    assert viewer.position_mm() == pytest.approx(MARKER_MM)
    viewer.tab.locator('button[data-finding="2"]').click()
    viewer.settle()
    assert viewer.position_mm() == pytest.approx(WITHIN_MM)
    viewer.press("Jump to mirror point")
    assert viewer.position_mm() == pytest.approx([-WITHIN_MM[0], *WITHIN_MM[1:]])
    assert float(viewer.value("deviation").split()[0]) == pytest.approx(-5, abs=0.3)


def test_nothing_is_asked_of_another_machine(viewer: ViewerPage) -> None:
    complaints: list[str] = []
    viewer.tab.on("console", lambda said: complaints.append(said.text))
    viewer.open("sub-01_T1w")
    links = viewer.tab.locator('[data-testid="stTopNavLink"]')
    assert links.count() > 2
    for link in links.all():
        link.click()
        viewer.tab.wait_for_timeout(300)
        viewer.tab.locator('[data-test-script-state="notRunning"]').wait_for()
    assert not [text for text in complaints if "Content Security Policy" in text]
    assert viewer.outside.heard == []
    urls = ["http://outside.example/a", "http://outside.example/b.png", "ws://outside.example/c"]
    for script, url in zip((FETCH, IMAGE, SOCKET), urls, strict=True):
        viewer.tab.evaluate(script, url)
    viewer.tab.wait_for_timeout(300)
    assert viewer.outside.heard == [], "the policy holds them back"
    refused = [text for text in complaints if "Content Security Policy" in text]
    assert {url for url in urls if any(url in text for text in refused)} == set(urls)
    viewer.tab.goto("about:blank")
    viewer.tab.evaluate(FETCH, "http://outside.example/d")
    assert viewer.outside.heard == ["GET http://outside.example/d HTTP/1.1"], "what asks is heard"


def status_for(address: str, *, cookie: str = "", is_socket: bool = False) -> int:
    """What the server answers a program that is no browser."""
    parts = urlsplit(address)
    headers = {"Cookie": cookie} | {"Origin": f"{parts.scheme}://{parts.netloc}"}
    if is_socket:
        headers |= {"Connection": "Upgrade", "Upgrade": "websocket", "Sec-WebSocket-Version": "13"}
        headers |= {"Sec-WebSocket-Key": "dGhlIHNhbXBsZSBub25jZQ=="}
    connection = HTTPConnection(parts.netloc, timeout=20)
    connection.request("GET", f"{parts.path}?{parts.query}", headers=headers)
    try:
        return connection.getresponse().status
    finally:
        connection.close()


def test_another_account_of_this_machine_is_answered_nothing(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    cookies = viewer.tab.context.cookies()
    (mine,) = [f"{one['name']}={one['value']}" for one in cookies if one["httpOnly"]]
    (*_, volume) = [url for url in viewer.requests if "/medsym/volumes/" in url]
    pages = [f"{viewer.address}/{path}" for path in ("", "review", "_stcore/health", "index.html")]
    for url in (*pages, volume, f"{viewer.address}/?key=wrong"):
        assert status_for(url) == (401 if "_stcore" in url else 403)
        assert status_for(url, cookie=mine) in {200, 303}
    stream = f"{viewer.address}/_stcore/stream"
    assert status_for(stream, is_socket=True) == 403
    assert status_for(stream, is_socket=True, cookie=mine) == 101
    assert not [url for url in viewer.requests if KEY in url]
