"""What was entered stays until it is saved or taken back, whatever page or case is shown."""

import json
import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import state
from app.drafts import Draft, Drafts
from app.results import record_seal
from medsym.errors import OutputError
from medsym.screening.records import sealed
from medsym.screening.reviews import REVIEWS, Verdict, add_verdict, read_reviews
from tests.app.result_folder import build_folder
from tests.app.test_pages import MAIN, open_page, save_button, texts
from tests.app.test_upload_page import DONE, Stub, job

pytestmark = pytest.mark.filterwarnings("default")
CASE = "sub-01_T1w"
ANNA = Verdict(reader="Anna", case=CASE, finding=None, verdict="accept")


def kept(root: Path) -> list[tuple[str, int | None, str, str]]:
    words = read_reviews(root).verdicts
    return [(word.case, word.finding, word.verdict, word.comment) for word in words]


def draft(root: Path = Path("here"), **about: object) -> Draft:
    return Draft(root=root, entered=replace(ANNA, **about))  # type: ignore[arg-type]


def test_what_says_the_same_as_the_saved_word_is_no_draft() -> None:
    drafts = Drafts()
    drafts.note(draft(), kept=None)
    assert drafts.cases(Path("here")) == [CASE]
    drafts.note(draft(), kept=replace(ANNA, time="earlier", side="left"))
    assert len(drafts) == 0
    drafts.note(draft(verdict="none"), kept=None)
    assert len(drafts) == 0, "nothing was said, before or now"
    drafts.note(draft(comment="sure"), kept=ANNA)
    drafts.note(draft(verdict="none"), kept=ANNA)
    assert [one.entered.verdict for one in drafts] == ["none"], "a word that is taken back"


def test_drafts_of_folders_readers_findings_and_results_are_apart() -> None:
    drafts, here = Drafts(), Path("here")
    others = [{"reader": "Ben"}, {"finding": 1}, {"record_sha256": "new"}, {"case": "sub-02_FLAIR"}]
    for about in [{}, *others]:
        drafts.note(draft(**about), kept=None)
    drafts.note(draft(Path("there"), verdict="reject"), kept=None)
    assert len(drafts) == 6
    assert [one.entered.reader for one in drafts.of(here, case=CASE, reader="Ben")] == ["Ben"]
    assert drafts.cases(here) == [CASE, "sub-02_FLAIR"]
    assert drafts.find(draft(Path("there"))) == replace(ANNA, verdict="reject")
    assert drafts.find(draft()) == ANNA


def test_a_draft_is_one_until_it_is_on_the_disk(tmp_path: Path) -> None:
    drafts, entered = Drafts(), draft(tmp_path)
    drafts.note(entered, kept=None)
    (tmp_path / REVIEWS).write_text("in the way")
    with pytest.raises(OutputError, match="MS-651"):
        drafts.save(entered)
    assert len(drafts) == 1
    (tmp_path / REVIEWS).unlink()
    assert drafts.save(entered)
    assert (len(drafts), kept(tmp_path)) == (0, [(CASE, None, "accept", "")])


def test_a_draft_about_a_record_that_is_gone_is_kept_and_not_saved(tmp_path: Path) -> None:
    drafts, entered = Drafts(), draft(tmp_path, record_sha256="old")
    drafts.note(entered, kept=None)
    assert not drafts.save(entered)
    assert (list(drafts), kept(tmp_path)) == ([entered], [])
    drafts.drop(entered)
    assert len(drafts) == 0


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


def comment_box(pages: AppTest, subject: str = "whole case"):
    return next(box for box in pages.text_input if box.label == f"Comment, {subject}")


def screen_again(root: Path, case: str = CASE) -> None:
    """Write the record of a case with another result, sealed as screening seals it."""
    path = root / case.split("_", maxsplit=1)[0] / "anat" / f"{case}_case.json"
    record = json.loads(path.read_text())
    record["summary"]["deviation_max"] = 25.0
    path.unlink()
    path.write_text(json.dumps(sealed(record)))


def test_a_draft_is_saved_into_the_folder_that_it_is_about_and_shown_there_alone(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    mine = build_folder(tmp_path / "mine")  # the same cases with the same records
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder), "--upload"])
    monkeypatch.setattr(state, "UPLOADS", Stub(job(ended=(DONE,)), out=mine))
    pages = open_page(AppTest.from_file(str(MAIN), default_timeout=60), "review", case=CASE)
    pages.text_input("reader_box").input("Anna").run()
    comment_box(pages).input("about the cohort").run()
    pages.switch_page("app_pages/upload.py").run().button("switch").click().run()
    open_page(pages, "review", case=CASE)
    assert comment_box(pages).value == ""
    assert f"Also not saved: {CASE} (in the folder)" in texts(pages)
    comment_box(pages).input("about my scan").run()
    pages.switch_page("app_pages/worklist.py").run()
    assert f"{CASE} (in the folder), {CASE}" in texts(pages)
    pages.button("save_all").click().run()
    assert not pages.exception
    assert kept(folder) == [(CASE, None, "none", "about the cohort")]
    assert kept(mine) == [(CASE, None, "none", "about my scan")]


def test_deleting_the_uploads_deletes_what_was_entered_about_them(
    folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder), "--upload"])
    mine = Stub(job(ended=(DONE,)), out=build_folder(tmp_path / "mine"))
    monkeypatch.setattr(state, "UPLOADS", mine)
    pages = open_page(AppTest.from_file(str(MAIN), default_timeout=60), "upload")
    pages.button("switch").click().run()
    open_page(pages, "review", case=CASE)
    pages.text_input("reader_box").input("Anna").run()
    comment_box(pages).input("private").run()
    pages.switch_page("app_pages/upload.py").run().button("discard").click().run()
    pages.switch_page("app_pages/worklist.py").run()
    assert "ot saved" not in texts(pages)


def test_screened_again_the_form_is_empty_and_the_words_on_the_earlier_record_stay_readable(
    folder: Path,
) -> None:
    pages = open_page(AppTest.from_file(str(MAIN), default_timeout=60), "review", case=CASE)
    pages.text_input("reader_box").input("Anna").run()
    comment_box(pages).input("about the old record").run()
    screen_again(folder)
    seal = record_seal(folder, CASE)
    add_verdict(folder, replace(ANNA, comment="about the new record", record_sha256=seal))
    pages.run()
    assert comment_box(pages).value == "about the new record"
    assert "Not saved yet" not in texts(pages)
    assert "whole case, as it was then: no verdict. about the old record" in texts(pages)
    save_button(pages).click().run()
    assert kept(folder) == [(CASE, None, "accept", "about the new record")]
    pages.switch_page("app_pages/worklist.py").run()
    assert "about the old record" in texts(pages)
    assert not [button for button in pages.button if button.key == "save_all"]
    pages.button("discard").click().run()
    assert "about the old record" not in texts(pages)
