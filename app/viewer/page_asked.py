"""What can be done the moment a browser asks for the page of a case, before the page runs.

Until its script has loaded and connected, a second or two go by: the case is read meanwhile, and
the browser loads the modules of the viewer beside those of the page.
"""

from collections.abc import Callable, Iterable
from urllib.parse import parse_qs

from starlette.types import ASGIApp, Message, Receive, Scope, Send

DOCUMENT = {b"", b"document"}  # what a page is asked for as; a picture in another page is not one


class PageAsked:
    """Begin with what the page of a case will need.

    Args:
        app: what answers.
        page: path of the page.
        scripts: addresses of the modules that the page loads.
        follow: told the name of the case, as the address has it: anybody may have written it; None
            where who asks is not known yet.
    """

    def __init__(
        self,
        app: ASGIApp,
        *,
        page: str,
        scripts: Iterable[str],
        follow: Callable[[str], None] | None,
    ) -> None:
        self._app, self._page, self._follow = app, page, follow
        links = (f"<{script}>; rel=modulepreload" for script in scripts)
        self._link = (b"link", ", ".join(links).encode("latin-1"))

    async def __call__(self, scope: Scope, receive: Receive, send: Send) -> None:
        """ASGI entry."""
        if scope["type"] != "http" or scope["path"] != self._page or scope["method"] != "GET":
            await self._app(scope, receive, send)
            return

        async def send_with_link(message: Message) -> None:
            if message["type"] == "http.response.start":
                message["headers"] = [*message.get("headers", []), self._link]
            await send(message)

        case = parse_qs(scope["query_string"].decode("latin-1")).get("case", [""])[0]
        if case and self._follow is not None and _is_page(scope):
            self._follow(case)
        await self._app(scope, receive, send_with_link)


def _is_page(scope: Scope) -> bool:
    return dict(scope["headers"]).get(b"sec-fetch-dest", b"") in DOCUMENT
