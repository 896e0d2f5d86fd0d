"""What stands before every page and route: who may connect, by what name, with which headers."""

import ipaddress
import re
from collections.abc import Iterable
from urllib.parse import urlsplit

from starlette.responses import PlainTextResponse
from starlette.types import ASGIApp, Message, Receive, Scope, Send

LOCAL_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
MEDIA = "/media/"  # Streamlit's route of downloads, below the base path
#: Headers by which a request tells that it came through a proxy.
PROXY_HEADERS = re.compile(r"forwarded|x-forwarded-.+|x-real-ip|via")

_PLAIN_HOST = re.compile(r"[A-Za-z0-9.-]+(:\d+)?|\[[0-9A-Fa-f:.]+\](:\d+)?")
# Streamlit needs inline styles, and hands the glue of components over as modules from blobs.
_POLICY = {
    "default-src": "'self'",
    "script-src": "'self' blob:",
    "style-src": "'self' 'unsafe-inline'",
    "img-src": "'self' data: blob:",
    "font-src": "'self' data:",
    "media-src": "'self' data: blob:",
    "worker-src": "'self' blob:",
    "connect-src": "'self'",
    "object-src": "'none'",
    "base-uri": "'self'",
    "form-action": "'self'",
    "frame-ancestors": "'none'",
}
_HEADERS = {
    "referrer-policy": "no-referrer",
    "x-frame-options": "DENY",
    "x-content-type-options": "nosniff",
    "cross-origin-opener-policy": "same-origin",
    "cross-origin-resource-policy": "same-origin",
    "permissions-policy": "camera=(), geolocation=(), microphone=()",
    "x-robots-tag": "noindex, nofollow",
}


