"""The reader's verdict on a case and its findings: what is entered is a draft until it is saved.

The form is no fragment: a comment that is left by a click on Next reaches the server together with
that click, and Streamlit would run the fragment alone and lose the click.
"""

import html
import string
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import streamlit as st

from app import draft_state, state
from app.drafts import Draft, said
from app.reading import WORDS
from app.results import Case, seal_of
from medsym.errors import MedsymError
from medsym.screening.reviews import (
    MAX_COMMENT,
    MAX_READER,
    NONE,
    Verdict,
    can_be_kept,
    read_reviews,
    reader_name,
)

CHOICES = ("accept", "reject", "unsure")
SAVE_KEY = "s"
HELP = (
    "Accept: I agree with what is shown here. Reject: I do not. Every reader has a file of their"
    " own in the folder reviews beside the results; nothing in it is ever overwritten."
)


def verdict_form(case: Case, *, key: str) -> None:
    """Draw the form for the reader of this browser session.

    Args:
        case: what is read; the form names it.
        key: of the form, which belongs to the case.
    """
    kept = [word for word in read_reviews(case.root).verdicts if word.case == case.name]
    title = f"Reader's verdict on {_plain(case.name)}"
    with st.container(key=key), st.expander(title, expanded=True):
        if not can_be_kept(case.root):
            st.text("Verdicts cannot be kept here: the result folder cannot be written.")
            return
        reader = _reader()
        if reader:
            whole = Draft(root=case.root, entered=_blank(None, case=case, reader=reader))
            place = draft_state.place_of(whole)
            own = [word for word in kept if word.reader == reader]
            _form(case, reader=reader, kept=own, place=place)
            others = [word for word in kept if word.reader != reader]
            _others(others, seal=seal_of(case.record), place=place)


def _plain(name: str) -> str:
    """A name where Streamlit reads Markdown."""
    return "".join(f"\\{sign}" if sign in string.punctuation else sign for sign in name)


def _reader() -> str:
    """Name of the reader, remembered for this session only; "" before it is given.

    Where a login or a proxy says who it is, nobody can give another name.
    """
    known = state.known_reader()
    if known is not None:
        st.text(f"Reader: {known}")
        st.caption(HELP)
        return known
    with st.container(horizontal=True, vertical_alignment="bottom"):
        text = st.text_input(
            "Reader",
            value=state.reader(),
            key="reader_box",
            max_chars=MAX_READER,
            placeholder="Your name",
            width=260,
        )
        st.caption(HELP)
    try:
        name = reader_name(text) if text.strip() else ""
    except MedsymError as error:
        st.text(str(error))
        name = ""
    state.remember_reader(name)
    if not name:
        st.caption("Give your name to say what you think of this case.")
    return name


def _form(case: Case, *, reader: str, kept: Sequence[Verdict], place: str) -> None:
    seal = seal_of(case.record)
    subjects: list[Mapping[str, Any] | None] = [None]
    if case.assessable:
        subjects += list(case.record.get("findings", []))
    known = {word.finding: word for word in kept if word.record_sha256 == seal}
    if any(word.record_sha256 != seal for word in kept):
        st.text("You read this case before it was screened again; those words stay in your file.")
    with st.container(key="verdict_rows"):
        for finding in subjects:
            blank = Draft(root=case.root, entered=_blank(finding, case=case, reader=reader))
            shown = "Whole case" if finding is None else _finding_words(finding)
            _row(blank, known.get(blank.entered.finding), shown=shown)
    _save(case, reader=reader, has_words=bool(known), place=place)


def _blank(finding: Mapping[str, Any] | None, *, case: Case, reader: str) -> Verdict:
    """Nothing said yet about the case or one of its findings."""
    about = finding or {}
    return Verdict(
        reader=reader,
        case=case.name,
        finding=None if finding is None else int(finding["rank"]),
        verdict=NONE,
        record_sha256=seal_of(case.record),
        side=str(about.get("side", "")),
        structure=str(about.get("structure") or ""),
        peak_mm=tuple(float(value) for value in about.get("peak_mm", ())),
    )


