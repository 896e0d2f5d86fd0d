"""Only who has the key of this start comes in: by its address once, by a cookie from then on.

The loopback address is open to every account of the machine. Cookies know no ports, so the name of
this one holds the port at which the browser sees the viewer: two viewers do not take each other's.
"""

import hmac
import secrets
from urllib.parse import quote, urlencode

from starlette.datastructures import Headers, QueryParams
from starlette.responses import HTMLResponse, JSONResponse, RedirectResponse, Response
from starlette.types import ASGIApp, Receive, Scope, Send

from app.viewer.guards import refuse
from medsym.commands.view_key import KEY_BYTES, KEY_PARAMETER

PRIVATE = {"cache-control": "no-store", "referrer-policy": "no-referrer"}
#: Sent by a page of another place, a browser holds the cookie back; sent by this one, it does not.
_ONCE_MORE = '<!doctype html><meta http-equiv="refresh" content="0"><title>medsym</title>'
_REFUSAL = """<!doctype html>
<html lang="en">
<meta charset="utf-8">
<meta name="viewport" content="width=device-width">
<title>medsym</title>
<style>
body { background: #14171c; color: #e8ebef; font: 1.1rem/1.6 sans-serif; max-width: 38rem;
  margin: 12vh auto; padding: 0 1.2rem; }
h1 { font-size: 1.5rem; }
code { color: #ffd48a; }
</style>
<h1>This browser has no key to the viewer</h1>
<p>Open the address that <code>medsym view</code> printed where it was started. It ends with
<code>?key=</code> and a key, which is a new one after every start. Where it printed the name of a
file and no key, open that file.</p>
<p>Through a tunnel, put the port of the tunnel into the address. <code>localhost</code> and
<code>127.0.0.1</code> each need the key once.</p>
<p>After that, links to a case work in this browser, too: open the link that led you here again.</p>
</html>
"""
STREAMLIT = "/_stcore/"  # what an open page asks of the server, below the base path
#: Streamlit's page shows a JSON text; to 403 it would say words of its own, with a link elsewhere.
#: It breaks no lines.
_EARLIER = (
    "This page has no key to the viewer,\nwhich was perhaps started again.\n"
    "Open the address that medsym view printed,\nor the file that it named."
)


class AddressKey:
    """Refuse every request of a browser that was not let in by the key.

    Args:
        app: what is guarded.
        key: of this start.
        base_path: of the server, without slashes at its ends.
    """

    def __init__(self, app: ASGIApp, *, key: str, base_path: str = "") -> None:
        self._app, self._key, self._path = app, key, f"/{base_path}"
        self._pass = secrets.token_urlsafe(KEY_BYTES)  # who sees the cookie does not know the key

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
            return
        known = any(_is_same(value, self._pass) for value in _cookies(scope, _cookie_name(scope)))
        given = _key_of(scope)
        has_key = given is not None and _is_same(given, self._key)
        if given is not None and (known or has_key):
            await self._clean_address(scope, pass_too=has_key)(scope, receive, send)
        elif known:
            await self._app(scope, receive, send)
        elif scope["type"] == "websocket":
            await refuse(scope, receive, send, "")
        elif scope["path"].startswith(f"{self._path.rstrip('/')}{STREAMLIT}"):
            await JSONResponse(_EARLIER, 401, headers=PRIVATE)(scope, receive, send)
        else:
            await _page(scope)(scope, receive, send)

    def _clean_address(self, scope: Scope, *, pass_too: bool) -> Response:
        """To the same place without the key: no bookmark, screenshot or copied address has it.

        The browser's list of visited pages may keep it; it counts until the viewer ends.
        """
        query = [
            pair
            for pair in QueryParams(scope["query_string"]).multi_items()
            if pair[0] != KEY_PARAMETER
        ]
        place = "/" + quote(scope["path"].lstrip("/"))  # two slashes would name another server
        target = f"{place}?{urlencode(query)}" if query else place
        response = RedirectResponse(target, status_code=303, headers=PRIVATE)
        if pass_too:
            response.set_cookie(
                _cookie_name(scope), self._pass, path=self._path, httponly=True, samesite="strict"
            )
        return response


def _page(scope: Scope) -> Response:
    headers = Headers(scope=scope)
    came_by_link = (
        scope["method"] == "GET"
        and headers.get("sec-fetch-mode") == "navigate"
        and headers.get("sec-fetch-site") == "cross-site"
    )
    return HTMLResponse(_ONCE_MORE if came_by_link else _REFUSAL, status_code=403, headers=PRIVATE)


def _key_of(scope: Scope) -> str | None:
    """The key in the address of a page that is asked for."""
    if scope["type"] != "http" or scope["method"] not in {"GET", "HEAD"}:
        return None
    return QueryParams(scope["query_string"]).get(KEY_PARAMETER)


def _cookie_name(scope: Scope) -> str:
    """With the port as the browser sees it, which a tunnel may have changed."""
    port = Headers(scope=scope).get("host", "").rpartition(":")[2]
    return f"medsym_{port if port.isascii() and port.isdecimal() else 80}"


def _cookies(scope: Scope, name: str) -> list[str]:
    """All of that name: a page on another port can add one, and must not hide the right one."""
    parts = ";".join(Headers(scope=scope).getlist("cookie")).split(";")
    pairs = [part.strip().partition("=") for part in parts]
    return [value for key, _, value in pairs if key == name]


def _is_same(given: str, wanted: str) -> bool:
    """Compared in constant time, which tells nobody how much of it is right."""
    return hmac.compare_digest(given.encode(), wanted.encode())
