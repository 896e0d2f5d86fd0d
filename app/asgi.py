"""Entry of the viewer's server: `streamlit run app/asgi.py -- RESULT_FOLDER`.

The Streamlit script is main.py beside this file; here are the routes and guards around it.
"""

import sys
from pathlib import Path

import pandas as pd  # noqa: F401  with what follows here it is loaded before a page is asked for
import streamlit as st
from starlette.middleware import Middleware

sys.path.append(str(Path(__file__).resolve().parents[1]))  # `import app` from a plain checkout

from app import cohort, state
from app.viewer import payload
from app.viewer.pictures import picture_routes
from app.viewer.routes import LoopbackOnly, PrivateHeaders, viewer_routes

#: Modules of the pages: what they import takes longer than to draw them.
PAGES_USE = (cohort, payload)

app = st.App(
    Path(__file__).with_name("main.py"),
    lifespan=state.while_serving,
    routes=[
        *viewer_routes(state.STORE, base_path=state.base_path()),
        *picture_routes(state.folder_of, base_path=state.base_path()),
    ],
    middleware=[
        *([] if state.is_behind_proxy() else [Middleware(LoopbackOnly)]),
        Middleware(PrivateHeaders),
    ],
)
