"""Entry of the viewer's server: `streamlit run app/asgi.py -- RESULT_FOLDER`.

The Streamlit script is main.py beside this file; here are the routes and guards around it.
"""

import sys
from collections.abc import AsyncIterator
from contextlib import asynccontextmanager, nullcontext
from pathlib import Path

import pandas as pd  # noqa: F401  with what follows here it is loaded before a page is asked for
import streamlit as st
from starlette.middleware import Middleware

sys.path.append(str(Path(__file__).resolve().parents[1]))  # `import app` from a plain checkout

from app import cohort, command_line, state  # noqa: F401  cohort as pandas
from app.parent import end_with_parent, leave_no_core
from app.scripts import script_hashes
from app.uploads.download import download_routes
from app.uploads.memory import SentFiles
from app.viewer.address_key import AddressKey
from app.viewer.asked_place import AskedPlace
from app.viewer.guards import KnownCallers, PrivateHeaders
from app.viewer.page_asked import PageAsked
from app.viewer.pictures import picture_routes
from app.viewer.routes import route_base, viewer_routes, web_urls
from app.viewer.upload_guard import AdmittedUploads
from app.volume_addresses import follow_link, maps_of
from medsym.commands.view_access import check_access
from medsym.commands.view_ready import give_sign


def _known_callers() -> Middleware:
    """Only this machine, unless the command line says who lets people in."""
    access, login = command_line.access(), command_line.login()
    if login is None and not access.behind_proxy:
        return Middleware(KnownCallers, hosts=command_line.own_names())
    check_access(access)
    hosts = {*access.allowed_hosts, *([login.host] if login else [])}
    hosts |= command_line.own_names()
    return Middleware(
        KnownCallers,
        hosts=hosts,
        networks=access.proxy_from or None,
        origin=login.origin if login else None,
        is_direct=False,
        user_header=access.user_header,
    )


def _entrance() -> list[Middleware]:
    """The way in: a key, a login or a proxy."""
    if entrance is not None:
        return [Middleware(AddressKey, key=entrance.key, base_path=state.base_path())]
    if command_line.login() is None:
        return []
    keys = (state.CASE_KEY, state.FINDING_KEY, state.PRIOR_KEY)
    return [Middleware(AskedPlace, keys=keys, base_path=state.base_path())]


@asynccontextmanager
async def _serving(served: object) -> AsyncIterator[None]:
    """Life of the server, which has its port by now: its address is said, or may be said."""
    give_sign()
    with entrance.tell() if entrance else nullcontext():
        async with state.while_serving(served):
            yield


command_line.check_environment()
entrance = command_line.entrance()
end_with_parent()
leave_no_core()

REVIEW = "review"  # address of the page of one case, as main.py names it
takes_files = command_line.arguments().upload

app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=_serving,
    routes=[
        *viewer_routes(state.STORE, base_path=state.base_path(), maps_of=maps_of),
        *picture_routes(state.folder_of, base_path=state.base_path()),
        *download_routes(state.uploaded_results, base_path=state.base_path()),
    ],
    middleware=[
        Middleware(PrivateHeaders, scripts=script_hashes(), is_https=command_line.is_https()),
        _known_callers(),
        *_entrance(),
        Middleware(
            PageAsked,
            page=f"{route_base(state.base_path())}/{REVIEW}",
            scripts=web_urls(base_path=state.base_path()),
            follow=follow_link if command_line.login() is None else None,
        ),
        Middleware(
            AdmittedUploads,
            is_admitted=state.is_admitted if takes_files else None,
            memory=SentFiles(),
        ),
    ],
)
