"""Work list: every scan of the folder, the most unusual first, refused scans with their reason."""

from collections.abc import Mapping
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.results import WorklistRow, read_worklist
from medsym.errors import MedsymError

COLUMNS = {
    "num_findings": ("Findings", "%d"),
    "deviation_max": ("Largest deviation (SD)", "%.1f"),
    "side": ("Side", None),
    "pathology_ml": ("Pathology (ml)", "%.1f"),
    "share_beyond_bound": ("Share beyond bound", "%.2f"),
    "bound_max": ("Largest bound (nats)", "%.2g"),
    "symmetric_score": ("Symmetric score", "%.2f"),
    "midplane_score": ("Mid-plane score", "%.2f"),
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
            "Reason": [row.reason for row in rows],
            **{
                title: [row.side if name == "side" else row.numbers[name] for row in rows]
                for name, (title, _) in COLUMNS.items()
            },
        }
    )
    chosen = st.dataframe(
        frame,
        key="worklist",
        hide_index=True,
        on_select="rerun",
        selection_mode=["single-row", "single-cell"],
        height=min(620, 38 + 35 * len(rows)),
        placeholder="\u2013",
        column_config={
            title: st.column_config.NumberColumn(title, format=pattern)
            for title, pattern in COLUMNS.values()
            if pattern
        },
    )
    row = rows[_selected(chosen["selection"])]
    open_label = f"Open {row.case}" if row.case else "This scan was refused"
    if st.button(open_label, key="open", type="primary", disabled=not row.case):
        state.choose_case(row.case)
        st.switch_page("app_pages/review.py")
    st.caption(
        "Click a row to open another case than the first. Deviation compares with the healthy"
        " reference of the model (synthetic subjects for the shipped one) and with the own mirror"
        " side; disease that is equal on both sides shows only in the symmetric score."
    )


def _selected(selection: Mapping[str, Any]) -> int:
    """Row of the clicked cell or ticked row; the first row before anything is clicked."""
    places = [int(row) for row, _ in selection.get("cells", [])] + list(selection["rows"])
    return int(places[0]) if places else 0


page()
