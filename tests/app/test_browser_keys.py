"""The viewer without a mouse, and as assistive technology sees it: names, live words, contrast."""

import re

import pytest

from medsym.screening.reviews import read_reviews
from tests.app.browser_page import ViewerPage
from tests.app.contrast import texts_with_contrast
from tests.app.test_browser_reading import show_worklist, wait_for_case

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]
CONTROLS = (
    "button|link|textbox|combobox|slider|checkbox|radio|radiogroup|spinbutton|application|img"
)
UNNAMED = re.compile(rf"^\s*- (?:{CONTROLS})(?: \[[^\]]*\])*:?\s*$", re.MULTILINE)
CONTRAST = 4.5  # to 1, for text: WCAG 2, level AA
FOCUSED = "() => { let at = document.activeElement; while (at?.shadowRoot?.activeElement)"
FOCUSED += " at = at.shadowRoot.activeElement; return at; }"


def focused(viewer: ViewerPage, attribute: str) -> str:
    """An attribute of what has the focus, looked for in shadow roots too."""
    return str(viewer.tab.evaluate(f"name => ({FOCUSED})().getAttribute(name)", attribute))


def tab_to(viewer: ViewerPage, attribute: str, value: str) -> None:
    for _ in range(60):
        if focused(viewer, attribute) == value:
            return
        viewer.tab.keyboard.press("Tab")
    pytest.fail(f"no key leads to {value}")


def check_page(viewer: ViewerPage) -> None:
    """Every control has a name, and every text can be read."""
    assert not UNNAMED.findall(viewer.tab.locator("body").aria_snapshot())
    texts = texts_with_contrast(viewer.tab)
    assert len(texts) > 15
    assert [found for found in texts if found[1] < CONTRAST] == []


def test_a_case_is_chosen_read_and_left_with_keys_alone(viewer: ViewerPage) -> None:
    keys = viewer.tab.keyboard
    show_worklist(viewer)
    check_page(viewer)
    tab_to(viewer, "data-testid", "data-grid-canvas")
    keys.press("ArrowDown")
    viewer.tab.get_by_role("button", name="Open sub-01_T1w").wait_for()
    keys.press("o")
    wait_for_case(viewer, "sub-01_T1w")
    tab_to(viewer, "data-plane", "axial")
    keys.press("n")
    assert any("/medsym/pictures/" in url for url in viewer.requests)
    spoken = viewer.tab.get_by_role("status", name="Crosshair")
    spoken.get_by_text("Finding 2 of 2: right cerebrum").wait_for()
    keys.press("m")
    spoken.get_by_text(re.compile("^left cerebrum.*at x \N{MINUS SIGN}30, ")).wait_for()
    keys.press("v")
    keys.type("Kim")
    keys.press("Enter")
    viewer.tab.get_by_role("radio", name="Accept").first.wait_for()
    tab_to(viewer, "role", "radio")
    keys.press("Space")
    viewer.tab.get_by_text("Not saved yet: whole case").wait_for()
    check_page(viewer)
    keys.press("s")
    viewer.tab.get_by_text("Saved: 1 new").wait_for()
    said = [word for word in read_reviews(viewer.folder).verdicts if word.reader == "Kim"]
    assert [(word.case, word.verdict) for word in said] == [("sub-01_T1w", "accept")]
    keys.press("j")
    wait_for_case(viewer, "sub-03_T1w")
