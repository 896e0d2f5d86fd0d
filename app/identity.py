"""Who reads: nobody in particular on one's own machine, else whom the provider or the proxy names.

No page is drawn, and no address of a volume given, before the reader is known; and no button of a
page does anything once the reader may not come in any more.
"""

import time
from collections.abc import Callable, Mapping
from functools import wraps
from typing import Any, ParamSpec

import streamlit as st

from app import command_line, state
from app.admissions import LogIn
from medsym.commands.view_access import Login
from medsym.commands.viewing import USER_KEY
from medsym.errors import MedsymError
from medsym.screening.reviews import reader_name

P = ParamSpec("P")


class _NotAdmittedError(Exception):
    """Why a reader is not let in, in words for the page."""


def admit() -> None:
    """Let the session in or draw the page that says why not, and stop there."""
    login = command_line.login()
    try:
        log_in = _let_in(login)
    except _NotAdmittedError as reason:
        state.dismiss()
        _refusal_page(str(reason), login)
        st.stop()
    if log_in is not None:
        _log_out_button(log_in.person)


def is_still_in() -> bool:
    """Whether who was let in may come in now, under the same name.

    For what Streamlit runs without `admit`: callbacks, which come before the script, and fragments.
    """
    if not state.is_admitted(state.session()):
        return False
    try:
        return _known_reader(command_line.login()) == state.known_reader()
    except (_NotAdmittedError, MedsymError):
        return False


def for_who_is_in(effect: Callable[P, None]) -> Callable[P, None]:
    """A callback that does nothing once its reader is out; `admit` says why right after it."""

    @wraps(effect)
    def guarded(*args: P.args, **kwargs: P.kwargs) -> None:
        if is_still_in():
            effect(*args, **kwargs)

    return guarded


def _known_reader(login: Login | None) -> str | None:
    """Name of the reader, or None where anybody may give a name of their own."""
    said: Mapping[str, Any] = st.user.to_dict()
    if login is not None:
        return _reader_of_login(said, login, now=time.time())
    if command_line.access().user_header:
        return _as_reader(said.get(USER_KEY), "The proxy did not say who you are.")
    return None


def _let_in(login: Login | None) -> LogIn | None:
    """Admit the session; returns its log-in, if its person has not ended it in another tab."""
    name = _known_reader(login)
    log_in = None
    if login is not None and name is not None:
        said: Mapping[str, Any] = st.user.to_dict()
        log_in = LogIn(person=name, issued=float(said["iat"]))
    if not state.let_in(name, log_in=log_in):
        raise _NotAdmittedError("You have logged out. Log in again to see the scans.")
    return log_in


def _log_out(name: str) -> None:
    """Everywhere: other tabs of a shared machine keep who they are until they are reloaded."""
    state.ADMISSIONS.log_out(name)
    st.logout()


def _reader_of_login(said: Mapping[str, Any], login: Login, *, now: float) -> str:
    if not said.get("is_logged_in"):
        raise _NotAdmittedError("Log in to see the scans.")
    issued = said.get("iat")
    if not isinstance(issued, int | float) or not 0 <= now - issued + 60 <= state.MAX_HOURS * 3600:
        raise _NotAdmittedError("Your login is too old. Log in again.")
    if login.claim == "email" and not _is_true(said.get("email_verified")):
        raise _NotAdmittedError("Your provider has not verified your e-mail address.")
    name = _as_reader(said.get(login.claim), "Your provider did not say who you are.")
    if not login.admits(name):
        raise _NotAdmittedError(f"{name} is not on the list of readers of this viewer.")
    return name


def _is_true(value: object) -> bool:
    """What a provider does not say is not verified: anybody could have typed it."""
    return value is True or value == "true"


def _as_reader(value: object, otherwise: str) -> str:
    try:
        return reader_name(value if isinstance(value, str) else "")
    except MedsymError:
        raise _NotAdmittedError(otherwise) from None


def _refusal_page(reason: str, login: Login | None) -> None:
    st.subheader("medsym")
    st.text(reason)
    if login is None:
        return
    with st.container(horizontal=True):
        st.button("Log in", type="primary", on_click=st.login)
        if st.user.to_dict().get("is_logged_in"):
            st.button("Log out", on_click=st.logout)


def _log_out_button(name: str) -> None:
    with st.container(key="account", horizontal=True, vertical_alignment="center"):
        st.text(name)
        st.button("Log out", key="log_out", type="tertiary", on_click=_log_out, args=(name,))
