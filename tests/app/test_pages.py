"""The pages run without a browser: no exception, the research-use strip, the right payload."""

import asyncio
import json
import sys
from pathlib import Path
from typing import Any, cast

import pytest
from streamlit.testing.v1 import AppTest

from app.volume_addresses import maps_of
from medsym import RESEARCH_USE_ONLY
from tests.app.result_folder import MARKER_MM, WITHIN_MM, build_folder

MAIN = Path(__file__).parents[2] / "app" / "main.py"

# Streamlit and its dependencies warn about themselves; the pages are what is tested here.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_folder(tmp_path_factory.mktemp("pages"))


@pytest.fixture
def pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    return AppTest.from_file(str(MAIN), default_timeout=60)


def texts(pages: AppTest) -> str:
    return "\n".join(str(item.value) for item in (*pages.markdown, *pages.text, *pages.error))


def viewers(pages: AppTest) -> list[Any]:
    """The review components on the page; others guard the drafts."""
    found = pages.get("bidi_component")
    return [item for item in found if item.proto.component_name.endswith("medsym.review")]


def payload(pages: AppTest) -> dict[str, Any]:
    (component,) = viewers(pages)
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def save_button(pages: AppTest) -> Any:
    """The button of the form for verdicts; its key is that of the case."""
    return next(button for button in pages.button if button.label == "Save verdicts")


def open_page(pages: AppTest, name: str, **query: str) -> AppTest:
    """A page, opened by its address."""
    pages.run()
    for key, value in query.items():
        pages.query_params[key] = value
    return pages.switch_page(f"app_pages/{name}.py").run()


def test_worklist_lists_every_scan_and_carries_the_strip(pages: AppTest) -> None:
    pages.run()
    assert not pages.exception
    assert RESEARCH_USE_ONLY in texts(pages)
    frame = pages.dataframe[0].value
    assert list(frame["Case"]) == ["sub-02_FLAIR", "sub-01_T1w", "sub-03_T1w", "<b>bad</b>.nii.gz"]
    assert frame["Deviation (SD)"].isna().tolist() == [False, False, True, True]
    assert frame["Findings"].fillna(-1).tolist() == [2, 2, -1, -1]
    assert "synthetic subjects" in pages.caption[0].value
    assert "MS-101" in frame["Remarks"].iloc[-1]


def test_open_button_shows_the_first_case_with_all_its_volumes(pages: AppTest) -> None:
    pages.run()
    pages.button("open").click().run()
    assert not pages.exception
    assert RESEARCH_USE_ONLY in texts(pages)
    data = payload(pages)
    assert data["case"] == "sub-02_FLAIR"
    assert data["threshold"] == {"peak_sd": 4.0, "false_alarm_rate": 0.05}
    assert data["crosshair_mm"] == list(MARKER_MM)
    assert set(data["volumes"]) == {"scan"}, "the maps are waited for"
    assert data["maps"]["url"].startswith("/medsym/maps/")
    maps = asyncio.run(maps_of(data["maps"]["url"].rsplit("/", 1)[1]))
    assert maps is not None
    assert maps["name"] == data["maps"]["name"]
    volumes = cast("dict[str, dict[str, str]]", maps["volumes"])
    urls = [about["url"] for about in (*data["volumes"].values(), *volumes.values())]
    assert len(set(urls)) == len(urls) == 6
    assert all(url.startswith("/medsym/volumes/") and len(url) > 55 for url in urls)


def test_a_link_to_a_finding_jumps_there_and_stays_there(pages: AppTest) -> None:
    open_page(pages, "review", case="sub-01_T1w", finding="2")
    assert not pages.exception
    assert payload(pages)["case"] == "sub-01_T1w"
    assert payload(pages)["crosshair_mm"] == list(WITHIN_MM)
    assert payload(pages.run())["crosshair_mm"] == list(WITHIN_MM)


def test_a_link_to_an_unknown_case_never_shows_another_patient(pages: AppTest) -> None:
    open_page(pages, "review", case="sub-99_T1w")
    assert not pages.exception
    assert "MS-161 sub-99_T1w" in texts(pages)
    assert not viewers(pages)


def test_the_address_names_the_case_on_review_so_that_a_reload_keeps_it(pages: AppTest) -> None:
    open_page(pages, "review")
    pages.selectbox("case_box").select("sub-03_T1w").run()
    assert payload(pages)["case"] == "sub-03_T1w"
    assert pages.query_params["case"] == "sub-03_T1w"


