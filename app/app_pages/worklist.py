"""Work list: every scan of the folder, the rarest first, refused scans with their reason."""

import hashlib
import math
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import draft_state, state
from app.app_pages.verdict_form import show_stale, unsaved_words
from app.cohort import WorklistRow, read_worklist
from app.export import export_of
from app.reading import FILTERS, Status, select_rows, statuses
from app.viewer.pictures import picture_url
from medsym.errors import MedsymError
from medsym.screening.case_words import sides_words
from medsym.screening.reviews import Reviews, read_reviews
from medsym.upwards import bound_up, figures_up

HEIGHT_PX, HEADER_PX, ROW_PX = 540, 38, 92  # of the table: at most, its header, a row
PICTURE_PX, CASE_PX = 84, 200  # widths of the small pictures and of the names, which wrap
OPEN_KEY = "o"
PICTURE = "Picture"
UNSAVED = ", not saved"
COLUMNS = {
    "p_value": ("p-value", "%.6g"),
    "q_value": ("q-value", "%.6g"),
    "num_findings": ("Findings", "%d"),
    "deviation_max": ("Deviation (SD)", "%.1f"),
    "pathology_ml": ("Pathology (ml)", "%.1f"),
    "share_beyond_bound": ("Beyond bound", "%.2f"),
    "bound_max": ("Bound (nats)", "%.6g"),
    "symmetric_score": ("Symmetric score", "%.2f"),
    "midplane_score": ("Mid-plane score", "%.2f"),
}
P_VALUES = ("p_value", "q_value")
CAPTION = (
    "Click a row, or move to it with the arrow keys, to open another case than the first."
    " Pictures show the slice through the leading place, the patient's right on the left. p-value:"
    " how often a healthy scan deviates as far anywhere. q-value: the share of healthy ones to be"
    " expected among the cases down to this row. Healthy are the cases named under Compared with;"
    " for the shipped model these are synthetic subjects, not people, and a q-value then promises"
    " nothing about people. Disease that is equal on both sides shows only in the symmetric score."
)


def page() -> None:
    """Draw the page."""
    folder = state.result_folder()
    if folder is None:
        st.info(state.nothing_to_show())
        return
    try:
        rows = read_worklist(folder)
        reviews = read_reviews(folder)
        known = {row.case for row in rows}
        read = statuses(folder, [said for said in reviews.verdicts if said.case in known])
    except MedsymError as error:
        st.error("The result folder cannot be shown.")
        st.text(str(error))
        return
    _counts(rows, read)
    if rows:
        shown = _filter(rows, read, reviews=reviews, folder=folder)
        state.list_cases([row.case for row in shown if row.case])
        _unsaved()
        _table(shown, read, folder=folder, key=_table_key(shown))
        if reviews.unreadable:
            st.caption(f"{reviews.unreadable} lines of the reviews could not be read.")


def _counts(rows: Sequence[WorklistRow], read: Mapping[str, Status]) -> None:
    counts = [
        (label, sum(row.status == status for row in rows))
        for label, status in (
            ("Assessed", "assessed"),
            ("Not assessable", "not assessable"),
            ("Refused", "refused"),
        )
    ]
    known = {row.case for row in rows}
    counts.append(("Read", sum(bool(read[case].readers) for case in read if case in known)))
    cells = "".join(f"<div><dt>{label}</dt><dd>{count}</dd></div>" for label, count in counts)
    st.markdown(f'<dl class="medsym-facts">{cells}</dl>', unsafe_allow_html=True)


def _filter(
    rows: Sequence[WorklistRow], read: Mapping[str, Status], *, reviews: Reviews, folder: Path
) -> list[WorklistRow]:
    """Search box, filters and the export of verdicts; returns the rows to show."""
    reader = state.reader()
    with st.container(horizontal=True, vertical_alignment="center"):
        search = st.text_input(
            "Search",
            key="search",
            placeholder="Search by case name",
            label_visibility="collapsed",
            width=260,
        )
        filters = st.pills(
            "Show only",
            FILTERS,
            key="filters",
            selection_mode="multi",
            label_visibility="collapsed",
            width="content",
        )
        shown = select_rows(rows, search=search, filters=filters, read=read, reader=reader)
        st.text(f"{len(shown)} of {len(rows)}" + (f"; unread: by {reader}" if reader else ""))
        st.download_button(
            "Verdicts (TSV)",
            export_of(reviews, folder=folder),
            file_name="medsym_verdicts.tsv",
            mime="text/tab-separated-values",
            key="export",
            disabled=not reviews.verdicts,
            on_click="ignore",
        )
    return shown


