"""The form for verdicts: polite where nothing can be kept, silent about what other readers said."""

import sys
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.results import read_case, seal_of
from medsym.screening.reviews import REVIEWS, Verdict, add_verdict, read_reviews
from tests.app.result_folder import build_folder
from tests.app.test_pages import MAIN, open_page, texts, viewers

pytestmark = pytest.mark.filterwarnings("default")
CASE = "sub-01_T1w"


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
    pages.checkbox("others").check().run()
    assert "Ben, finding 1: rejected. artefact" in texts(pages)
    pages.button("save_verdicts").click().run()
    assert "Nothing new to save" in texts(pages)
    assert {verdict.reader for verdict in read_reviews(folder).verdicts} == {"Ben"}
