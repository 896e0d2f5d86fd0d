"""The panel Why and the help in a real browser: places, sides, shares, samples of colours, keys."""

import numpy as np
import pytest

from tests.app.browser_page import ViewerPage, is_blue, is_orange, is_white
from tests.app.contrast import texts_with_contrast

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
LEAST_CONTRAST = 4.5  # WCAG 2, 1.4.3
RADIOLOGICAL = "Radiological: R on left"


def pixels(viewer: ViewerPage, canvas: str) -> np.ndarray:
    """RGB of any canvas."""
    viewer.tab.locator(canvas).evaluate("canvas => { canvas.dataset.plane = 'read'; }")
    image = viewer.pixels("read")
    viewer.tab.locator('canvas[data-plane="read"]').evaluate("c => { delete c.dataset.plane; }")
    return image


def patch(viewer: ViewerPage, name: str, *, edges: float = 0.25) -> np.ndarray:
    """Pixels of a patch without its edges, where the letters are."""
    image = pixels(viewer, f'canvas[data-patch="{name}"]')
    edge = round(edges * image.shape[0])
    return image[edge:-edge, edge:-edge]


def caption(viewer: ViewerPage, name: str) -> str:
    text: str = viewer.tab.locator(
        f'figure:has(canvas[data-patch="{name}"]) figcaption'
    ).inner_text()
    return text


def ask(viewer: ViewerPage, rank: int = 1) -> None:
    viewer.tab.locator(f'[data-why="{rank}"]').click()
    viewer.tab.locator(f'.why[data-rank="{rank}"]').wait_for()
    viewer.settle()


@pytest.mark.parametrize("case", ["sub-01_T1w", "sub-02_FLAIR"])
def test_the_marker_on_the_patients_right_is_in_the_patch_of_the_finding_alone(
    viewer: ViewerPage, case: str
) -> None:
    viewer.open(case)
    viewer.press("Full range")
    ask(viewer)
    for plane in ("axial", "coronal"):
        assert is_white(patch(viewer, f"{plane} here")).mean() > 0.008
        assert not is_white(patch(viewer, f"{plane} mirror")).any()
        assert caption(viewer, f"{plane} here") == "Finding, patient's RIGHT"
        assert caption(viewer, f"{plane} mirror").startswith("Mirror place, patient's LEFT")
    assert "Orange on the RIGHT: 8.0 SD" in viewer.tab.locator(".sentence").inner_text()


def test_patches_follow_the_convention_and_the_window(viewer: ViewerPage) -> None:
    """Beside the marker there is brain towards the mid-plane and dark background outwards."""
    viewer.open("sub-01_T1w")
    viewer.press("Full range")
    ask(viewer)

    def outside() -> str:
        image = patch(viewer, "axial here", edges=0.13).sum(axis=-1)
        half = image.shape[1] // 2
        return "left" if image[:, :half].sum() < image[:, half:].sum() else "right"

    assert outside() == "left"  # the patient's right lies on the left of the screen
    before = patch(viewer, "axial mirror")
    viewer.press(RADIOLOGICAL)
    assert outside() == "right"
    viewer.press("Auto")
    assert patch(viewer, "axial mirror").mean() > 1.2 * before.mean(), "one window for all"


def test_shares_add_up_and_a_finding_without_a_basis_says_so(viewer: ViewerPage) -> None:
    viewer.open("sub-01_T1w")
    viewer.press("Mosaic")
    viewer.tab.locator('[data-why="1"]').click()
    viewer.tab.locator('.why[data-rank="1"]').wait_for()
    viewer.tab.keyboard.press("w")
    viewer.key("axial", "w")
    panel = viewer.tab.locator(".why")
    viewer.tab.locator('.why[data-rank="1"]').wait_for()
    shares = panel.locator("[data-share]")
    found = [float(shares.nth(i).get_attribute("data-share")) for i in range(shares.count())]
    assert sum(found) == pytest.approx(1.0)
    bars = panel.locator(".bar").evaluate_all("all => all.map(bar => bar.clientWidth)")
    assert bars[0] == pytest.approx(3 * bars[2], abs=3)
    name = panel.locator("svg.strip").get_attribute("aria-label")
    assert "two SD: -0.50 to +0.50" in name
    panel.get_by_role("button", name="Next finding").click()
    viewer.tab.locator('.why[data-rank="2"]').wait_for()
    assert "Not recorded" in panel.locator("[data-layers]").inner_text()
    assert panel.locator("svg.strip").count() == 0
    assert [row for row in texts_with_contrast(viewer.tab) if row[1] < LEAST_CONTRAST] == []
    viewer.tab.keyboard.press("Escape")
    assert not panel.is_visible()
    assert viewer.canvas("axial").evaluate("c => c === c.getRootNode().activeElement")


def test_the_question_mark_opens_the_help_with_true_samples_and_keeps_the_case(
    viewer: ViewerPage,
) -> None:
    viewer.open("sub-02_FLAIR")
    viewer.canvas("axial").focus()
    viewer.tab.keyboard.press("?")
    viewer.tab.wait_for_url("**/help")
    viewer.tab.locator('[data-sample="zone under"]').wait_for()
    assert [row for row in texts_with_contrast(viewer.tab) if row[1] < LEAST_CONTRAST] == []
    orange, blue = (pixels(viewer, f'canvas[data-sample="{name}"]') for name in ("orange", "blue"))
    assert is_orange(orange).mean() > 0.9
    assert not is_blue(orange).any()
    assert is_blue(blue).mean() > 0.9
    assert not is_orange(blue).any()
    viewer.tab.get_by_role("link", name="Review").click()
    viewer.tab.locator('.medsym[data-case="sub-02_FLAIR"][data-status="ready"]').wait_for()
