"""Mosaic and 3D in a real browser: sides, zones and words, with and without a graphics card."""

import io
from urllib.parse import urlparse

import numpy as np
import pytest
from PIL import Image

from tests.app.browser_page import ViewerPage, is_orange, is_white, share_across
from tests.app.result_folder import MARKER_MM

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
CASES = ["sub-01_T1w", "sub-02_FLAIR"]  # LAS; oblique with 6 mm slices
RADIOLOGICAL = "Radiological: R on left"
LETTER_PX = 9  # half the height of a letter of a tile
BUNDLE = "niivue-0.69.0.js"
# Remembers every context of a graphics card, so that a test can ask what became of it.
WATCH = """
    window.cards = [];
    const get = HTMLCanvasElement.prototype.getContext;
    HTMLCanvasElement.prototype.getContext = function (kind, ...rest) {
        const made = get.call(this, kind, ...rest);
        if (kind === "webgl2" && made && !window.cards.includes(made)) window.cards.push(made);
        return made;
    };
"""


def tiles(viewer: ViewerPage) -> list[np.ndarray]:
    """Pictures of the slices of the mosaic, the empty places left out."""
    canvas = viewer.canvas("mosaic")
    columns, rows = (int(canvas.get_attribute(f"data-{name}")) for name in ("columns", "rows"))
    parts = [
        part
        for row in np.array_split(viewer.pixels("mosaic"), rows)
        for part in np.array_split(row, columns, axis=1)
    ]
    return [part for part in parts if part.max() > 100]


def letter_ink(tile: np.ndarray) -> tuple[int, int]:
    """White pixels of the letters at the left and at the right edge of a tile."""
    middle = tile.shape[0] // 2
    band = is_white(tile)[middle - LETTER_PX : middle + LETTER_PX]
    return int(band[:, 3:17].sum()), int(band[:, -19:-3].sum())


@pytest.mark.parametrize("case", CASES)
def test_every_slice_of_the_mosaic_has_its_sides_where_the_letters_say(
    viewer: ViewerPage, case: str
) -> None:
    viewer.open(case)
    viewer.press("Full range")
    viewer.press("Crosshair")
    viewer.press("Mosaic")
    for low, high, more_ink in ((0.0, 0.45, "left"), (0.55, 1.0, "right")):
        shown = tiles(viewer)
        assert len(shown) == 20
        marked = [tile for tile in shown if is_orange(tile).sum() > 20]
        assert 1 <= len(marked) <= 6, "the finding is in a few slices, not in all"
        assert all(low < share_across(is_orange(tile)) < high for tile in marked)
        left, right = np.sum([letter_ink(tile) for tile in shown], axis=0)
        assert (left > 1.2 * right > 0) == (more_ink == "left"), "an R has more ink than an L"
        if more_ink == "left":
            viewer.press(RADIOLOGICAL)


def test_a_press_on_the_mosaic_goes_to_that_place_and_slice(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    viewer.press("Jump to mirror point")
    viewer.press("Mosaic")
    assert viewer.position_mm()[0] < 0
    image = viewer.pixels("mosaic")
    row, column = np.unravel_index((image[..., 0] - image[..., 2]).argmax(), image.shape[:2])
    viewer.canvas("mosaic").click(position={"x": float(column), "y": float(row)})
    viewer.settle()
    assert viewer.position_mm() == pytest.approx(MARKER_MM, abs=12)
    assert float(viewer.value("deviation").split()[0]) > 4


def test_a_saved_mosaic_has_the_strip_and_the_caption(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    viewer.press("Mosaic")
    with viewer.tab.expect_download() as download:
        viewer.press("Save PNG")
    picture = Image.open(io.BytesIO(download.value.path().read_bytes()))
    shown = viewer.pixels("mosaic")
    assert picture.width == shown.shape[1]
    assert picture.height > shown.shape[0] + 60


def test_without_a_graphics_card_3d_says_why_and_asks_for_nothing(viewer: ViewerPage) -> None:
    viewer.open(CASES[0])
    button = viewer.tab.get_by_role("button", name="3D", exact=True)
    viewer.tab.locator('button[data-view="3d"][aria-disabled="true"]').wait_for()
    button.click(force=True)
    viewer.settle()
    words = viewer.tab.locator(".note").inner_text()
    assert "the three planes and the mosaic need none" in words
    assert button.get_attribute("title") == words
    assert viewer.canvas("axial").is_visible()
    assert not [url for url in viewer.requests if BUNDLE in url]


def lost_cards(viewer: ViewerPage) -> list[bool]:
    lost: list[bool] = viewer.tab.evaluate("() => window.cards.map(card => card.isContextLost())")
    return lost


def test_3d_has_its_sides_right_shows_what_the_planes_show_and_its_end_leaves_them(
    viewer: ViewerPage,
) -> None:
    viewer.tab.set_viewport_size({"width": 800, "height": 620})
    viewer.tab.add_init_script(WATCH)
    viewer.open(CASES[0], gl="software")
    viewer.press("Jump to mirror point")
    viewer.press("Crosshair")
    viewer.tab.get_by_role("button", name="3D", exact=True).click()
    viewer.canvas("3d").wait_for(timeout=60_000)
    viewer.press("Marks")
    front = viewer.pixels("3d")
    assert front[60:90, 5:60].max() < 20, "the background stays black"
    assert share_across(is_orange(front)) < 0.45
    assert "Seen from the front: R on left" in viewer.canvas("3d").get_attribute("aria-label")

    viewer.press("Right")
    right = is_orange(viewer.pixels("3d"))
    assert share_across(right) > 0.5, "in front of the ears: the nose is on the right"
    half = right.shape[1] // 2
    assert right[:, :half].sum() < 0.02 * right.sum(), "within the bound, behind: not shown"
    row, column = np.argwhere(right).mean(axis=0)
    viewer.canvas("3d").click(position={"x": float(column), "y": float(row)})
    viewer.settle()
    assert viewer.position_mm() == pytest.approx(MARKER_MM, abs=10)

    viewer.press("Front")
    viewer.press(RADIOLOGICAL)
    assert share_across(is_orange(viewer.pixels("3d"))) > 0.55
    assert "Seen from the back: L on left" in viewer.canvas("3d").get_attribute("aria-label")
    asked = {urlparse(url).hostname for url in viewer.requests if url.startswith("http")}
    assert asked == {"127.0.0.1"}
    assert [url for url in viewer.requests if BUNDLE in url]

    viewer.tab.evaluate(
        "() => window.cards.at(-1).getExtension('WEBGL_lose_context').loseContext()"
    )
    viewer.canvas("axial").wait_for()
    assert "The planes go on" in viewer.tab.locator(".note").inner_text()


def test_another_case_leaves_no_context_of_a_graphics_card_behind(viewer: ViewerPage) -> None:
    viewer.open(CASES[0], gl="software")
    viewer.tab.get_by_role("button", name="3D", exact=True).dblclick()
    viewer.canvas("3d").wait_for(timeout=60_000)
    assert lost_cards(viewer).count(False) == 1, "one at a time"
    viewer.tab.get_by_role("button", name="Previous").click()
    viewer.tab.locator(f'.medsym[data-case="{CASES[1]}"][data-status="ready"]').wait_for()
    assert lost_cards(viewer).count(False) == 0
