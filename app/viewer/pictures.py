"""HTTP side of the work list: small pictures, fetched one by one as rows come into sight.

A table of 1,000 cases holds addresses only. An address starts with a token of the session, as those
of volumes do; the token stands for the result folder that the session shows.
"""

from collections.abc import Callable
from pathlib import Path

from starlette.concurrency import run_in_threadpool
from starlette.requests import Request
from starlette.responses import PlainTextResponse, Response
from starlette.routing import Route

from app.thumbnails import thumbnail
from app.viewer.routes import PREFIX, PRIVATE_HEADERS, route_base


def picture_url(token: str, case: str, *, base_path: str) -> str:
    """Address of the small picture of a case, absolute on this server."""
    return f"{route_base(base_path)}/{PREFIX}/pictures/{token}/{case}"


def picture_routes(folder_of: Callable[[str], Path | None], *, base_path: str = "") -> list[Route]:
    """Routes of the small pictures, for `st.App(routes=...)`.

    Args:
        folder_of: token -> result folder of its session; None for a token that is not valid.
        base_path: of the server.
    """

    async def picture(request: Request) -> Response:
        folder = folder_of(request.path_params["token"])
        body = None
        if folder is not None:
            body = await run_in_threadpool(thumbnail, folder, request.path_params["case"])
        if body is None:
            return PlainTextResponse("no such picture", status_code=404, headers=PRIVATE_HEADERS)
        return Response(body, media_type="image/jpeg", headers=PRIVATE_HEADERS)

    path = picture_url("{token}", "{case}", base_path=base_path)
    return [Route(path, picture, methods=["GET"])]
