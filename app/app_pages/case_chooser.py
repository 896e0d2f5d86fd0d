"""Choose the case of a page: previous, next, or by name."""

from typing import Any

import streamlit as st

from app import state
from app.results import unknown_case

_BOX = "case_box"
PREVIOUS_KEY, NEXT_KEY = "k", "j"  # the planes use n and p for findings


def choose(known: list[str]) -> str:
    """Case selector with previous and next; returns the chosen case.

    The widgets choose before the page runs (callbacks), so they always act on what is shown. A name
    that is not in the folder is never replaced by another patient's.

    Raises:
        OutputError: MS-161 the address names a case that this folder does not hold.
    """
    wanted = state.chosen_case()
    names = state.listed_cases(known, wanted=wanted)
    wanted = wanted or names[0]
    if wanted not in names:
        raise unknown_case(wanted)
    position = names.index(wanted)
    state.choose_case(wanted)
    st.session_state[_BOX] = wanted
    first, last = position == 0, position == len(names) - 1
    st.button(
        "Previous",
        key="previous",
        shortcut=PREVIOUS_KEY,
        disabled=first,
        **_choosing(names, position - 1),
    )
    st.selectbox(
        "Case",
        names,
        key=_BOX,
        on_change=lambda: state.choose_case(st.session_state[_BOX]),
        label_visibility="collapsed",
        width=240,
    )
    st.button(
        "Next", key="next", shortcut=NEXT_KEY, disabled=last, **_choosing(names, position + 1)
    )
    return wanted


def _choosing(names: list[str], position: int) -> dict[str, Any]:
    """Arguments of a button that chooses the case at a position of the list."""
    return {"on_click": state.choose_case, "args": (names[position % len(names)],)}
