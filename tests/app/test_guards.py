"""Before every page and route: known callers, headers that name no other server, no stray files."""

import ast
import asyncio
from pathlib import Path
from typing import Any

import pytest
from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp

from app.scripts import script_hashes
from app.viewer.guards import KnownCallers, PrivateHeaders

APP = Path(__file__).parents[2] / "app"


async def page(scope: Any, receive: Any, send: Any) -> None:
    response = PlainTextResponse("scans", headers={"set-cookie": "_xsrf=1; Path=/"})
    await response(scope, receive, send)


def ask(
    app: ASGIApp,
    *,
    client: str = "127.0.0.1",
    host: str = "localhost",
    path: str = "/",
    **scope: Any,
) -> tuple[int, dict[str, str]]:
    """Status and headers of one request, without a server."""
    sent: list[dict[str, Any]] = []
    request = {"type": "http", "method": "GET", "path": path, "client": (client, 5000)}
    request |= {"headers": [(b"host", host.encode())]} | scope

    async def send(message: Any) -> None:
        sent.append(message)

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    asyncio.run(app(request, receive, send))
    if sent[0]["type"] == "websocket.close":
        return sent[0]["code"], {}
    return sent[0]["status"], {k.decode(): v.decode() for k, v in sent[0]["headers"]}


@pytest.mark.parametrize(
    ("client", "allowed"),
    [("10.1.2.3", True), ("::ffff:10.1.2.3", True), ("10.9.2.3", False), ("127.0.0.1", False)],
)
def test_only_the_proxys_network_may_connect(client: str, *, allowed: bool) -> None:
    app = KnownCallers(page, hosts={"scans.example"}, networks=["10.1.0.0/16"])
    assert (ask(app, client=client, host="scans.example")[0] == 200) is allowed


def test_with_a_login_everybody_may_connect_by_the_known_name_only() -> None:
    app = KnownCallers(page, hosts={"Scans.example"}, networks=None)
    assert ask(app, client="203.0.113.5", host="scans.EXAMPLE:8501")[0] == 200
    assert ask(app, client="203.0.113.5", host="scans.example.evil.example")[0] == 403
    socket = {"type": "websocket", "path": "/_stcore/stream"}
    assert ask(app, client="203.0.113.5", host="evil.example", **socket)[0] == 1008


def test_the_policy_names_this_server_alone() -> None:
    app = PrivateHeaders(page, scripts=script_hashes())
    headers = ask(app, host="127.0.0.1:8501")[1]
    policy = dict(part.split(" ", 1) for part in headers["content-security-policy"].split("; "))
    assert policy["connect-src"] == "'self' ws://127.0.0.1:8501 wss://127.0.0.1:8501"
    assert {"default-src", "img-src", "font-src", "script-src", "worker-src"} < set(policy)
    assert policy["object-src"] == policy["frame-ancestors"] == "'none'"
    assert policy["form-action"] == policy["base-uri"] == "'self'"
    allowed = {"'self'", "'none'", "data:", "blob:", "'unsafe-inline'", *script_hashes()}
    for name, sources in policy.items():
        if name != "connect-src":
            assert set(sources.split()) <= allowed
    assert "'unsafe-inline'" not in policy["script-src"]
    assert headers["x-frame-options"] == "DENY"
    assert headers["x-content-type-options"] == "nosniff"


def test_downloads_stay_out_of_the_browsers_store() -> None:
    assert ask(PrivateHeaders(page), path="/a/media/1.zip")[1]["cache-control"].endswith("no-store")
    assert "cache-control" not in ask(PrivateHeaders(page), path="/static/a.js")[1]


def test_a_host_name_cannot_write_into_the_policy() -> None:
    policy = ask(PrivateHeaders(page), host="x; script-src *")[1]["content-security-policy"]
    assert "*" not in policy


def test_cookies_stay_on_https_where_users_see_https() -> None:
    assert ask(PrivateHeaders(page))[1]["set-cookie"] == "_xsrf=1; Path=/"
    assert ask(PrivateHeaders(page, is_https=True))[1]["set-cookie"].endswith("; Secure")


@pytest.mark.parametrize(
    ("page_at", "allowed"),
    [
        ("http://localhost:8501", True),
        ("http://LOCALHOST:8501", True),
        ("http://localhost:9999", False),
        ("http://localhost", False),
        ("http://127.0.0.1:8501", False),
        ("http://evil.example", False),
        ("https://localhost.evil.example:8501", False),
        ("null", False),
        ("", False),
        ("http://[", False),
        ("file://", False),
    ],
)
@pytest.mark.parametrize("kind", ["http", "websocket"])
def test_only_pages_of_this_server_may_ask(kind: str, page_at: str, *, allowed: bool) -> None:
    headers = [(b"host", b"localhost:8501"), (b"origin", page_at.encode())]
    status, _ = ask(KnownCallers(page), type=kind, headers=headers)
    assert (status == 200) is allowed


def test_with_a_login_only_its_pages_may_ask() -> None:
    app = KnownCallers(page, hosts=["a.example"], origin="https://a.example", is_direct=False)
    for origin, expected in (
        ("https://a.example", 200),
        ("https://a.example:443", 200),
        ("http://a.example", 403),
        ("https://a.example:8443", 403),
    ):
        headers = [(b"host", b"a.example"), (b"origin", origin.encode())]
        assert ask(app, headers=headers)[0] == expected


def test_streamlit_sees_the_host_of_the_page_and_asks_nobody_for_it() -> None:
    seen: list[list[tuple[bytes, bytes]]] = []

    async def inside(scope: Any, receive: Any, send: Any) -> None:
        seen.append([pair for pair in scope["headers"] if pair[0] == b"host"])
        await page(scope, receive, send)

    app = KnownCallers(inside, hosts=["a.example"], is_direct=False)
    headers = [(b"host", b"a.example:443"), (b"origin", b"https://a.example")]
    assert ask(app, headers=headers)[0] == 200
    assert seen == [[(b"host", b"a.example")]]


def test_what_came_through_a_proxy_is_refused_where_nobody_vouches() -> None:
    for name in (b"forwarded", b"x-forwarded-for", b"x-forwarded-host", b"x-real-ip", b"via"):
        headers = [(b"host", b"localhost"), (name, b"127.0.0.1")]
        assert ask(KnownCallers(page), headers=headers)[0] == 403
        assert ask(KnownCallers(page, is_direct=False), headers=headers)[0] == 200


def test_a_reader_is_named_once() -> None:
    app = KnownCallers(page, is_direct=False, user_header="X-User")
    once = [(b"host", b"localhost"), (b"x-user", b"anna")]
    assert ask(app, headers=once)[0] == 200
    assert ask(app, headers=[*once, (b"x-user", b"chief")])[0] == 403


def test_every_script_of_a_page_stands_where_the_policy_finds_it() -> None:
    for path in sorted(APP.rglob("*.py")):
        for node in ast.walk(ast.parse(path.read_text(encoding="utf-8"))):
            named = isinstance(node, ast.Call) and "unsafe_allow_javascript" in {
                keyword.arg for keyword in node.keywords
            }
            if named:
                assert isinstance(node.args[0], ast.Name), (
                    f"{path.name}: name a script of scripts.py"
                )
                imported = f"from app.scripts import {node.args[0].id}"
                assert imported in path.read_text(encoding="utf-8")
