"""Who has no key of this start sees nothing, by whatever way: page, file, volume or web socket."""

from collections.abc import Sequence
from typing import Any

import pytest
from starlette.datastructures import Headers

from app.viewer.address_key import AddressKey
from tests.app.test_guards import ask, page

KEY = "a-key-that-nobody-guesses-" + "x" * 20
PATHS = (
    "/",
    "/review",
    "/medsym/volumes/t",
    "/medsym/pictures/t/c",
    "/media/a.zip",
    "/static/a.js",
)


def visit(
    app: AddressKey,
    *,
    path: str = "/",
    query: str = "",
    cookie: str = "",
    host: str = "localhost:8501",
    more: Sequence[tuple[bytes, bytes]] = (),
    **scope: Any,
) -> tuple[int, dict[str, str]]:
    headers = [(b"host", host.encode()), *([(b"cookie", cookie.encode())] if cookie else []), *more]
    return ask(app, path=path, query_string=query.encode(), headers=headers, **scope)


def cookie_of(app: AddressKey, **how: str) -> str:
    """What a browser sends after it was let in."""
    return visit(app, query=f"key={KEY}", **how)[1]["set-cookie"].split(";")[0]


@pytest.fixture
def app() -> AddressKey:
    return AddressKey(page, key=KEY)


@pytest.mark.parametrize("path", PATHS)
@pytest.mark.parametrize("query", ["", f"key={KEY[:-1]}", f"key={KEY}x", "key=", "key=%ff"])
def test_without_key_and_cookie_nothing_is_answered(app: AddressKey, path: str, query: str) -> None:
    for method in ("GET", "HEAD", "POST", "PUT", "DELETE", "OPTIONS"):
        status, headers = visit(app, path=path, query=query, method=method)
        assert status == 403
        assert "set-cookie" not in headers
        assert headers["cache-control"] == "no-store"
    assert visit(app, path="/_stcore/stream", query=query, type="websocket")[0] == 1008


def test_an_open_page_of_an_earlier_start_is_told_in_words_that_it_shows(app: AddressKey) -> None:
    clinic = AddressKey(page, key=KEY, base_path="clinic")
    for asked, path in ((app, "/_stcore/health"), (clinic, "/clinic/_stcore/host-config")):
        status, headers = visit(asked, path=path)
        assert status == 401, "to 403, Streamlit would say words of its own"
        assert headers["content-type"] == "application/json", "it reads nothing else"
        assert headers["cache-control"] == "no-store"
        assert visit(asked, path=path, type="websocket")[0] == 1008


def test_the_key_lets_a_browser_in_and_leaves_the_address(app: AddressKey) -> None:
    query = f"case=sub%2001&key={KEY}&finding=2"
    status, headers = visit(app, path="/review", query=query)
    assert status == 303
    assert headers["location"] == "/review?case=sub+01&finding=2"
    assert headers["referrer-policy"] == "no-referrer"
    attributes = {part.strip().lower() for part in headers["set-cookie"].split(";")[1:]}
    assert attributes == {"httponly", "samesite=strict", "path=/"}, (
        "no age: it ends with the browser"
    )
    assert KEY not in headers["set-cookie"]
    cookie = headers["set-cookie"].split(";")[0]
    for path in PATHS:
        assert visit(app, path=path, cookie=cookie)[0] == 200
    assert visit(app, path="/_stcore/stream", type="websocket", cookie=cookie)[0] == 200
    assert visit(app, type="websocket", query=f"key={KEY}")[0] == 1008, "pages alone take the key"
    assert visit(app, query=f"key={KEY}", method="POST")[0] == 403


def test_an_old_key_in_the_address_goes_where_the_browser_is_known(app: AddressKey) -> None:
    status, headers = visit(app, path="/help", query="key=old", cookie=cookie_of(app))
    assert (status, headers["location"]) == (303, "/help")
    assert "set-cookie" not in headers


def test_the_key_leads_to_no_other_server(app: AddressKey) -> None:
    for path in ("//evil.example/", "/\\evil.example/", "///evil.example"):
        target = visit(app, path=path, query=f"key={KEY}")[1]["location"]
        assert target.startswith("/")
        assert target[1] not in "/\\"


def test_viewers_on_several_ports_and_paths_keep_their_cookies_apart(app: AddressKey) -> None:
    other = AddressKey(page, key=KEY, base_path="clinic")
    cookies = [cookie_of(app), cookie_of(other, host="localhost:8502")]
    assert len({cookie.partition("=")[0] for cookie in cookies}) == 2
    both = "; ".join(cookies)
    assert visit(app, cookie=both)[0] == 200
    assert visit(other, cookie=both, host="localhost:8502")[0] == 200
    assert visit(app, cookie=cookies[1], host="localhost:8502")[0] == 403, "of another viewer"
    assert "Path=/clinic" in visit(other, query=f"key={KEY}")[1]["set-cookie"]


def test_a_planted_cookie_does_not_lock_the_browser_out(app: AddressKey) -> None:
    name = cookie_of(app).partition("=")[0]
    assert visit(app, cookie=f"{name}=planted; {cookie_of(app)}; {name}=planted")[0] == 200
    assert visit(app, cookie=f"{name}=planted")[0] == 403
    assert visit(app, cookie=f"other_{cookie_of(app)}")[0] == 403


def test_a_link_from_elsewhere_is_asked_for_once_more_and_only_once(app: AddressKey) -> None:
    sent: list[bytes] = []

    async def keep(scope: Any, receive: Any, send: Any) -> None:
        async def note(message: Any) -> None:
            sent.append(message.get("body", b""))
            await send(message)

        await app(scope, receive, note)

    for site, again in (("cross-site", True), ("same-origin", False), ("none", False)):
        sent.clear()
        more = [(b"sec-fetch-mode", b"navigate"), (b"sec-fetch-site", site.encode())]
        assert visit(keep, path="/review", more=more)[0] == 403  # type: ignore[arg-type]
        assert (b'http-equiv="refresh"' in b"".join(sent)) is again
        assert (b"medsym view" in b"".join(sent)) is not again


def test_odd_hosts_are_no_error(app: AddressKey) -> None:
    for host in ("localhost", "[::1]", "[::1]:8501", "localhost:99999999", "localhost:\xb2"):
        name = cookie_of(app, host=host).partition("=")[0]
        assert Headers({"cookie": name}), "plain letters"
        assert name.isascii()