def _unsaved() -> None:
    """What was entered on the review page and not saved, with a button that saves it."""
    drafts = list(draft_state.drafts())
    stale = [draft for draft in drafts if draft.is_stale]
    waiting = [draft for draft in drafts if draft not in stale]
    if waiting:
        with st.container(horizontal=True, vertical_alignment="center"):
            st.button("Save all verdicts", key="save_all", on_click=draft_state.save_all)
            st.text(f"Verdicts not saved yet: {unsaved_words(waiting)}")
    draft_state.show_errors(waiting)
    show_stale(stale)


def _table_key(rows: Sequence[WorklistRow]) -> str:
    """Other rows are another table, with no row clicked: a click is on a place, not on a name."""
    names = "\n".join(row.case or row.file for row in rows)
    return f"worklist_{hashlib.sha256(names.encode('utf-8', 'replace')).hexdigest()[:12]}"


def _pictures(rows: Sequence[WorklistRow], *, folder: Path) -> list[str | None]:
    """Addresses of the small pictures; the browser fetches those of the rows that are in sight."""
    token, base = state.folder_token(folder), state.base_path()
    return [
        picture_url(token, row.case, base_path=base) if row.status == "assessed" else None
        for row in rows
    ]


def _shown(name: str, value: float) -> float:
    """A number of the table; what is rounded up is cut to its two figures here."""
    if name == "bound_max" and value > 0:
        return bound_up(value)
    return figures_up(value) if name in P_VALUES and math.isfinite(value) else value


def _side(row: WorklistRow) -> str:
    """The result in the words of index.html, or else where the largest deviation is.

    Nothing is known of findings where there is none and where an earlier version wrote the table.
    """
    largest = f"largest on the {row.side}" if row.side else ""
    return sides_words(row.finding_sides) or largest


def _frame(
    rows: Sequence[WorklistRow], read: Mapping[str, Status], *, folder: Path
) -> pd.DataFrame:
    """The table as it is shown."""
    unread = Status()
    unsaved = set(draft_state.drafts().cases(folder))
    found = [read.get(row.case, unread) for row in rows]
    numbers = {
        title: [_shown(name, row.numbers[name]) for row in rows]
        for name, (title, _) in COLUMNS.items()
    }
    return pd.DataFrame(
        {
            PICTURE: _pictures(rows, folder=folder),
            "Case": [row.names for row in rows],
            "Review": [
                (status.word + (UNSAVED if row.case in unsaved else "")) if row.case else ""
                for row, status in zip(rows, found, strict=True)
            ],
            "Status": [row.status for row in rows],
            "Side": [_side(row) for row in rows],
            **numbers,
            "Compared with": [row.calibration for row in rows],
            "Readers": [", ".join(status.readers) for status in found],
            "Remarks": [row.remarks for row in rows],
        }
    )


def _table(
    rows: Sequence[WorklistRow], read: Mapping[str, Status], *, folder: Path, key: str
) -> None:
    if not rows:
        st.info("No scan fits. Clear the search or a filter.")
        return
    chosen = st.dataframe(
        _frame(rows, read, folder=folder),
        key=key,
        hide_index=True,
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        height=min(HEIGHT_PX, HEADER_PX + ROW_PX * len(rows)),
        row_height=ROW_PX,
        placeholder="\u2013",
        column_config={
            PICTURE: st.column_config.ImageColumn(PICTURE, width=PICTURE_PX, pinned=True),
            "Case": st.column_config.TextColumn("Case", width=CASE_PX, pinned=True),
        }
        | {
            title: st.column_config.NumberColumn(title, format=pattern)
            for title, pattern in COLUMNS.values()
        },
    )
    row = rows[_selected(chosen["selection"])]
    open_label = f"Open {row.case}" if row.case else "This scan was refused"
    opened = st.button(
        open_label,
        key="open",
        type="primary",
        disabled=not row.case,
        shortcut=OPEN_KEY,
        on_click=state.choose_case,  # the case that was named on the button when it was clicked
        args=(row.case,),
    )
    if opened:
        st.switch_page("app_pages/review.py")
    st.caption(CAPTION)


def _selected(selection: Mapping[str, Any]) -> int:
    """Row of the clicked cell or ticked row; the first row before anything is clicked."""
    places = [int(row) for row, _ in selection.get("cells", [])] + list(selection["rows"])
    return int(places[0]) if places else 0


page()
