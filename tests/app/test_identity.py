"""No page before the reader is known, and no name but the one that the provider says."""

import sys
import time
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from app import state
from app.export import export_of
from medsym import RESEARCH_USE_ONLY
from medsym.errors import OutputError
from medsym.screening.reviews import read_reviews
from tests.app.result_folder import build_folder
from tests.app.test_pages import save_button
from tests.app.test_view_access import LOGIN

MAIN = Path(__file__).parents[2] / "app" / "main.py"
READER = "anna@hospital.example"
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tmp_path_factory.mktemp("identity"))


@pytest.fixture
def pages(folder: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    path = tmp_path / "login.toml"
    path.write_text(LOGIN)
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder), "--login", str(path)])
    monkeypatch.setattr(state.ADMISSIONS, "_left", {})  # nobody has logged out in another test
    return AppTest.from_file(str(MAIN), default_timeout=60)


def logged_in(**changes: Any) -> dict[str, Any]:
    said = {"is_logged_in": True, "email": READER, "iat": time.time() - 60, "email_verified": True}
    return {key: value for key, value in (said | changes).items() if value is not None}


def visit(pages: AppTest, user: dict[str, Any]) -> tuple[str, bool]:
    """Words of the review page for this user, and whether any result is on it."""
    pages.user = user
    pages.query_params["case"] = "sub-01_T1w"
    pages.run()
    assert not pages.exception
    words = "\n".join(str(item.value) for item in (*pages.markdown, *pages.text))
    return words, bool(pages.dataframe or pages.get("bidi_component"))


@pytest.mark.parametrize(
    ("user", "words"),
    [
        ({}, "Log in to see"),
        ({"is_logged_in": False, "email": READER}, "Log in to see"),
        (logged_in(iat=time.time() - 13 * 3600), "too old"),
        (logged_in(iat=time.time() + 3600), "too old"),
        (logged_in(iat=None), "too old"),
        (logged_in(email="eve@elsewhere.example"), "not on the list"),
        (logged_in(email=None), "did not say"),
        (logged_in(email_verified=False), "not verified"),
        (logged_in(email_verified="false"), "not verified"),
        (logged_in(email_verified=None), "not verified"),
        (logged_in(email_verified=1), "not verified"),
    ],
)
def test_who_is_not_known_sees_nothing(pages: AppTest, user: dict[str, Any], words: str) -> None:
    shown, has_results = visit(pages, user)
    assert words in shown
    assert RESEARCH_USE_ONLY in shown
    assert not has_results
    assert "sub-01" not in shown
    assert not state.is_admitted("")
    assert "Log in" in [button.label for button in pages.button]


def test_the_readers_name_is_that_of_the_login_and_cannot_be_typed(pages: AppTest) -> None:
    shown, has_results = visit(pages, logged_in())
    assert has_results
    assert READER in shown
    pages.switch_page("app_pages/review.py").run()
    assert f"Reader: {READER}" in [item.value for item in pages.text]
    assert "Reader" not in [box.label for box in pages.text_input]
    assert pages.session_state["reader"] == READER


def test_who_logs_out_loses_what_was_open(pages: AppTest, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(state.ADMISSIONS, "_is_active", lambda _session: True)
    monkeypatch.setattr(state, "session", lambda: "s1")
    visit(pages, logged_in())
    token = state.STORE.put(b"voxels", digest="d", session="s1")
    assert state.STORE.get(token) == b"voxels"
    visit(pages, {})
    assert state.STORE.get(token) is None


def test_who_logs_out_in_one_tab_is_out_in_all(
    pages: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state.ADMISSIONS, "_is_active", lambda _session: True)
    issued = time.time() - 60
    for tab in ("s1", "s2"):
        monkeypatch.setattr(state, "session", lambda tab=tab: tab)
        assert visit(pages, logged_in(iat=issued))[1]
        state.STORE.put(b"voxels", digest="d", session=tab)
    token = state.STORE.put(b"voxels", digest="d", session="s1")
    pages.button("log_out").click().run()
    assert state.STORE.get(token) is None, "the other tab's addresses end, too"
    shown, has_results = visit(pages, logged_in(iat=issued))
    assert "You have logged out" in shown
    assert not has_results
    shown, _ = visit(pages, logged_in(iat=issued + 30))
    assert "You have logged out" in shown, "of a browser that was not open meanwhile"
    assert visit(pages, logged_in(iat=time.time() + 1))[1], "another log-in counts"


@pytest.mark.parametrize("end", ["logged out", "too old", "off the list", "somebody else"])
def test_what_is_typed_after_the_log_in_has_ended_is_kept_under_no_name(
    pages: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, end: str
) -> None:
    own = build_folder(tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["main.py", str(own), *sys.argv[2:]])
    monkeypatch.setattr(state, "session", lambda: f"tab of who is {end}")
    visit(pages, logged_in())
    pages.switch_page("app_pages/review.py").run()
    box = next(box for box in pages.text_input if box.label.startswith("Comment"))
    box.input("by the reader").run()
    assert "Not saved yet" in "".join(str(item.value) for item in pages.markdown)
    if end == "logged out":
        state.ADMISSIONS.log_out(READER)
    elif end == "too old":
        pages.user = logged_in(iat=time.time() - 13 * 3600)
    elif end == "off the list":
        (tmp_path / "login.toml").write_text(LOGIN.replace("hospital.example", "gone.example"))
    else:
        pages.user = logged_in(email="ben@hospital.example")
    box.input("by whoever sits there")
    save_button(pages).click().run()
    assert not read_reviews(own).verdicts
    pages.run()
    assert not read_reviews(own).verdicts


def test_who_is_logged_in_saves_under_their_own_name_alone(
    pages: AppTest, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    own = build_folder(tmp_path / "results")
    monkeypatch.setattr(sys, "argv", ["main.py", str(own), *sys.argv[2:]])
    monkeypatch.setattr(state, "session", lambda: "one tab, two readers")
    visit(pages, logged_in())
    pages.switch_page("app_pages/review.py").run()
    next(box for box in pages.text_input if box.label.startswith("Comment")).input("mine").run()
    pages.user = logged_in(email="ben@hospital.example")
    pages.switch_page("app_pages/worklist.py").run()
    pages.button("save_all").click().run()
    assert not read_reviews(own).verdicts
    assert any(f"{READER} entered this" in item.value for item in pages.text)
    pages.user = logged_in()
    pages.run()
    pages.button("save_all").click().run()
    assert [(said.reader, said.comment) for said in read_reviews(own).verdicts] == [
        (READER, "mine")
    ]


def test_a_table_of_verdicts_is_made_for_nobody_who_has_left(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(state, "session", lambda: "tab with a table")
    state.ADMISSIONS.let_in("tab with a table")
    made = export_of(read_reviews(folder), folder=folder)
    assert made().startswith("case\t")
    state.ADMISSIONS.dismiss("tab with a table")
    with pytest.raises(OutputError, match="MS-806"):
        made()


def test_a_proxy_that_says_nobody_shows_nothing(
    folder: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    words = ["--i-have-auth-proxy", "--allowed-host", "a.example", "--user-header", "X-User"]
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder), *words])
    pages = AppTest.from_file(str(MAIN), default_timeout=60)
    assert visit(pages, {"reader": None}) == (visit(pages, {"reader": " "})[0], False)
    _, has_results = visit(pages, {"reader": "nurse-7"})
    assert has_results
    assert pages.session_state["reader"] == "nurse-7"
