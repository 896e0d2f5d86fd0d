"""Review of one case: summary line, then the three planes."""

import hashlib
import html
import math
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.app_pages.case_chooser import choose
from app.app_pages.verdict_form import verdict_form
from app.frame import whole_height, with_cases
from app.results import Case, read_case
from app.turning import turn_to
from app.viewer import review_viewer
from app.viewer.case_volumes import case_files
from app.viewer.payload import case_payload
from app.viewer.preparing import PREPARED
from app.viewer.routes import web_url
from app.volume_addresses import address_of, maps_address, prepare_neighbours, volume_addresses
from app.why import why_body
from medsym.upwards import beside_bound, beside_threshold, bound_text, p_text

FACTS = (
    ("deviation_max", "Largest deviation", "{} SD"),
    ("p_value", "p-value", "{}"),
    ("pathology_ml", "Pathology", "{:.1f} ml"),
    ("share_beyond_bound", "Share beyond bound", "{:.2f}"),
    ("bound_max", "Largest bound", "{} nats"),
    ("measured_defect_max", "Measured defect", "{} nats"),
    ("symmetric_score", "Symmetric score", "{:.2f}"),
    ("brain_ml", "Brain", "{:.0f} ml"),
)
WRITTEN = {"p_value": p_text, "bound_max": bound_text, "measured_defect_max": beside_bound}
STRUCTURE_COLUMNS = {
    "name": ("Structure", None),
    "left_ml": ("Left (ml)", "%.1f"),
    "right_ml": ("Right (ml)", "%.1f"),
    "laterality": ("Laterality", "%.3f"),
    "deviation_mean_left": ("Mean deviation left (SD)", "%.2f"),
    "deviation_mean_right": ("Mean deviation right (SD)", "%.2f"),
}


def page(folder: Path, names: list[str]) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        case = read_case(folder, choose(names))
        mark = turn_to(case)
        _summary(case)
    _view(folder, names, case, key=f"{mark}-viewer")
    verdict_form(case, key=f"{mark}-form")
    _structures(case, key=f"{mark}-structures")


def _summary(case: Case) -> None:
    if not case.assessable:
        reasons = "; ".join(str(reason) for reason in case.record.get("reasons", []))
        text = html.escape(
            f"Not assessable, no map is shown: {reasons or 'no reason was recorded'}"
        )
        st.markdown(f'<div class="medsym-refusal">{text}</div>', unsafe_allow_html=True)
        return
    cells = "".join(
        f"<div><dt>{label}</dt><dd>{text}</dd></div>" for label, text in _facts(case.record)
    )
    st.markdown(f'<dl class="medsym-facts">{cells}</dl>', unsafe_allow_html=True, width="stretch")


def _facts(record: Mapping[str, Any]) -> list[tuple[str, str]]:
    summary, plane = record.get("summary", {}), record.get("midplane", {})
    facts = []
    for key, label, pattern in FACTS:
        value = summary.get(key)
        if isinstance(value, int | float) and math.isfinite(value):
            text = pattern.format(WRITTEN[key](value) if key in WRITTEN else value)
            if key == "deviation_max":
                reached = beside_threshold(value, record.get("threshold", {}).get("peak_sd"))
                side = html.escape(str(summary.get("deviation_side", "")))
                text = f"{pattern.format(reached)}, {side}"
            facts.append((label, text))
    if isinstance(plane.get("score"), int | float):
        turned = f"{plane['score']:.2f} (yaw {plane.get('yaw_deg', 0):.1f}\u00b0, "
        facts.append(("Mid-plane score", f"{turned}roll {plane.get('roll_deg', 0):.1f}\u00b0)"))
    return facts


def _view(folder: Path, names: list[str], case: Case, *, key: str) -> None:
    files = case_files(case)
    if files is None:
        st.warning("The scan itself is not on this machine any more, so there is no picture.")
        return
    made = PREPARED.ask(files, reader=state.session())
    with st.spinner("Preparing the planes"):
        scan = made.scan.result()
    payload = case_payload(
        case,
        volumes=volume_addresses({"scan": scan}),
        maps=maps_address(files),
        web=web_url(base_path=state.base_path()),
        finding=state.linked_finding(),
    )
    review_viewer(payload | {"why": _why_url(case)}, key=key)
    prepare_neighbours(folder, state.listed_cases(names, wanted=case.name), case.name, shown=made)


def _why_url(case: Case) -> str:
    """Address of the words of the panel Why; they travel when it is opened."""
    body = why_body(case)
    return address_of(body, digest=hashlib.sha256(body).hexdigest())


def _structures(case: Case, *, key: str) -> None:
    """Volumes of the structures on the left and on the right, in the order of the table."""
    rows = case.record.get("structures", []) if case.assessable else []
    if not rows:
        return
    with st.container(key=key):
        title = "Structures: left and right volumes"
        part = st.expander(title, on_change="rerun", key="structures")
    if not part.open:  # a table is 1.3 MB of scripts, which the planes would wait for
        return
    with part:
        frame = pd.DataFrame([_structure_row(row) for row in rows])
        st.dataframe(
            frame,
            hide_index=True,
            height=whole_height(len(rows)),
            placeholder="\u2013",
            column_config={
                key: st.column_config.NumberColumn(title, format=pattern)
                if pattern
                else st.column_config.TextColumn(title)
                for key, (title, pattern) in STRUCTURE_COLUMNS.items()
            },
        )
        st.caption(
            "Laterality is (left - right) / (left + right): above 0, the left is larger."
            " Structures without numbers were not found."
        )


def _structure_row(row: Mapping[str, Any]) -> dict[str, Any]:
    """A row as it is read: words instead of dashes, and no volume of what was not found."""
    shown = {key: row.get(key) for key in STRUCTURE_COLUMNS}
    shown["name"] = str(shown["name"]).replace("-", " ")
    if shown["laterality"] is None:
        shown |= {"left_ml": None, "right_ml": None}
    return shown


with_cases(page, failed="This case cannot be shown.")
