"""Work list: every scan of the folder, the most unusual first, refused scans with their reason."""

import pandas as pd
import streamlit as st

from app import state
from app.results import WorklistRow, read_worklist
from medsym.errors import MedsymError

COLUMNS = {
    "deviation_max": ("Largest deviation (SD)", "%.1f"),
    "side": ("Side", None),
    "pathology_ml": ("Pathology (ml)", "%.1f"),
    "share_beyond_bound": ("Share beyond bound", "%.2f"),
    "bound_max": ("Largest bound", "%.2f"),
    "symmetric_score": ("Symmetric score", "%.2f"),
    "midplane_score": ("Mid-plane score", "%.2f"),
    "seconds": ("Seconds", "%.0f"),
}


def page() -> None:
    """Draw the page."""
    folder = state.result_folder()
    if folder is None:
        st.info("No result folder was given. Start the viewer with: medsym view FOLDER")
        return
    try:
        rows = read_worklist(folder)
    except MedsymError as error:
        st.error("The result folder cannot be shown.")
        st.text(str(error))
        return
    _counts(rows)
    if rows:
        _table(rows)


def _counts(rows: list[WorklistRow]) -> None:
    counts = [
        (label, sum(row.status == status for row in rows))
        for label, status in (
            ("Assessed", "assessed"),
            ("Not assessable", "not assessable"),
            ("Refused", "refused"),
        )
    ]
    cells = "".join(f"<div><dt>{label}</dt><dd>{count}</dd></div>" for label, count in counts)
    st.markdown(f'<dl class="medsym-facts">{cells}</dl>', unsafe_allow_html=True)


def _table(rows: list[WorklistRow]) -> None:
    frame = pd.DataFrame(
        {
            "Case": [row.case or row.file for row in rows],
            "Status": [row.status for row in rows],
            **{
                title: [row.side if name == "side" else row.numbers[name] for row in rows]
                for name, (title, _) in COLUMNS.items()
            },
            "Reason": [row.reason for row in rows],
        }
    )
    chosen = st.dataframe(
        frame,
        key="worklist",
        hide_index=True,
        on_select="rerun",
        selection_mode="single-row",
        height=min(620, 38 + 35 * len(rows)),
        placeholder="\u2013",
        column_config={
            title: st.column_config.NumberColumn(title, format=pattern)
            for title, pattern in COLUMNS.values()
            if pattern
        },
    )
    selected = chosen["selection"]["rows"]
    row = rows[selected[0]] if selected else rows[0]
    open_label = f"Open {row.case}" if row.case else "This scan was refused"
    if st.button(open_label, key="open", type="primary", disabled=not row.case):
        state.choose_case(row.case)
        st.switch_page("app_pages/review.py")
    st.caption(
        "Select a row to open another case. Deviation compares with healthy people and with the"
        " own mirror side; disease that is equal on both sides shows only in the symmetric score."
    )


page()
