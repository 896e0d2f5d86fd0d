"""HTTP side of the viewer: volumes behind tokens, the browser modules."""

import hashlib
import mimetypes
from pathlib import Path

from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.viewer.store import VolumeStore

WEB = Path(__file__).parent / "web"
PREFIX = "medsym"  # routes start with this, under the server's base path
PRIVATE_HEADERS = {
    "Cache-Control": "private, no-store",
    "Referrer-Policy": "no-referrer",
    "X-Content-Type-Options": "nosniff",
}


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
WEB_VERSION = hashlib.sha256(b"".join(body for body, _ in WEB_FILES.values())).hexdigest()[:12]


def volume_url(token: str, *, base_path: str) -> str:
    """Address of a volume, absolute on this server."""
    return f"{route_base(base_path)}/{PREFIX}/volumes/{token}"


def web_url(*, base_path: str) -> str:
    """Folder of the browser modules; it changes whenever one of them changes."""
    return f"{route_base(base_path)}/{PREFIX}/web/{WEB_VERSION}"


def viewer_routes(store: VolumeStore, *, base_path: str = "") -> list[Route]:
    """Routes of the viewer, for `st.App(routes=...)`."""

    async def volume(request: Request) -> Response:
        body = store.get(request.path_params["token"])
        if body is None:
            return PlainTextResponse("no such volume", status_code=404, headers=PRIVATE_HEADERS)
        headers = PRIVATE_HEADERS | {"Content-Encoding": "gzip"}
        return Response(body, media_type="application/octet-stream", headers=headers)

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
        Route(f"{base}/{PREFIX}/web/{{version}}/{{name}}", web, methods=["GET"]),
    ]


def route_base(base_path: str) -> str:
    """What every route starts with: the server's base path, or nothing."""
    stripped = base_path.strip("/")
    return f"/{stripped}" if stripped else ""
