"""What the reader of this session entered and did not save, in `st.session_state`."""

import hashlib
from collections.abc import Iterable
from dataclasses import replace
from pathlib import Path

import streamlit as st

from app import identity, state
from app.drafts import Draft, Drafts
from medsym.errors import MedsymError
from medsym.screening.reviews import NONE, Verdict

DRAFTS_KEY = "drafts"
SAVED_KEY = "saved"  # how many drafts the last saving kept


def drafts() -> Drafts:
    """What this session's reader entered and did not save."""
    found = st.session_state.setdefault(DRAFTS_KEY, Drafts())
    if not isinstance(found, Drafts):  # another version of this module made it
        found = st.session_state[DRAFTS_KEY] = Drafts()
    return found


def place_of(blank: Draft) -> str:
    """End of the keys of a line's widgets: another folder, record or reader has other widgets."""
    folder = hashlib.sha256(str(blank.root).encode()).hexdigest()[:12]  # keys go to the browser
    about = blank.entered
    return f"{folder}_{about.case}_{about.record_sha256}_{about.reader}_{about.finding or 'case'}"


@identity.for_who_is_in
def note_draft(blank: Draft, kept: Verdict | None) -> None:
    """Remember what stands in a line of the form for verdicts; called when it changes.

    Args:
        blank: what the line is about.
        kept: the last saved word about it.
    """
    place = place_of(blank)
    word = st.session_state.get(f"verdict_{place}") or NONE
    comment = str(st.session_state.get(f"comment_{place}") or "")
    entered = replace(blank.entered, verdict=word, comment=comment)
    drafts().note(replace(blank, entered=entered), kept=kept)


@identity.for_who_is_in
def save_case(root: Path, case: str, reader: str) -> None:
    """Save what a reader entered about a case, as the effect of a button.

    Where another case was chosen meanwhile nothing is done, and what was entered stays a draft: the
    button of the last form takes its key until the next form is drawn, which waits for the planes.
    """
    if (root, case) != (state.result_folder(), state.chosen_case()):
        return
    _save(drafts().of(root, case=case, reader=reader))


@identity.for_who_is_in
def save_all() -> None:
    """Save every draft of the session, each into its own folder, as the effect of a button."""
    _save(drafts())


def _save(wanted: Iterable[Draft]) -> None:
    st.session_state[SAVED_KEY] = 0
    known = state.known_reader()
    for draft in wanted:
        if known not in (None, draft.entered.reader):
            drafts().refuse(draft, f"{draft.entered.reader} entered this; you are {known}.")
            continue
        try:
            st.session_state[SAVED_KEY] += drafts().save(draft)
        except MedsymError as error:
            drafts().refuse(draft, str(error))


@identity.for_who_is_in
def drop(unwanted: Iterable[Draft]) -> None:
    """Forget drafts, as the effect of a button."""
    for draft in unwanted:
        drafts().drop(draft)


def drop_folder(root: Path) -> None:
    """Forget every draft about a result folder that is to be removed."""
    drop([draft for draft in drafts() if draft.root == root])


def saved_words() -> str:
    """What the last saving did."""
    number = st.session_state.get(SAVED_KEY, 0)
    return f"Saved: {number} new." if number else "Nothing new to save."


def show_errors(unsaved: Iterable[Draft]) -> None:
    """Say why drafts could not be saved, each reason once."""
    for text in dict.fromkeys(filter(None, map(drafts().error, unsaved))):
        st.error("This was not kept.")
        st.text(text)