def _row(blank: Draft, kept: Verdict | None, *, shown: str) -> None:
    """One line of the form; what is entered becomes a draft at once."""
    word, comment = said(draft_state.drafts().find(blank) or kept)
    label = _subject_words(blank.entered.finding)  # labels are read as Markdown
    place = draft_state.place_of(blank)
    note: dict[str, Any] = {"on_change": draft_state.note_draft, "args": (blank, kept)}
    state.start_widget(f"verdict_{place}", None if word == NONE else word)
    state.start_widget(f"comment_{place}", comment)
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width=300):
            st.text(shown)
        st.segmented_control(
            f"Verdict, {label}",
            CHOICES,
            format_func=str.capitalize,
            key=f"verdict_{place}",
            label_visibility="collapsed",
            width="content",
            **note,
        )
        st.text_input(
            f"Comment, {label}",
            key=f"comment_{place}",
            max_chars=MAX_COMMENT,
            placeholder="Comment",
            label_visibility="collapsed",
            **note,
        )


def _subject_words(finding: int | None) -> str:
    return "whole case" if finding is None else f"finding {finding}"


def _finding_words(finding: Mapping[str, Any]) -> str:
    place = str(finding.get("structure") or "outside named structures").replace("-", " ").lower()
    side = str(finding.get("side", ""))
    return f"Finding {finding['rank']}: {place if side in place else f'{side}, {place}'}"


def _save(case: Case, *, reader: str, has_words: bool, place: str) -> None:
    """The button that saves this case, and what is not saved here and elsewhere."""
    drafts = draft_state.drafts()
    entered = drafts.of(case.root, case=case.name, reader=reader)
    seal = seal_of(case.record)
    here = [draft for draft in entered if draft.entered.record_sha256 == seal]
    with st.container(horizontal=True, vertical_alignment="center"):
        pressed = st.button(
            "Save verdicts",
            type="primary",
            key=f"save_verdicts_{place}",
            shortcut=SAVE_KEY,
            on_click=draft_state.save_case,
            args=(case.root, case.name, reader),
        )
        if here:
            words = ", ".join(_subject_words(draft.entered.finding) for draft in here)
            _status(f"Not saved yet: {words}. Kept while this browser page is open.", unsaved=True)
        elif pressed:
            _status(draft_state.saved_words())
        else:
            _status("Saved." if has_words else "Nothing entered yet.")
    show_stale([draft for draft in entered if draft not in here])
    elsewhere = [draft for draft in drafts if draft not in entered]
    if elsewhere:
        words = unsaved_words(elsewhere)
        _status(f"Also not saved: {words}. The work list saves them all.", unsaved=True)
    draft_state.show_errors(here)


def show_stale(drafts: Sequence[Draft]) -> None:
    """What was entered about records that are gone: to be read and copied, never saved."""
    if not drafts:
        return
    _status("Not saved, as the results were replaced after you had entered this:", unsaved=True)
    for draft in drafts:
        said_then = draft.entered
        about = f"{unsaved_words([draft])}, {_subject_words(said_then.finding)}, as it was then"
        st.text(f"{about}: {WORDS.get(said_then.verdict, 'no verdict')}. {said_then.comment}")
    st.button("Discard these words", key="discard", on_click=draft_state.drop, args=(drafts,))


def unsaved_words(drafts: Iterable[Draft]) -> str:
    """The cases of drafts, each once, with the folder and the reader where it is another one."""
    names = []
    for draft in drafts:
        about = [draft.entered.reader] if draft.entered.reader != state.reader() else []
        about += filter(None, [state.other_folder_words(draft.root)])
        names.append(draft.entered.case + (f" ({', '.join(about)})" if about else ""))
    return ", ".join(dict.fromkeys(names))


def _status(words: str, *, unsaved: bool = False) -> None:
    """A line that assistive technology reads out when it changes."""
    kind = "unsaved" if unsaved else "saved"
    st.markdown(
        f'<div class="medsym-{kind}" role="status">{html.escape(words)}</div>',
        unsafe_allow_html=True,
        width="content",
    )


def _others(words: Sequence[Verdict], *, seal: str, place: str) -> None:
    """What others said, closed at first: a second reading is worth more when it is independent."""
    shown = [verdict for verdict in words if verdict.record_sha256 == seal]
    title = f"Show what other readers said ({len(shown)})"
    if not shown or not st.checkbox(title, key=f"others_{place}"):  # each case asks for itself
        return
    for verdict in shown:
        about = _subject_words(verdict.finding)
        word = WORDS.get(verdict.verdict, "no verdict")
        st.text(f"{verdict.reader}, {about}: {word}. {verdict.comment}")
