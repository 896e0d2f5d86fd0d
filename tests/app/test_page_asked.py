"""A case is begun with when its page is asked for, by nobody but a reader's browser."""

import asyncio
from typing import Any

import pytest

from app.viewer.page_asked import PageAsked
from app.viewer.routes import WEB_FILES, web_url, web_urls

PAGE = b"document"


def ask(path: str, query: str, *, dest: bytes = PAGE) -> tuple[list[str], str]:
    """Cases that were begun with, and the Link header of the answer."""
    followed: list[str] = []
    sent: list[dict[str, Any]] = []

    async def answer(_scope: Any, _receive: Any, send: Any) -> None:
        await send({"type": "http.response.start", "status": 200, "headers": []})

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    scope["headers"] = [(b"sec-fetch-dest", dest)]
    guard = PageAsked(
        answer, page="/clinic/review", scripts=web_urls(base_path=""), follow=followed.append
    )
    asyncio.run(guard(scope, None, send))  # type: ignore[arg-type]
    return followed, dict(sent[0]["headers"]).get(b"link", b"").decode()


def test_the_page_of_a_case_begins_with_it() -> None:
    followed, link = ask("/clinic/review", "finding=2&case=sub-01_T1w")
    assert followed == ["sub-01_T1w"]
    assert "viewer.js>; rel=modulepreload" in link


@pytest.mark.parametrize(
    ("path", "query", "dest"),
    [
        ("/clinic/review", "case=sub-01_T1w", b"image"),  # of another page
        ("/clinic/review", "", PAGE),
        ("/review", "case=sub-01_T1w", PAGE),
        ("/clinic/medsym/volumes/x", "case=sub-01_T1w", PAGE),
    ],
)
def test_nothing_else_does(path: str, query: str, dest: bytes) -> None:
    assert ask(path, query, dest=dest)[0] == []


def test_the_modules_named_are_all_that_the_viewer_imports_and_no_others() -> None:
    named = {url.rsplit("/", 1)[1] for url in web_urls(base_path="")}
    assert {"viewer.js", "arrival.js", "niivue_support.js"} <= named <= set(WEB_FILES)
    assert not named & {"compare.js", "niivue_engine.js"}, "asked for when they are needed"
    for name in named:
        for line in WEB_FILES[name][0].decode().splitlines():
            if line.startswith("import "):
                assert line.split('"./')[1].split('"')[0] in named
    assert all(url.startswith(web_url(base_path="x")) for url in web_urls(base_path="x"))
