"""Reading a cohort in a real browser: search, next case by key, verdicts kept and shown."""

import csv
import json
from pathlib import Path

import pytest

from medsym.screening.reviews import read_reviews
from tests.app.browser_page import ViewerPage

pytestmark = [pytest.mark.browser, pytest.mark.slow, pytest.mark.filterwarnings("default")]


def show_worklist(viewer: ViewerPage) -> None:
    viewer.tab.goto(viewer.address)
    viewer.tab.get_by_role("button", name="Open sub-02_FLAIR").wait_for()


def wait_for_case(viewer: ViewerPage, case: str) -> None:
    viewer.tab.wait_for_url(f"**/review?case={case}")
    viewer.tab.locator(f'.medsym[data-status="ready"][data-case="{case}"]').wait_for()
    # The page is whole, and what it showed before is gone.
    viewer.tab.locator('[data-test-script-state="notRunning"]').wait_for()
    while viewer.tab.locator(".medsym").count() > 1:
        viewer.tab.wait_for_timeout(50)


#: From now on: whether any part of the case on the page was seen below the header of the next one,
#: which cannot be assessed.
WATCH = """() => {
  const canvases = (root) => [...root.querySelectorAll("*")].some((node) =>
    node.tagName === "CANVAS" || (node.shadowRoot && canvases(node.shadowRoot)));
  const parts = [...document.querySelectorAll('[class*="st-key-"]')].filter((node) =>
    /st-key-\\S*-(viewer|form)/.test(node.className));
  window.medsymParts = parts.length && canvases(document.body) ? parts.length : 0;
  window.medsymMixed = 0;
  const names = parts.map((node) => node.className);
  new MutationObserver(() => {
    if (!document.querySelector(".medsym-refusal")) return;
    window.medsymMixed += parts.filter((node, n) =>
      node.className === names[n] && node.getClientRects().length).length;
  }).observe(document.body, { subtree: true, childList: true, attributes: true });
}"""


def test_search_opens_a_case_and_keys_step_through_what_is_listed(viewer: ViewerPage) -> None:
    show_worklist(viewer)
    box = viewer.tab.get_by_placeholder("Search by case name")
    box.fill("t1W")
    box.press("Enter")
    viewer.tab.get_by_text("2 of 4").wait_for()
    viewer.tab.get_by_role("button", name="Open sub-01_T1w").click()
    wait_for_case(viewer, "sub-01_T1w")
    viewer.tab.locator(".st-key-previous button:disabled").wait_for()
    viewer.tab.evaluate(WATCH)
    viewer.key("axial", "j")
    wait_for_case(viewer, "sub-03_T1w")
    assert viewer.tab.evaluate("[window.medsymParts, window.medsymMixed]") == [2, 0]
    viewer.key("axial", "k")
    wait_for_case(viewer, "sub-01_T1w")
    shown = viewer.tab.locator("[data-p]").all_inner_texts()
    assert shown == ["0.013", "\u2013"]
    assert "site-a (80 healthy people)" in viewer.tab.locator("[data-comparison]").inner_text()
    viewer.tab.get_by_role("link", name="Work list").click()
    viewer.tab.get_by_text("2 of 4").wait_for()
    viewer.tab.locator('input[aria-label="Search"][value="t1W"]').wait_for()


def test_a_verdict_is_kept_beside_the_results_and_shown_and_exported(
    viewer: ViewerPage, tmp_path: Path
) -> None:
    viewer.open("sub-01_T1w")
    name = viewer.tab.get_by_label("Reader", exact=True)
    name.fill("Dr. <b>A</b>")
    name.press("Enter")
    viewer.tab.get_by_role("radio", name="Reject").nth(1).click()
    viewer.tab.get_by_label("Comment, finding 1").press_sequentially("=1+1 <i>just</i>")
    viewer.tab.get_by_role("radio", name="Accept").first.click()
    viewer.tab.get_by_role("button", name="Save verdicts").click()
    viewer.tab.get_by_text("Saved: 2 new").wait_for()
    (path,) = viewer.folder.glob("reviews/*.jsonl")
    kept = [json.loads(line) for line in path.read_text().splitlines()]
    assert [(line["finding"], line["verdict"]) for line in kept] == [
        (None, "accept"),
        (1, "reject"),
    ]
    assert kept[1]["side"] == "right"
    viewer.tab.get_by_role("link", name="Work list").click()
    viewer.tab.get_by_text("unread: by Dr. <b>A</b>").wait_for()
    with viewer.tab.expect_download() as download:
        viewer.tab.get_by_role("button", name="Verdicts (TSV)").click()
    download.value.save_as(tmp_path / "verdicts.tsv")
    with (tmp_path / "verdicts.tsv").open(encoding="utf-8", newline="") as stream:
        rows = list(csv.DictReader(stream, delimiter="\t", quoting=csv.QUOTE_NONE))
    assert [row["verdict"] for row in rows] == ["accept", "reject"]
    assert rows[1]["comment"] == "'=1+1 <i>just</i>"
    viewer.tab.get_by_test_id("stButtonGroup").get_by_text("Unread").click()
    viewer.tab.get_by_text("2 of 4").wait_for()


def test_what_was_typed_survives_the_next_case_and_the_browser_asks_before_it_leaves(
    viewer: ViewerPage,
) -> None:
    viewer.open("sub-02_FLAIR")
    name = viewer.tab.get_by_label("Reader", exact=True)
    name.fill("Eva")
    name.press("Enter")
    comment = viewer.tab.get_by_label("Comment, finding 1")
    comment.press_sequentially("half a thought")
    viewer.tab.get_by_role("button", name="Next").click()  # the field is left by this click
    wait_for_case(viewer, "sub-01_T1w")
    viewer.tab.get_by_text("Also not saved: sub-02_FLAIR").wait_for()
    with viewer.tab.expect_event("dialog") as question:
        viewer.tab.evaluate("() => { setTimeout(() => location.reload(), 0); }")
    assert question.value.type == "beforeunload"
    question.value.dismiss()
    viewer.key("axial", "k")
    wait_for_case(viewer, "sub-02_FLAIR")
    viewer.tab.get_by_text("Not saved yet: finding 1").wait_for()
    assert comment.input_value() == "half a thought"
    assert not [word for word in read_reviews(viewer.folder).verdicts if word.reader == "Eva"]
    viewer.tab.get_by_role("button", name="Save verdicts").click()
    viewer.tab.get_by_text("Saved: 1 new").wait_for()
    (word,) = (word for word in read_reviews(viewer.folder).verdicts if word.reader == "Eva")
    assert (word.case, word.finding, word.comment) == ("sub-02_FLAIR", 1, "half a thought")
    viewer.open("sub-01_T1w")  # nothing is asked any more
