"""What was entered stays until it is saved or taken back, whatever page or case is shown."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app.drafts import Drafts
from medsym.errors import OutputError
from medsym.screening.reviews import REVIEWS, Verdict, read_reviews
from tests.app.result_folder import build_folder
from tests.app.test_pages import MAIN, open_page, texts

pytestmark = pytest.mark.filterwarnings("default")
CASE = "sub-01_T1w"
ANNA = Verdict(reader="Anna", case=CASE, finding=None, verdict="accept")


def kept(root: Path) -> list[tuple[str, int | None, str, str]]:
    words = read_reviews(root).verdicts
    return [(word.case, word.finding, word.verdict, word.comment) for word in words]


def test_what_says_the_same_as_the_saved_word_is_no_draft() -> None:
    drafts = Drafts()
    drafts.note(ANNA, kept=None)
    assert drafts.cases() == [CASE]
    drafts.note(ANNA, kept=replace(ANNA, time="earlier", side="left"))
    assert len(drafts) == 0
    drafts.note(replace(ANNA, verdict="none"), kept=None)
    assert len(drafts) == 0, "nothing was said, before or now"
    drafts.note(replace(ANNA, comment="sure"), kept=ANNA)
    drafts.note(replace(ANNA, verdict="none"), kept=ANNA)
    assert [draft.verdict for draft in drafts] == ["none"], "a word that is taken back"


def test_drafts_of_readers_findings_and_results_are_apart() -> None:
    drafts = Drafts()
    others = [{"reader": "Ben"}, {"finding": 1}, {"record_sha256": "new"}, {"case": "sub-02_FLAIR"}]
    for about in [{}, *others]:
        drafts.note(replace(ANNA, **about), kept=None)
    assert len(drafts) == 5
    assert [draft.reader for draft in drafts.of(case=CASE, reader="Ben")] == ["Ben"]
    assert drafts.cases() == [CASE, "sub-02_FLAIR"]


def test_a_draft_is_one_until_it_is_on_the_disk(tmp_path: Path) -> None:
    drafts = Drafts()
    drafts.note(ANNA, kept=None)
    (tmp_path / REVIEWS).write_text("in the way")
    with pytest.raises(OutputError, match="MS-651"):
        drafts.save(tmp_path, ANNA)
    assert len(drafts) == 1
    (tmp_path / REVIEWS).unlink()
    drafts.save(tmp_path, ANNA)
    assert (len(drafts), kept(tmp_path)) == (0, [(CASE, None, "accept", "")])


@pytest.fixture
def folder(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    root = build_folder(tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py", str(root)])
    return root


def test_next_case_and_other_pages_keep_what_was_entered_and_the_work_list_saves_it(
    folder: Path,
) -> None:
    pages = open_page(AppTest.from_file(str(MAIN), default_timeout=60), "review", case=CASE)
    pages.text_input("reader_box").input("Anna").run()
    box = next(item for item in pages.text_input if item.label == "Comment, finding 1")
    box.input("<i>both</i> sides").run()
    assert "Not saved yet: finding 1" in texts(pages)
    pages.button("previous").click().run()
    assert f"Also not saved: {CASE}" in texts(pages)
    pages.switch_page("app_pages/about.py").run()
    pages.switch_page("app_pages/worklist.py").run()
    review = pages.dataframe[0].value.set_index("Case")["Review"]
    assert review[CASE] == "unread, not saved"
    assert review["sub-02_FLAIR"] == "unread"
    open_page(pages, "review", case=CASE)
    box = next(item for item in pages.text_input if item.label == "Comment, finding 1")
    assert box.value == "<i>both</i> sides"
    assert kept(folder) == []
    pages.switch_page("app_pages/worklist.py").run()
    pages.button("save_all").click().run()
    assert not pages.exception
    assert kept(folder) == [(CASE, 1, "none", "<i>both</i> sides")]
    assert not [button for button in pages.button if button.key == "save_all"]
