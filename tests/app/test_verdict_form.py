"""The form for verdicts: polite where nothing can be kept, silent about what other readers said."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.results import read_case, seal_of
from medsym.screening.reviews import REVIEWS, Verdict, add_verdict, read_reviews
from tests.app.result_folder import build_folder
from tests.app.test_pages import MAIN, open_page, save_button, texts, viewers

pytestmark = pytest.mark.filterwarnings("default")
CASE, BEFORE = "sub-01_T1w", "sub-02_FLAIR"


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = build_folder(tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py", str(root)])
    return root


def review_page() -> AppTest:
    return open_page(AppTest.from_file(str(MAIN), default_timeout=60), "review", case=CASE)


def test_where_nothing_can_be_written_the_page_says_so_and_shows_the_case(folder: Path) -> None:
    (folder / REVIEWS).write_text("in the way")
    pages = review_page()
    assert not pages.exception
    assert "Verdicts cannot be kept here" in texts(pages)
    assert len(viewers(pages)) == 1
    assert not [box for box in pages.text_input if box.label == "Reader"]


def test_the_words_of_others_are_closed_and_never_entered_for_this_reader(folder: Path) -> None:
    seal = seal_of(read_case(folder, CASE).record)
    words = {"verdict": "reject", "comment": "artefact", "record_sha256": seal}
    add_verdict(folder, Verdict(reader="Ben", case=CASE, finding=1, **words))
    pages = review_page()
    pages.text_input("reader_box").input("Anna").run()
    assert not pages.exception
    assert "artefact" not in texts(pages)
    pages.checkbox[0].check().run()
    assert "Ben, finding 1: rejected. artefact" in texts(pages)
    save_button(pages).click().run()
    assert "Nothing new to save" in texts(pages)
    assert {verdict.reader for verdict in read_reviews(folder).verdicts} == {"Ben"}


def test_the_words_of_others_on_one_case_open_those_on_no_other(folder: Path) -> None:
    for case in (CASE, BEFORE):
        seal = seal_of(read_case(folder, case).record)
        words = {"verdict": "reject", "comment": f"about {case}", "record_sha256": seal}
        add_verdict(folder, Verdict(reader="Ben", case=case, finding=None, **words))
    pages = review_page()
    pages.text_input("reader_box").input("Anna").run()
    pages.checkbox[0].check().run()
    assert f"about {CASE}" in texts(pages)
    pages.button("previous").click().run()
    assert pages.checkbox[0].label == "Show what other readers said (1)"
    assert f"about {BEFORE}" not in texts(pages)


def test_save_pressed_on_the_way_to_another_case_saves_nothing_and_loses_nothing(
    folder: Path,
) -> None:
    pages = review_page()
    pages.text_input("reader_box").input("Anna").run()
    next(box for box in pages.text_input if box.label == "Comment, finding 1").input("sure").run()
    own = save_button(pages).key
    pages.button("previous").click()
    save_button(pages).click()  # of the form that stands in the page until the next one is drawn
    pages.run()
    assert not pages.exception
    assert not read_reviews(folder).verdicts
    assert "Nothing entered yet" in texts(pages)
    assert f"Also not saved: {CASE}" in texts(pages)
    assert save_button(pages).key != own
    pages.button("next").click().run()
    save_button(pages).click().run()
    assert [said.comment for said in read_reviews(folder).verdicts] == ["sure"]
    assert "Saved: 1 new." in texts(pages)
