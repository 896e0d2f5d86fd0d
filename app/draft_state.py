"""What the reader of this session entered and did not save, in `st.session_state`."""

from dataclasses import replace
from pathlib import Path

import streamlit as st

from app.drafts import Drafts
from medsym.errors import MedsymError
from medsym.screening.reviews import NONE, Verdict

DRAFTS_KEY = "drafts"
SAVED_KEY = "saved"  # how many drafts the last saving kept
SAVE_ERROR_KEY = "save_error"


def drafts() -> Drafts:
    """What this session's reader entered and did not save."""
    found = st.session_state.setdefault(DRAFTS_KEY, Drafts())
    if not isinstance(found, Drafts):  # another version of this module made it
        found = st.session_state[DRAFTS_KEY] = Drafts()
    return found


def note_draft(blank: Verdict, kept: Verdict | None, place: str) -> None:
    """Remember what stands in a line of the form for verdicts; called when it changes.

    Args:
        blank: what the line is about.
        kept: the last saved word about it.
        place: end of the keys of the line's widgets.
    """
    word = st.session_state.get(f"verdict_{place}") or NONE
    comment = str(st.session_state.get(f"comment_{place}") or "")
    drafts().note(replace(blank, verdict=word, comment=comment), kept=kept)


def save_drafts(root: Path, *about: str) -> None:
    """Save drafts, as the effect of a button; what came of it is in the two functions below.

    Args:
        root: result folder.
        about: case and reader; nothing for every draft of the session.
    """
    wanted = drafts().of(case=about[0], reader=about[1]) if about else list(drafts())
    st.session_state[SAVED_KEY], st.session_state[SAVE_ERROR_KEY] = 0, ""
    for draft in wanted:
        try:
            drafts().save(root, draft)
            st.session_state[SAVED_KEY] += 1
        except MedsymError as error:
            st.session_state[SAVE_ERROR_KEY] = str(error)


def saved_words() -> str:
    """What the last saving did."""
    number = st.session_state.get(SAVED_KEY, 0)
    return f"Saved: {number} new." if number else "Nothing new to save."


def save_error() -> str:
    """Why the last saving left something unsaved; "" if it did not."""
    return str(st.session_state.get(SAVE_ERROR_KEY, ""))
