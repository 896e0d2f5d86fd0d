"""When the page turns to another case, nothing of the last one stands below the new header."""

import re
import sys
from pathlib import Path
from typing import Any

import pytest
from streamlit.testing.v1 import AppTest

from tests.app.test_pages import MAIN, open_page, viewers
from tests.app.visits_folder import NOW, build_visits

pytestmark = pytest.mark.filterwarnings("default")


@pytest.fixture(scope="module")
def folder(tmp_path_factory: pytest.TempPathFactory) -> Path:
    return build_visits(tmp_path_factory.mktemp("turning"))


@pytest.fixture
def pages(folder: Path, monkeypatch: pytest.MonkeyPatch) -> AppTest:
    monkeypatch.setattr(sys, "argv", ["main.py", str(folder)])
    return AppTest.from_file(str(MAIN), default_timeout=60)


def kept(pages: AppTest) -> str:
    """The one mark whose elements the page leaves to be seen, told before any number is."""
    assert not pages.exception
    texts = [item.value for item in pages.markdown]
    (rule,) = (text for text in texts if 'class="medsym-turn"' in text)
    numbers = [place for place, text in enumerate(texts) if '<dl class="medsym-facts"' in text]
    assert all(texts.index(rule) < place for place in numbers)
    found = re.search(
        r'\[class\*="st-key-of-"\]:not\(\[class\*="st-key-(of-\w+)-"\]\) \{ display: none', rule
    )
    assert found is not None
    return found[1]


def key_of(item: Any) -> str:
    """What the browser makes a class of."""
    return str(item.proto.id)


def test_planes_and_form_of_another_case_are_hidden_and_the_form_names_its_case(
    pages: AppTest,
) -> None:
    open_page(pages, "review", case=NOW)
    mark = kept(pages)
    assert pages.expander[0].label.replace("\\", "") == f"Reader's verdict on {NOW}"
    (shown,) = viewers(pages)
    assert f"-{mark}-viewer" in key_of(shown)
    pages.button("previous").click().run()
    turned = kept(pages)
    (shown,) = viewers(pages)
    assert turned != mark
    assert f"-{turned}-viewer" in key_of(shown)
    assert pages.expander[0].label.replace("\\", "") != f"Reader's verdict on {NOW}"
    pages.button("next").click().run()
    assert kept(pages) == mark, "one case has one mark: what is drawn of it stays"
