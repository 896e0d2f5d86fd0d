"""The page Compare without a browser: what stands beside the case, and that the address says so."""

import json
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from medsym import RESEARCH_USE_ONLY
from tests.app.test_turning import kept, key_of
from tests.app.visits_folder import NOW, OTHER, THEN, build_visits

MAIN = Path(__file__).parents[2] / "app" / "main.py"

# Streamlit and its dependencies warn about themselves; the page is what is tested here.
pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_visits(tmp_path_factory.mktemp("compare"))


@pytest.fixture
def pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    return AppTest.from_file(str(MAIN), default_timeout=60)


def pictures(pages: AppTest) -> list[Any]:
    """The components with pictures; others guard the drafts."""
    found = pages.get("bidi_component")
    return [item for item in found if item.proto.component_name.endswith("medsym.compare")]


def payload(pages: AppTest) -> dict[str, Any]:
    assert not pages.exception
    (component,) = pictures(pages)
    data: dict[str, Any] = json.loads(component.proto.json)
    return data


def open_compare(pages: AppTest, **query: str) -> AppTest:
    pages.run()
    for key, value in query.items():
        pages.query_params[key] = value
    return pages.switch_page("app_pages/compare.py").run()


def test_a_case_stands_beside_its_mirror_until_another_is_chosen(pages: AppTest) -> None:
    open_compare(pages, case=NOW)
    assert payload(pages)["beside"] is None
    alone = kept(pages)
    assert f"-{alone}-compare" in key_of(pictures(pages)[0])
    assert any(RESEARCH_USE_ONLY in item.value for item in pages.markdown)
    assert len(pages.selectbox("beside_box").options) == 3
    pages.selectbox("beside_box").select(THEN).run()
    beside = payload(pages)["beside"]
    assert (beside["case"], beside["role"]) == (THEN, "Prior")
    assert f"-{kept(pages)}-compare" in key_of(pictures(pages)[0])
    assert kept(pages) != alone, "a comparison belongs to both of its cases"
    assert (payload(pages)["visit"]["day"], beside["visit"]["day"]) == ("2024-05-17", "2023-11-02")
    assert pages.query_params["prior"] in (THEN, [THEN])
    pages.selectbox("beside_box").select("").run()
    assert payload(pages)["beside"] is None
    assert "prior" not in pages.query_params


def test_an_address_with_a_prior_shows_it_and_the_next_case_gets_its_own(pages: AppTest) -> None:
    open_compare(pages, case=NOW, prior=THEN)
    data = payload(pages)
    assert (data["case"], data["beside"]["case"]) == (NOW, THEN)
    urls = [about["url"] for case in (data, data["beside"]) for about in case["volumes"].values()]
    assert len(set(urls)) == len(urls) > 10
    pages.selectbox("case_box").select(THEN).run()
    data = payload(pages)
    assert (data["case"], data["beside"]["case"]) == (THEN, NOW)
    assert data["beside"]["role"] == "Later scan"
    pages.selectbox("case_box").select(OTHER).run()
    assert payload(pages)["beside"] is None, "another person's scan is never taken for a prior"


def test_an_address_with_an_unknown_prior_shows_no_picture(pages: AppTest) -> None:
    open_compare(pages, case=NOW, prior="sub-99_T1w")
    assert not pages.exception
    assert "MS-161 sub-99_T1w" in "\n".join(item.value for item in pages.text)
    assert not pictures(pages)
