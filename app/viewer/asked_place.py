"""Leads a reader after the login to the page and case that were asked for before it.

Streamlit sends everybody to its first page. The browser keeps what it asked for last in a cookie of
its own. An address is never taken from there: page and case are read from it, and the address is
made anew from what they may be, so that nobody is led to another server.
"""

import re
from collections.abc import Collection
from urllib.parse import parse_qsl, quote, unquote, urlencode

from starlette.datastructures import Headers, MutableHeaders
from starlette.requests import cookie_parser
from starlette.types import ASGIApp, Message, Receive, Scope, Send

from app.viewer.routes import route_base
from medsym.commands.view_access import CALLBACK

LOG_OUT = "/auth/logout"  # Streamlit's, below the base path
COOKIE = "medsym_place"
SECONDS = 3600  # for the way through the provider
LONGEST = 1024  # characters of an address

_PAGE = re.compile(r"[a-z]{0,20}")


class AskedPlace:
    """Remember which page a browser asks for, and go there once it comes back from the provider.

    Args:
        app: what is behind it.
        keys: of the address that say what a page shows.
        base_path: of the server, without slashes at its ends.
    """

    def __init__(self, app: ASGIApp, *, keys: Collection[str], base_path: str = "") -> None:
        self._app, self._keys, self._base = app, frozenset(keys), route_base(base_path)

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return

        async def send_with_place(message: Message) -> None:
            if message["type"] == "http.response.start":
                self._change(scope, MutableHeaders(raw=message.setdefault("headers", [])))
            await send(message)

        await self._app(scope, receive, send_with_place)

    def _change(self, scope: Scope, headers: MutableHeaders) -> None:
        path, asked = scope["path"], Headers(scope=scope)
        if path == f"{self._base}{CALLBACK}":
            kept = cookie_parser(asked.get("cookie", "")).get(COOKIE, "")
            place = self._place(unquote(kept))
            if place and headers.get("location") == f"{self._base}/":
                headers["location"] = place
        elif path == f"{self._base}{LOG_OUT}":
            headers.append("set-cookie", self._cookie("", seconds=0))
        elif "text/html" in asked.get("accept", ""):
            place = self._place(f"{path}?{scope['query_string'].decode('latin-1')}")
            if place:
                headers.append("set-cookie", self._cookie(quote(place, safe=""), seconds=SECONDS))

    def _place(self, address: str) -> str:
        """The address of a page of this viewer that is meant, made anew; "" for none."""
        if len(address) > LONGEST or not address.startswith(f"{self._base}/"):
            return ""
        path, _, query = address.removeprefix(f"{self._base}/").partition("?")
        if not _PAGE.fullmatch(path):
            return ""
        pairs = [(key, value) for key, value in parse_qsl(query) if key in self._keys]
        return f"{self._base}/{path}" + (f"?{urlencode(pairs)}" if pairs else "")

    def _cookie(self, value: str, *, seconds: int) -> str:
        path = self._base or "/"
        return f"{COOKIE}={value}; Path={path}; Max-Age={seconds}; HttpOnly; SameSite=Lax"