def test_previous_and_next_follow_the_case_box(pages: AppTest) -> None:
    def disabled() -> tuple[bool, bool]:
        return pages.button("previous").disabled, pages.button("next").disabled

    open_page(pages, "review")
    assert disabled() == (True, False)
    pages.selectbox("case_box").select("sub-03_T1w").run()
    assert disabled() == (False, True)
    pages.button("previous").click().run()
    assert payload(pages)["case"] == "sub-01_T1w"
    assert pages.selectbox("case_box").value == "sub-01_T1w"
    assert disabled() == (False, False)
    pages.button("previous").click().run()
    assert disabled() == (True, False)


def test_a_clicked_cell_chooses_its_row(pages: AppTest) -> None:
    pages.run()
    pages.session_state[table_key(pages)] = {
        "selection": {"rows": [], "columns": [], "cells": [[1, "Case"]]}
    }
    pages.run()
    assert pages.button("open").label == "Open sub-01_T1w"


def table_key(pages: AppTest) -> str:
    """Key of the work list's table: it is another one when the rows are."""
    return str(pages.dataframe[0].proto.id).rsplit("-", maxsplit=1)[-1]


def test_open_shows_the_case_that_the_button_named_when_it_was_clicked(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = build_folder(tmp_path)
    monkeypatch.setattr(sys, "argv", ["main.py", str(root)])
    pages = AppTest.from_file(str(MAIN), default_timeout=60).run()
    pages.session_state[table_key(pages)] = {
        "selection": {"rows": [], "columns": [], "cells": [[1, "Case"]]}
    }
    pages.run()
    named = pages.button("open").label.removeprefix("Open ")
    lines = (root / "screening.tsv").read_text().splitlines(keepends=True)
    (root / "screening.tsv").write_text("".join(line for line in lines if "sub-02_" not in line))
    pages.button("open").click().run()  # screened again meanwhile: other rows, another order
    assert payload(pages)["case"] == named == "sub-01_T1w"
    pages.switch_page("app_pages/worklist.py").run()
    assert pages.button("open").label == "Open sub-01_T1w", "the first row: no click is left over"


def test_next_case_leaves_the_link_behind(pages: AppTest) -> None:
    open_page(pages, "review", case="sub-02_FLAIR", finding="2")
    pages.button("next").click().run()
    assert payload(pages)["case"] == "sub-01_T1w"
    assert payload(pages)["crosshair_mm"] == list(MARKER_MM)
    assert payload(pages.run())["case"] == "sub-01_T1w"


def test_structures_are_named_in_words_and_what_was_not_found_has_no_volume(
    pages: AppTest,
) -> None:
    open_page(pages, "review", case="sub-01_T1w")
    assert not pages.dataframe, "its scripts would come before the planes"
    pages.session_state["structures"] = True
    frame = pages.run().dataframe[0].value
    assert list(frame["name"]) == ["cerebrum", "ventral diencephalon"]
    assert frame["left_ml"].iloc[0] == 600.0
    assert frame["right_ml"].iloc[0] == 610.0
    assert frame.drop(columns="name").iloc[1].isna().all()


def test_case_that_is_not_assessable_says_why_and_shows_only_the_scan(pages: AppTest) -> None:
    open_page(pages, "review", case="sub-03_T1w")
    assert "Not assessable, no map is shown: coverage too small" in texts(pages)
    assert set(payload(pages)["volumes"]) == {"scan"}
    assert payload(pages)["maps"] is None
    assert "SD" not in texts(pages).split("</style>")[1]


def test_about_names_the_blind_spots(pages: AppTest) -> None:
    open_page(pages, "about")
    assert not pages.exception
    for part in (
        RESEARCH_USE_ONLY,
        "equal on both sides",
        "not a medical device",
    ):
        assert part in texts(pages)


def test_without_a_folder_the_pages_say_how_to_start(
    pages: AppTest, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(sys, "argv", ["main.py"])
    for name in ("worklist", "review"):
        open_page(pages, name)
        assert not pages.exception
        assert "medsym view FOLDER" in pages.info[0].value
        assert RESEARCH_USE_ONLY in texts(pages)


def test_damaged_result_is_an_error_text_and_not_a_traceback(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    root = build_folder(tmp_path)
    next(root.glob("sub-01/anat/*deviation*")).write_bytes(b"x")
    monkeypatch.setattr(sys, "argv", ["main.py", str(root)])
    pages = open_page(AppTest.from_file(str(MAIN), default_timeout=60), "review", case="sub-01_T1w")
    assert not pages.exception
    assert "MS-163" in texts(pages)
    assert not viewers(pages)
