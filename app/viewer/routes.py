"""HTTP side of the viewer: volumes behind tokens, the browser modules."""

import hashlib
import mimetypes
import re
from collections.abc import Awaitable, Callable, Mapping
from pathlib import Path

from starlette.requests import Request
from starlette.responses import JSONResponse, PlainTextResponse, Response
from starlette.routing import Route

from app.viewer.store import VolumeStore
from medsym.errors import MedsymError

WEB = Path(__file__).parent / "web"
PREFIX = "medsym"  # routes start with this, under the server's base path
PRIVATE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}
#: token -> what is said of the maps behind it, once they are there; None for an unknown token
MapsOf = Callable[[str], Awaitable[Mapping[str, object] | None]]


def _read_web() -> dict[str, tuple[bytes, str]]:
    """Browser modules by name, with their media type; read once, so that no path reaches a disk.

    Those of others (web/vendor) stand beside our own, so that one version covers them all.
    """
    mimetypes.add_type("text/javascript", ".js")
    return {
        path.name: (path.read_bytes(), mimetypes.guess_type(path.name)[0] or "text/plain")
        for path in sorted([*WEB.iterdir(), *(WEB / "vendor").glob("niivue-*")])
        if path.suffix in {".js", ".css", ".json"}
    }


WEB_FILES = _read_web()
_IMPORT = re.compile(r'^import [^;]*?from "\./([a-z0-9_]+\.js)"', re.MULTILINE)
WEB_VERSION = hashlib.sha256(b"".join(body for body, _ in WEB_FILES.values())).hexdigest()[:12]


def volume_url(token: str, *, base_path: str) -> str:
    """Address of a volume, absolute on this server."""
    return f"{route_base(base_path)}/{PREFIX}/volumes/{token}"


def maps_url(token: str, *, base_path: str) -> str:
    """Where the browser waits for the maps of a case, absolute on this server."""
    return f"{route_base(base_path)}/{PREFIX}/maps/{token}"


def web_url(*, base_path: str) -> str:
    """Folder of the browser modules; it changes whenever one of them changes."""
    return f"{route_base(base_path)}/{PREFIX}/web/{WEB_VERSION}"


def web_urls(*, base_path: str) -> list[str]:
    """Addresses of the modules that `viewer.js` imports, itself among them."""
    folder, found, names = web_url(base_path=base_path), [], ["viewer.js"]
    while names:
        name = names.pop()
        if name not in found:
            found.append(name)
            names += _IMPORT.findall(WEB_FILES[name][0].decode("utf-8"))
    return [f"{folder}/{name}" for name in found]


def viewer_routes(
    store: VolumeStore, *, base_path: str = "", maps_of: MapsOf | None = None
) -> list[Route]:
    """Routes of the viewer, for `st.App(routes=...)`.

    Args:
        store: volumes by token.
        base_path: the server's.
        maps_of: waits for the maps behind a token.
    """

    async def volume(request: Request) -> Response:
        body = store.get(request.path_params["token"])
        if body is None:
            return PlainTextResponse("no such volume", status_code=404, headers=PRIVATE_HEADERS)
        headers = PRIVATE_HEADERS | {"Content-Encoding": "gzip"}
        return Response(body, media_type="application/octet-stream", headers=headers)

    async def maps(request: Request) -> Response:
        try:
            found = None if maps_of is None else await maps_of(request.path_params["token"])
        except MedsymError as error:
            return PlainTextResponse(str(error), status_code=500, headers=PRIVATE_HEADERS)
        if found is None:
            return PlainTextResponse("no such maps", status_code=404, headers=PRIVATE_HEADERS)
        return JSONResponse(found, headers=PRIVATE_HEADERS)

    async def web(request: Request) -> Response:
        found = WEB_FILES.get(request.path_params["name"])
        if found is None or request.path_params["version"] != WEB_VERSION:
            return PlainTextResponse("no such file", status_code=404)
        return Response(
            found[0],
            media_type=found[1],
            headers={
                "Cache-Control": "private, max-age=86400",
                "X-Content-Type-Options": "nosniff",
            },
        )

    base = route_base(base_path)
    return [
        Route(f"{base}/{PREFIX}/volumes/{{token}}", volume, methods=["GET"]),
        Route(f"{base}/{PREFIX}/maps/{{token}}", maps, methods=["GET"]),
        Route(f"{base}/{PREFIX}/web/{{version}}/{{name}}", web, methods=["GET"]),
    ]


def route_base(base_path: str) -> str:
    """What every route starts with: the server's base path, or nothing."""
    stripped = base_path.strip("/")
    return f"/{stripped}" if stripped else ""
