"""The reader's verdict on a case and its findings: a form, kept beside the results."""

from collections.abc import Mapping, Sequence
from typing import Any

import streamlit as st

from app import state
from app.reading import WORDS
from app.results import Case, seal_of
from medsym.errors import MedsymError
from medsym.screening.reviews import (
    MAX_COMMENT,
    MAX_READER,
    NONE,
    Verdict,
    add_verdict,
    can_be_kept,
    read_reviews,
    reader_name,
)

CHOICES = ("accept", "reject", "unsure")
HELP = (
    "Accept: I agree with what is shown here. Reject: I do not. Every reader has a file of their"
    " own in the folder reviews beside the results; nothing in it is ever overwritten."
)


def verdict_form(case: Case) -> None:
    """Draw the form for the reader of this browser session."""
    with st.expander("Reader's verdict", expanded=True):
        if not can_be_kept(case.root):
            st.text("Verdicts cannot be kept here: the result folder cannot be written.")
            return
        reader = _reader()
        said = [
            verdict for verdict in read_reviews(case.root).verdicts if verdict.case == case.name
        ]
        if reader:
            _form(case, reader=reader, said=[own for own in said if own.reader == reader])
            _others([other for other in said if other.reader != reader], seal=seal_of(case.record))


def _reader() -> str:
    """Name of the reader, remembered for this session only; "" before it is given."""
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


def _form(case: Case, *, reader: str, said: Sequence[Verdict]) -> None:
    seal = seal_of(case.record)
    subjects: list[Mapping[str, Any] | None] = [None]
    if case.assessable:
        subjects += list(case.record.get("findings", []))
    known = {verdict.finding: verdict for verdict in said if verdict.record_sha256 == seal}
    if any(verdict.record_sha256 != seal for verdict in said):
        st.text("You read this case before it was screened again; those words stay in your file.")
    with st.form(f"verdicts_{case.name}_{seal}_{reader}", border=False):
        entered = [_row(subject, case=case, reader=reader, known=known) for subject in subjects]
        sent = st.form_submit_button("Save verdicts", type="primary", key="save_verdicts")
    if sent:
        _keep(case, entered, known=known)


def _row(
    finding: Mapping[str, Any] | None,
    *,
    case: Case,
    reader: str,
    known: Mapping[int | None, Verdict],
) -> Verdict:
    """One line of the form; returns what stands in it."""
    rank = None if finding is None else int(finding["rank"])
    before = known.get(rank)
    place = f"{case.name}_{seal_of(case.record)}_{reader}_{rank or 'case'}"
    shown = "Whole case" if finding is None else _finding_words(finding)
    label = "whole case" if rank is None else f"finding {rank}"  # labels are read as Markdown
    with st.container(horizontal=True, vertical_alignment="center"):
        with st.container(width=300):
            st.text(shown)
        chosen = st.segmented_control(
            f"Verdict, {label}",
            CHOICES,
            default=before.verdict if before and before.verdict != NONE else None,
            format_func=str.capitalize,
            key=f"verdict_{place}",
            label_visibility="collapsed",
            width="content",
        )
        comment = st.text_input(
            f"Comment, {label}",
            value=before.comment if before else "",
            key=f"comment_{place}",
            max_chars=MAX_COMMENT,
            placeholder="Comment",
            label_visibility="collapsed",
        )
    about = finding or {}
    return Verdict(
        reader=reader,
        case=case.name,
        finding=rank,
        verdict=chosen or NONE,
        comment=comment,
        record_sha256=seal_of(case.record),
        side=str(about.get("side", "")),
        structure=str(about.get("structure") or ""),
        peak_mm=tuple(float(value) for value in about.get("peak_mm", ())),
    )


def _finding_words(finding: Mapping[str, Any]) -> str:
    place = str(finding.get("structure") or "outside named structures").replace("-", " ").lower()
    side = str(finding.get("side", ""))
    return f"Finding {finding['rank']}: {place if side in place else f'{side}, {place}'}"


def _keep(case: Case, entered: Sequence[Verdict], *, known: Mapping[int | None, Verdict]) -> None:
    """Append what is new; a line that says what was said before is not said again."""
    nothing = Verdict(reader="", case="", finding=None, verdict=NONE)
    new = [
        verdict
        for verdict in entered
        if (verdict.verdict, verdict.comment)
        != (
            known.get(verdict.finding, nothing).verdict,
            known.get(verdict.finding, nothing).comment,
        )
    ]
    try:
        for verdict in new:
            add_verdict(case.root, verdict)
    except MedsymError as error:
        st.error("This was not kept.")
        st.text(str(error))
        return
    st.text(f"Kept: {len(new)} new." if new else "Nothing new to keep.")


def _others(said: Sequence[Verdict], *, seal: str) -> None:
    """What others said, closed at first: a second reading is worth more when it is independent."""
    shown = [verdict for verdict in said if verdict.record_sha256 == seal]
    if not shown or not st.checkbox(f"Show what other readers said ({len(shown)})", key="others"):
        return
    for verdict in shown:
        about = "whole case" if verdict.finding is None else f"finding {verdict.finding}"
        word = WORDS.get(verdict.verdict, "no verdict")
        st.text(f"{verdict.reader}, {about}: {word}. {verdict.comment}")
