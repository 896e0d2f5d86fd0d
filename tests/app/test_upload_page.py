"""The upload page without a browser: off by default, in words, and blind to other sessions."""

import sys
from dataclasses import replace
from pathlib import Path

import pytest
from streamlit.testing.v1 import AppTest

from app import state
from app.uploads.queue import RUNNING, JobStatus
from app.uploads.service import Uploads
from app.uploads.work import UploadedScan
from medsym import RESEARCH_USE_ONLY
from medsym.errors import ScanError
from tests.app.result_folder import build_folder

MAIN = Path(__file__).parents[2] / "app" / "main.py"
pytestmark = pytest.mark.filterwarnings("default")
DONE = UploadedScan(case="sub-01_T1w", stage="done")
REFUSED = UploadedScan(case="sub-9", stage="refused", code="MS-101", cause="cut off", fix="again")
UNFIT = UploadedScan(case="sub-03_T1w", stage="not assessable", reasons=("coverage too small",))


def job(**facts: object) -> JobStatus:
    default = {"number": 1, "name": "<b>x</b>", "state": "done", "before": 0, "scan": 1}
    rest = {"scans": 1, "stage": "", "seconds": 7.2, "ended": (), "error": None}
    return JobStatus(**(default | rest | facts))


class Stub(Uploads):
    """Uploads of one session as they stand, without a server."""

    def __init__(self, *jobs: JobStatus, session: str = "test session id", out: Path | None):
        self.jobs, self.session, self.out = list(jobs), session, out

    def of(self, session: str) -> list[JobStatus]:
        return self.jobs if session == self.session else []

    def results(self, session: str) -> Path | None:
        return self.out if session == self.session else None

    def cancel(self, session: str, number: int) -> None:
        assert session == self.session
        self.jobs = [replace(job, state="cancelled") for job in self.jobs if job.number == number]

    def discard(self, session: str) -> None:
        assert session == self.session
        self.jobs, self.out = [], None


def open_page(
    monkeypatch: pytest.MonkeyPatch, name: str, *arguments: str, uploads: Uploads | None = None
) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["main.py", *arguments])
    if uploads is not None:
        monkeypatch.setattr(state, "UPLOADS", uploads)
    pages = AppTest.from_file(str(MAIN), default_timeout=60)
    pages.run()
    return pages.switch_page(f"app_pages/{name}.py").run()


def texts(pages: AppTest) -> str:
    assert not pages.exception
    parts = (*pages.markdown, *pages.text, *pages.error, *pages.info)
    return "\n".join(str(item.value) for item in parts)


def planes(pages: AppTest) -> list[object]:
    return [part for part in pages.get("bidi_component") if "volumes" in part.proto.json]


def test_uploads_are_off_until_the_operator_allows_them(monkeypatch: pytest.MonkeyPatch) -> None:
    pages = open_page(monkeypatch, "upload")
    assert "medsym view FOLDER --upload" in texts(pages)
    assert RESEARCH_USE_ONLY in texts(pages)
    assert not pages.file_uploader
    assert not pages.button


def test_the_page_says_where_a_scan_stays_and_when_it_goes(monkeypatch) -> None:
    pages = open_page(monkeypatch, "upload", "--upload")
    assert pages.file_uploader
    for part in ("stays on the machine", "no other reader sees", "deleted", "Download"):
        assert part in texts(pages)
    assert "page Upload" in texts(open_page(monkeypatch, "worklist", "--upload"))


def test_progress_and_refusals_are_said_in_words(monkeypatch: pytest.MonkeyPatch) -> None:
    error = ScanError(code="MS-683", subject="x", cause="too large", fix="pack less")
    jobs = (
        job(number=4, state=RUNNING, scan=2, scans=3, stage="compare", seconds=12.4),
        job(number=3, state="waiting", before=2),
        job(number=2, state="failed", error=error),
        job(ended=(REFUSED, UNFIT)),
    )
    said = texts(open_page(monkeypatch, "upload", "--upload", uploads=Stub(*jobs, out=None)))
    for part in (
        "<b>x</b>: scan 2 of 3, comparing the two sides, 12 s so far",
        "waiting, 2 before it",
        "Refused: too large.\nWhat to do: pack less. (MS-683)",
        "Refused: cut off.\nWhat to do: again. (MS-101)",
        "Not assessable, no map is shown: coverage too small",
    ):
        assert part in said


def test_a_waiting_or_running_upload_can_be_cancelled(monkeypatch: pytest.MonkeyPatch) -> None:
    jobs = (job(number=2, state="waiting", before=1), job(state=RUNNING))
    pages = open_page(monkeypatch, "upload", "--upload", uploads=Stub(*jobs, out=None))
    assert "waiting; yours is next" in texts(pages)
    pages.button("cancel_2").click().run()
    assert "<b>x</b>: cancelled" in texts(pages)
    assert not [button for button in pages.button if str(button.key).startswith("cancel")]


@pytest.mark.parametrize("button", ["cancel_1", "discard"])
def test_who_was_let_in_no_longer_changes_no_upload(
    monkeypatch: pytest.MonkeyPatch, button: str
) -> None:
    mine = Stub(job(state=RUNNING), out=None)
    pages = open_page(monkeypatch, "upload", "--upload", uploads=mine)
    state.ADMISSIONS.dismiss("test session id")
    pages.button(button).click().run()
    assert [one.state for one in mine.jobs] == [RUNNING]


def test_an_upload_is_shown_by_the_pages_of_its_own_session_only(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    folder = build_folder(tmp_path)
    mine = Stub(job(ended=(DONE,)), out=folder)
    pages = open_page(monkeypatch, "upload", "--upload", uploads=mine)
    assert "Your upload." in texts(pages)
    pages.button("open_1_sub-01_T1w").click().run()
    assert planes(pages)
    assert list(open_page(monkeypatch, "worklist", "--upload").dataframe[0].value["Case"])
    other = Stub(job(ended=(DONE,)), out=folder, session="somebody else")
    pages = open_page(monkeypatch, "upload", "--upload", uploads=other)
    assert "Your upload." not in texts(pages)
    assert not [button for button in pages.button if button.key != "analyse"]
    for name in ("worklist", "review"):
        pages = open_page(monkeypatch, name, "--upload", uploads=other)
        assert "Nothing was analysed yet" in texts(pages)
        assert not planes(pages)


def test_a_session_goes_between_the_folder_and_its_uploads(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path
) -> None:
    cohort = build_folder(tmp_path / "cohort")
    (cohort / "screening.tsv").write_text("case\tfile\tassessable\nsub-cohort\tx.nii\ttrue\n")
    mine = Stub(job(ended=(DONE,)), out=build_folder(tmp_path / "mine"))
    pages = open_page(monkeypatch, "upload", str(cohort), "--upload", uploads=mine)

    def cases() -> list[str]:
        frame = pages.switch_page("app_pages/worklist.py").run().dataframe[0].value
        return [name.partition("\n")[0] for name in frame["Case"]]

    assert cases()[0] == "sub-cohort", "the folder comes first"
    assert pages.dataframe[0].value["Case"][0] == "sub-cohort\nx.nii", "the file is named, too"
    pages.switch_page("app_pages/upload.py").run().button("switch").click().run()
    assert "Your upload." in texts(pages)
    assert "sub-01_T1w" in cases()
    assert "sub-cohort" not in cases()
    pages.switch_page("app_pages/upload.py").run().button("discard").click().run()
    assert "Your upload." not in texts(pages)
    assert cases()[0] == "sub-cohort"
