"""What the pages share: the result folder, the chosen case, the store of volumes.

The only module that reads `st.session_state`, with draft_state.py beside it; command_line.py reads
the command line.
"""

from collections.abc import AsyncIterator
from contextlib import asynccontextmanager
from pathlib import Path

import streamlit as st
from streamlit.runtime import Runtime
from streamlit.runtime.scriptrunner import get_script_run_ctx

from app.admissions import Admissions, LogIn
from app.command_line import arguments
from app.pairing import forget_links
from app.thumbnails import forget_thumbnails
from app.uploads.download import download_url
from app.uploads.service import Uploads
from app.viewer.preparing import PREPARED
from app.viewer.store import VolumeStore

CASE_KEY = "case"
FINDING_KEY = "finding"
PRIOR_KEY = "prior"
READER_KEY = "reader"
KNOWN_READER_KEY = "known_reader"
LISTED_KEY = "listed"
OWN_KEY = "own_upload"
MAX_HOURS = 12.0  # of a log-in; Streamlit's own cookie would last for a month
FILTER_KEYS = ("search", "filters")


def _is_active(session: str) -> bool:
    return not Runtime.exists() or Runtime.instance().is_active_session(session)


ADMISSIONS = Admissions(is_active=_is_active, seconds_to_live=MAX_HOURS * 3600)


def is_admitted(session: str) -> bool:
    """Whether a session still lives and was let in."""
    return session in ADMISSIONS


PREPARED.looking.is_active = is_admitted
STORE = VolumeStore(is_active=is_admitted)
_FOLDERS = VolumeStore(is_active=is_admitted)  # result folders by token, for small pictures
MAPS = VolumeStore(is_active=is_admitted)  # names of what is prepared, by token
_OWNERS = VolumeStore(is_active=is_admitted)  # sessions by token, for their own results


def _forget_volumes(session: str) -> None:
    PREPARED.forget(session)
    forget_links()
    forget_thumbnails()
    for store in (STORE, _FOLDERS, MAPS, _OWNERS):
        store.forget(session)  # a page that still needs one asks for a new token


UPLOADS = Uploads(is_active=is_admitted, on_removed=_forget_volumes)


def cohort_folder() -> Path | None:
    """The folder that the viewer was started on, or None when none was named."""
    folder: Path | None = arguments().folder
    return folder.resolve() if folder is not None else None


def result_folder() -> Path | None:
    """The folder that this session looks at: of its own uploads, or the one it was started on."""
    return UPLOADS.results(session()) if shows_upload() else cohort_folder()


def other_folder_words(folder: Path) -> str:
    """What a result folder is called while the session looks at another one; "" for this one."""
    if folder == result_folder():
        return ""
    return "in the folder" if folder == cohort_folder() else "in your uploads"


def uploads() -> Uploads | None:
    """Uploads of all sessions, or None where the operator did not allow them."""
    return UPLOADS if arguments().upload else None


def shows_upload() -> bool:
    """Whether this session looks at what it uploaded itself."""
    own = uploads() and UPLOADS.results(session())
    return own is not None and (cohort_folder() is None or OWN_KEY in st.session_state)


def show_upload(*, own: bool) -> None:
    """Look at the uploads of this session, or at the folder; the chosen case is of the other."""
    for key in (OWN_KEY, CASE_KEY, PRIOR_KEY, LISTED_KEY):
        st.session_state.pop(key, None)
    for key in (CASE_KEY, PRIOR_KEY, FINDING_KEY):
        st.query_params.pop(key, None)
    if own:
        st.session_state[OWN_KEY] = True


def nothing_to_show() -> str:
    """What to do where there is no result folder."""
    if uploads() is None:
        return "No result folder was given. Start the viewer with: medsym view FOLDER"
    return "Nothing was analysed yet. Upload a scan on the page Upload."


@asynccontextmanager
async def while_serving(_app: object) -> AsyncIterator[None]:
    """Life of the server: what a killed one left goes at the begin, all uploads at the end."""
    UPLOADS.start()
    try:
        yield
    finally:
        UPLOADS.close()


def folder_token(folder: Path) -> str:
    """This session's token for the small pictures of a result folder."""
    name = str(folder)
    return _FOLDERS.put(name.encode(), digest=name, session=session())


def folder_of(token: str) -> Path | None:
    """The result folder behind a token; None if no living session has it."""
    return Path(name.decode()) if (name := _FOLDERS.get(token)) is not None else None


def download_address() -> str:
    """Where this session's browser gets the results of its uploads."""
    token = _OWNERS.put(session().encode(), digest=session(), session=session())
    return download_url(token, base_path=base_path())


def uploaded_results(token: str) -> Path | None:
    """The results of the uploads of the session that has a token; None without any."""
    return UPLOADS.results(owner.decode()) if (owner := _OWNERS.get(token)) is not None else None


def let_in(reader_known: str | None, *, log_in: LogIn | None = None) -> bool:
    """Admit this session, unless the log-in has ended; a known reader cannot take another name."""
    if not ADMISSIONS.let_in(session(), log_in):
        return False
    st.session_state[KNOWN_READER_KEY] = reader_known
    if reader_known is not None:
        remember_reader(reader_known)
    return True


def dismiss() -> None:
    """Admit this session no longer: its volumes and uploads are refused from now on."""
    ADMISSIONS.dismiss(session())
    st.session_state[KNOWN_READER_KEY] = None


def known_reader() -> str | None:
    """The reader's name as the login or the proxy says; None where it may be typed."""
    name: str | None = st.session_state.get(KNOWN_READER_KEY)
    return name


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
    return str(st.session_state.get(CASE_KEY) or "") or None


def choose_case(name: str) -> None:
    """Remember the case on review, also in the address: a reload must show the same patient."""
    st.session_state[CASE_KEY] = name
    if st.query_params.get(CASE_KEY) != name:
        st.query_params.pop(FINDING_KEY, None)
        st.query_params.pop(PRIOR_KEY, None)
        st.query_params[CASE_KEY] = name


def linked_finding() -> int | None:
    """Rank of the finding that the address names, if any."""
    text = st.query_params.get(FINDING_KEY, "")
    return int(text) if text.isdigit() else None


def chosen_prior() -> str | None:
    """The case to show beside the one on review, as the address names it."""
    return st.query_params.get(PRIOR_KEY) or None


def choose_prior(name: str | None) -> None:
    """Show a case beside the one on review, None for none; later cases follow this choice."""
    st.session_state[PRIOR_KEY] = name is not None
    if name is None:
        st.query_params.pop(PRIOR_KEY, None)
    elif st.query_params.get(PRIOR_KEY) != name:
        st.query_params[PRIOR_KEY] = name


def wants_prior() -> bool:
    """Whether the last case was shown beside another one, in this session."""
    return bool(st.session_state.get(PRIOR_KEY, False))


def reader() -> str:
    """Name of the reader of this session; "" before it was given."""
    return str(st.session_state.get(READER_KEY, ""))


def remember_reader(name: str) -> None:
    """Keep the reader's name for this session, on all pages."""
    st.session_state[READER_KEY] = name


def start_widget(key: str, value: object) -> None:
    """What a widget shows when it is drawn for the first time, or again after another page."""
    if key not in st.session_state:
        st.session_state[key] = value


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
