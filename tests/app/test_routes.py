"""The server side: volumes only with a token, requests only from this machine."""

import asyncio
import gzip
from typing import Any

import pytest
from starlette.applications import Starlette
from starlette.middleware import Middleware

from app.viewer.guards import KnownCallers, PrivateHeaders
from app.viewer.routes import (
    WEB_FILES,
    WEB_VERSION,
    viewer_routes,
    volume_url,
    web_url,
)
from app.viewer.store import VolumeStore

SVG_NAME = b"http://www.w3.org/2000/svg"  # what elements of a drawing are called; never asked for


def make_app(store: VolumeStore, *, base_path: str = "") -> Starlette:
    return Starlette(
        routes=viewer_routes(store, base_path=base_path),
        middleware=[Middleware(KnownCallers), Middleware(PrivateHeaders)],
    )


def request(
    app: Starlette,
    path: str,
    *,
    client: str = "127.0.0.1",
    host: str = "localhost:8501",
    kind: str = "http",
) -> tuple[int, dict[str, str], bytes]:
    """Status, headers and body of one request, without a server."""
    sent: list[dict[str, Any]] = []
    scope = {"type": kind, "method": "GET", "path": path, "raw_path": path.encode()} | {
        "query_string": b"",
        "headers": [(b"host", host.encode())],
        "client": (client, 50000),
        "server": ("127.0.0.1", 8501),
        "scheme": "http",
        "root_path": "",
        "http_version": "1.1",
    }

    async def receive() -> dict[str, Any]:
        return {"type": "http.request", "body": b"", "more_body": False}

    async def send(message: dict[str, Any]) -> None:
        sent.append(message)

    asyncio.run(app(scope, receive, send))
    if sent[0]["type"] == "websocket.close":
        return sent[0]["code"], {}, b""
    headers = {name.decode(): value.decode() for name, value in sent[0]["headers"]}
    return sent[0]["status"], headers, b"".join(part.get("body", b"") for part in sent[1:])


@pytest.fixture
def store() -> VolumeStore:
    return VolumeStore()


def test_volume_is_private_and_gzip(store: VolumeStore) -> None:
    token = store.put(gzip.compress(b"voxels"), digest="d", session="s")
    status, headers, body = request(make_app(store), volume_url(token, base_path=""))
    assert status == 200
    assert headers["cache-control"] == "private, no-store"
    assert headers["referrer-policy"] == "no-referrer"
    assert headers["content-encoding"] == "gzip"
    assert gzip.decompress(body) == b"voxels"


def test_wrong_token_is_not_found(store: VolumeStore) -> None:
    store.put(b"a", digest="d", session="s")
    status, headers, body = request(make_app(store), volume_url("x" * 43, base_path=""))
    assert status == 404
    assert headers["cache-control"] == "private, no-store"
    assert b"x" * 43 not in body


def test_routes_follow_the_base_path(store: VolumeStore) -> None:
    token = store.put(gzip.compress(b"v"), digest="d", session="s")
    app = make_app(store, base_path="/clinic/")
    assert request(app, volume_url(token, base_path="clinic"))[0] == 200
    assert request(app, volume_url(token, base_path=""))[0] == 404
    assert request(app, f"{web_url(base_path='clinic')}/viewer.js")[0] == 200


def test_only_the_viewers_own_modules_are_served(store: VolumeStore) -> None:
    app = make_app(store)
    status, headers, body = request(app, f"{web_url(base_path='')}/viewer.js")
    assert (status, body) == (200, WEB_FILES["viewer.js"][0])
    assert headers["content-type"].startswith("text/javascript")
    for name in ("../routes.py", "..%2froutes.py", "routes.py", "/etc/passwd"):
        assert request(app, f"/medsym/web/{WEB_VERSION}/{name}")[0] == 404


@pytest.mark.parametrize("client", ["192.168.0.7", "10.1.2.3", "fe80::1", "not an address"])
def test_other_machines_are_refused(store: VolumeStore, client: str) -> None:
    token = store.put(b"a", digest="d", session="s")
    assert request(make_app(store), volume_url(token, base_path=""), client=client)[0] == 403
    assert request(make_app(store), "/_stcore/stream", client=client, kind="websocket")[0] == 1008


def test_a_foreign_host_name_for_this_machine_is_refused(store: VolumeStore) -> None:
    path = f"{web_url(base_path='')}/viewer.js"
    for host in ("evil.example:8501", "127.0.0.1.evil.example", "localhost.evil.example:80"):
        assert request(make_app(store), path, host=host)[0] == 403
    for host in ("localhost:8501", "127.0.0.1", "[::1]:8501"):
        assert request(make_app(store), path, host=host)[0] == 200


def test_browser_modules_name_no_other_server() -> None:
    for name, (body, _) in WEB_FILES.items():
        assert b"://" not in body.replace(SVG_NAME, b""), name