class KnownCallers:
    """Refuse every request that comes from elsewhere, or that calls this server by another name.

    The name (Host header) is checked so that a web page elsewhere cannot point a name of its own at
    this machine and read scans through the user's browser; the page that asks (Origin header), so
    that no other page, not even one of another program on this machine, asks at all. Streamlit
    would ask an outside service for this machine's address to judge a page that it does not know.

    Args:
        app: what is guarded.
        hosts: names by which the server may be called.
        networks: IP networks that may connect; None for all.
        origin: scheme, host and port of the only pages that may ask; None for those of the server,
            as the request calls it.
        is_direct: refuse what came through a proxy, since it hides who asks.
        user_header: header in which a proxy names the reader; it must be there once.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        hosts: Iterable[str] = LOCAL_NAMES,
        networks: Iterable[str] | None = ("127.0.0.0/8", "::1/128"),
        origin: str | None = None,
        is_direct: bool = True,
        user_header: str | None = None,
    ) -> None:
        self._app = app
        self._hosts = frozenset(host.lower() for host in hosts)
        self._networks = (
            None if networks is None else [ipaddress.ip_network(one) for one in networks]
        )
        self._origin, self._is_direct = origin, is_direct
        self._user_header = (user_header or "").lower().encode("latin-1")

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] not in {"http", "websocket"}:
            await self._app(scope, receive, send)
        elif self._knows(scope):
            await self._app(_as_own_page(scope), receive, send)
        else:
            await refuse(scope, receive, send, "This viewer does not answer you.")

    def _knows(self, scope: Scope) -> bool:
        hosts = [_host_name(host) for host in _values(scope, b"host")]
        return (
            self._is_near(scope)
            and len(hosts) <= 1
            and all(host in self._hosts for host in hosts)
            and self._is_own_page(scope)
            and len(_values(scope, self._user_header)) <= 1
            and not (self._is_direct and _is_proxied(scope))
        )

    def _is_own_page(self, scope: Scope) -> bool:
        origins, hosts = _values(scope, b"origin"), _values(scope, b"host")
        pages = [_address(origin) for origin in origins]
        if self._origin is not None:
            return all(page == _address(self._origin) for page in pages)
        return all(hosts and page and page == _address(f"{page[0]}://{hosts[0]}") for page in pages)

    def _is_near(self, scope: Scope) -> bool:
        if self._networks is None:
            return True
        try:
            caller = ipaddress.ip_address((scope.get("client") or ("",))[0])
        except ValueError:
            return False
        caller = getattr(caller, "ipv4_mapped", None) or caller
        return any(caller in network for network in self._networks)


class PrivateHeaders:
    """Add the headers that keep addresses and pages of patient data to this browser tab.

    The content security policy names this server alone: whatever a page holds, the browser asks
    nobody else.

    Args:
        app: what gets the headers.
        scripts: sources of inline scripts that may run, such as 'sha256-...'.
        is_https: whether users see https; cookies then never travel without it.
    """

    def __init__(
        self, app: ASGIApp, *, scripts: Iterable[str] = (), is_https: bool = False
    ) -> None:
        self._app = app
        self._policy = _POLICY | {"script-src": " ".join((_POLICY["script-src"], *scripts))}
        self._is_https = is_https

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""

        async def send_with_headers(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = self._headers(message.get("headers", []), scope)
            await send(message)

        await self._app(scope, receive, send_with_headers)

    def _headers(
        self, headers: Iterable[tuple[bytes, bytes]], scope: Scope
    ) -> list[tuple[bytes, bytes]]:
        added = _HEADERS | {"content-security-policy": self._policy_for(scope)}
        if MEDIA in scope["path"]:
            added |= {"cache-control": "private, no-store"}
        kept = [
            (name, value + b"; Secure" if self._is_https and name == b"set-cookie" else value)
            for name, value in headers
            if name.decode("latin-1").lower() not in added
        ]
        return kept + [(name.encode(), value.encode()) for name, value in added.items()]

    def _policy_for(self, scope: Scope) -> str:
        """The web socket is named, because not every browser counts it as 'self'."""
        hosts = [host for host in _values(scope, b"host") if _PLAIN_HOST.fullmatch(host)]
        sockets = [f"{kind}://{host}" for host in hosts for kind in ("ws", "wss")]
        policy = self._policy | {"connect-src": " ".join((_POLICY["connect-src"], *sockets))}
        return "; ".join(f"{name} {sources}" for name, sources in policy.items())


async def refuse(
    scope: Scope, receive: Receive, send: Send, words: str, *, status: int = 403
) -> None:
    """Answer a request in plain words instead of passing it on."""
    if scope["type"] == "websocket":
        await send({"type": "websocket.close", "code": 1008})
    else:
        await PlainTextResponse(words, status_code=status)(scope, receive, send)


def _values(scope: Scope, name: bytes) -> list[str]:
    return [value.decode("latin-1") for key, value in scope["headers"] if key == name]


def _host_name(host: str) -> str:
    name, separator, port = host.rpartition(":")
    bare = name if separator and port.isdigit() else host
    return bare.removeprefix("[").removesuffix("]").lower()


def _is_proxied(scope: Scope) -> bool:
    return any(PROXY_HEADERS.fullmatch(name.decode("latin-1")) for name, _ in scope["headers"])


def _address(origin: str) -> tuple[str, str, int] | None:
    """Scheme, host and port of a page; None for what is no address of one, such as "null"."""
    try:
        found = urlsplit(origin)
        port = found.port or {"http": 80, "https": 443}[found.scheme]
    except (ValueError, KeyError):
        return None
    return (found.scheme, found.hostname.lower(), port) if found.hostname else None


def _as_own_page(scope: Scope) -> Scope:
    """The request with the host that its page has: Streamlit compares them to the letter."""
    pages = [urlsplit(origin).netloc for origin in _values(scope, b"origin")]
    if not pages:
        return scope
    others = [(name, value) for name, value in scope["headers"] if name != b"host"]
    return {**scope, "headers": [*others, (b"host", pages[0].encode("latin-1"))]}
