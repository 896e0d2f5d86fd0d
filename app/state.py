"""What the pages share: the result folder, the chosen case, the store of volumes.

The only module that reads the command line or `st.session_state`.
"""

import argparse
import sys
from pathlib import Path

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.viewer.store import VolumeStore

CASE_KEY = "case"
FINDING_KEY = "finding"
READER_KEY = "reader"
LISTED_KEY = "listed"
FILTER_KEYS = ("search", "filters")


def _is_active(session: str) -> bool:
    return not Runtime.exists() or Runtime.instance().is_active_session(session)


STORE = VolumeStore(is_active=_is_active)


def _arguments() -> argparse.Namespace:
    """Arguments after `--` of `streamlit run app/asgi.py -- ...`; Streamlit leaves them in argv."""
    parser = argparse.ArgumentParser(prog="viewer", add_help=False, exit_on_error=False)
    parser.add_argument("folder", nargs="?", type=Path)
    parser.add_argument("--i-have-auth-proxy", action="store_true")
    return parser.parse_known_args(sys.argv[1:])[0]


def result_folder() -> Path | None:
    """The folder to show, or None when none was named."""
    folder: Path | None = _arguments().folder
    return folder.resolve() if folder is not None else None


def is_behind_proxy() -> bool:
    """Whether the operator stated that an authenticating proxy stands before this server."""
    return bool(_arguments().i_have_auth_proxy)


def base_path() -> str:
    """The server's base path, without slashes at its ends."""
    return str(st.get_option("server.baseUrlPath") or "").strip("/")


def session() -> str:
    """Identifier of the browser session that runs this script."""
    context = get_script_run_ctx()
    return context.session_id if context is not None else ""


def chosen_case() -> str | None:
    """The case on review: from the address first, so that a link opens a case, then remembered."""
    linked = st.query_params.get(CASE_KEY)
    if linked:
        st.session_state[CASE_KEY] = linked
    remembered = st.session_state.get(CASE_KEY)
    return str(remembered) if remembered else None


def choose_case(name: str) -> None:
    """Remember the case on review, also in the address: a reload must show the same patient."""
    st.session_state[CASE_KEY] = name
    if st.query_params.get(CASE_KEY) != name:
        st.query_params.pop(FINDING_KEY, None)
        st.query_params[CASE_KEY] = name


def linked_finding() -> int | None:
    """Rank of the finding that the address names, if any."""
    text = st.query_params.get(FINDING_KEY, "")
    return int(text) if text.isdigit() else None


def reader() -> str:
    """Name of the reader of this session; "" before it was given."""
    return str(st.session_state.get(READER_KEY, ""))


def remember_reader(name: str) -> None:
    """Keep the reader's name for this session, on all pages."""
    st.session_state[READER_KEY] = name


def keep_filters() -> None:
    """Keep what the work list is filtered by while another page is shown."""
    for key in FILTER_KEYS:
        if key in st.session_state:
            st.session_state[key] = st.session_state[key]


def list_cases(names: list[str]) -> None:
    """Remember the cases that the work list shows: previous and next step through these."""
    st.session_state[LISTED_KEY] = names


def listed_cases(names: list[str], *, wanted: str | None) -> list[str]:
    """The cases to step through: those of the work list if the wanted one is there, else all."""
    known = set(names)
    listed = [name for name in st.session_state.get(LISTED_KEY, []) if name in known]
    return listed if listed and wanted in {None, *listed} else names
