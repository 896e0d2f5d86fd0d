"""After the login a reader is where they wanted to go, and never on another server."""

import asyncio
from typing import Any
from urllib.parse import quote

import pytest
from starlette.responses import PlainTextResponse, RedirectResponse, Response

from app.viewer.asked_place import COOKIE, AskedPlace

KEYS = ("case", "finding", "prior")
HTML = "text/html,application/xhtml+xml"


def visit(
    path: str, *, query: str = "", cookie: str = "", base: str = "", accept: str = HTML
) -> dict[str, str]:
    """Headers of an answer; the callback goes to the first page, as Streamlit's does."""
    sent: list[dict[str, Any]] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        is_callback = path.endswith("/oauth2callback")
        first = Response(status_code=302, headers={"location": f"{base}/"})
        await (first if is_callback else PlainTextResponse("page"))(scope, receive, send)

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": path, "query_string": query.encode()}
    scope["headers"] = [(b"accept", accept.encode()), (b"cookie", cookie.encode())]
    app = AskedPlace(inside, keys=KEYS, base_path=base.strip("/"))
    asyncio.run(app(scope, None, send))  # type: ignore[arg-type]
    return {name.decode(): value.decode() for name, value in sent[0]["headers"]}


def kept(path: str, **how: str) -> str:
    return visit(path, **how).get("set-cookie", "").split(";")[0]


@pytest.mark.parametrize("base", ["", "/clinic", "/a/b"])
def test_the_page_and_case_that_were_asked_for_come_after_the_login(base: str) -> None:
    cookie = kept(f"{base}/review", query="case=sub%2001&finding=2&other=x", base=base)
    after = visit(f"{base}/oauth2callback", query="code=c&state=s", cookie=cookie, base=base)
    assert after["location"] == f"{base}/review?case=sub+01&finding=2"
    assert "set-cookie" not in after
    words = visit(f"{base}/compare", query="case=a&prior=b", base=base)["set-cookie"].lower()
    assert {"httponly", "samesite=lax", f"path={base or '/'}"} <= set(words.split("; "))


@pytest.mark.parametrize(
    "planted",
    [
        "//evil.example/",
        "/\\evil.example/",
        "https://evil.example/",
        "/review/../../evil",
        "/review//evil.example",
        "/auth/logout",
        "/oauth2callback?code=1",
        "/review\r\nset-cookie: a=b",
        "javascript:alert(1)",
        "/.evil.example",
        "/@evil.example",
        "/review?case=" + "x" * 2000,
        "",
    ],
)
def test_no_cookie_leads_elsewhere(planted: str) -> None:
    cookie = f"{COOKIE}={quote(planted, safe='')}"
    assert visit("/oauth2callback", cookie=cookie)["location"] == "/"
    assert visit("/clinic/oauth2callback", cookie=cookie, base="/clinic")["location"] == "/clinic/"


def test_only_pages_are_remembered_and_a_log_out_forgets_them() -> None:
    for path in ("/medsym/volumes/t", "/_stcore/stream", "/static/a.js", "/favicon.png"):
        assert not kept(path)
    assert not kept("/review", query="case=a", accept="*/*")
    assert not kept("/review", base="/clinic")
    assert "max-age=0" in visit("/auth/logout")["set-cookie"].lower()


def test_where_the_provider_is_asked_again_nothing_is_changed() -> None:
    async def inside(scope: Any, receive: Any, send: Any) -> None:
        await RedirectResponse("https://id.example/", status_code=302)(scope, receive, send)

    sent: list[dict[str, Any]] = []

    async def send(message: Any) -> None:
        sent.append(message)

    scope = {"type": "http", "method": "GET", "path": "/oauth2callback", "query_string": b""}
    scope["headers"] = [(b"cookie", kept("/review").encode())]
    asyncio.run(AskedPlace(inside, keys=KEYS)(scope, None, send))  # type: ignore[arg-type]
    assert dict(sent[0]["headers"])[b"location"] == b"https://id.example/"
