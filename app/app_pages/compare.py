"""A case beside its own mirror, or beside another scan of the same person."""

from collections.abc import Sequence
from pathlib import Path
from typing import Any

import streamlit as st

from app import state
from app.app_pages.case_chooser import choose
from app.frame import with_cases
from app.pairing import Link, cautions, changes, link_cases
from app.prior import Visit, day_of, day_words, other_visits, relation, visit_of
from app.results import Case, compared_with, read_case, seal_of, unknown_case
from app.turning import turn_to
from app.viewer import compare_viewer
from app.viewer.payload import case_payload
from app.viewer.preparing import PREPARED, case_volumes
from app.viewer.routes import web_url
from app.volume_addresses import volume_addresses

_BOX = "beside_box"
MIRROR = ""  # what the box holds for it: a box without a value asks for one


def page(folder: Path, names: list[str]) -> None:
    """Draw the page."""
    with st.container(horizontal=True, vertical_alignment="center"):
        case = read_case(folder, choose(names))
        beside = _beside(names, case.name)
        prior = None if beside is None else read_case(folder, beside)
        mark = turn_to(case, *([] if prior is None else [prior]))
    _view(case, prior, key=f"{mark}-compare")


def _beside(names: Sequence[str], case: str) -> str | None:
    """What is shown beside the case: None for its mirror, else the name of another case.

    Raises:
        OutputError: MS-161 the address names a case that this folder does not hold.
    """
    visits = other_visits(names, case)
    wanted = state.chosen_prior()
    if wanted is None and visits and state.wants_prior():
        wanted = visits[0].case
    if wanted is not None and wanted not in names:
        raise unknown_case(wanted)
    if wanted is not None:
        state.choose_prior(wanted)
    family = {visit.case: visit for visit in visits}
    options = [MIRROR, *family, *(name for name in names if name != case and name not in family)]
    if wanted == case:
        wanted = None
    st.session_state[_BOX] = wanted or MIRROR
    st.selectbox(
        "Beside it",
        options,
        key=_BOX,
        format_func=lambda name: _title(name, family.get(name)),
        on_change=lambda: state.choose_prior(st.session_state[_BOX] or None),
        label_visibility="collapsed",
        width=420,
    )
    return wanted


def _title(name: str, visit: Visit | None) -> str:
    if name == MIRROR:
        return "Beside: its own mirror"
    return f"Beside: {name}" if visit is None else f"Beside: same person, {visit.title}"


def _view(case: Case, prior: Case | None, *, key: str) -> None:
    missing = [one.name for one in (case, prior) if one is not None and one.scan_path is None]
    if missing:
        st.warning(f"Not on this machine any more, so there is no picture: {', '.join(missing)}")
        return
    if prior is None and not case.record.get("mirror_world"):
        st.warning("No mid-plane was found in this scan, so it has no mirror to be compared with.")
        return
    with st.spinner("Preparing the planes"):
        PREPARED.looking.leave(state.session())  # what was looked at before may end
        volumes = case_volumes(case)
        beside = None if prior is None else _prior_payload(case, volumes, prior)
    payload = case_payload(
        case,
        volumes=volume_addresses(volumes),
        web=web_url(base_path=state.base_path()),
        finding=state.linked_finding(),
    )
    payload |= {
        "visit": _visit(case),
        "beside": beside,
        "linked_finding": state.linked_finding(),
    }
    compare_viewer(payload, key=key)


def _prior_payload(case: Case, volumes: Any, prior: Case) -> dict[str, Any]:
    prior_volumes = case_volumes(prior)
    link: Link = link_cases(case, volumes, prior, prior_volumes)
    visits = visit_of(case.name), visit_of(prior.name)
    return {
        "case": prior.name,
        "seal": seal_of(prior.record),
        "role": relation(*visits, days=(day_of(case), day_of(prior))),
        "visit": _visit(prior),
        "volumes": volume_addresses(prior_volumes),
        "thresholds": (prior.record.get("calibration") or {}).get("thresholds"),
        "structures": {str(index): name for index, name in prior.structures.items()},
        "mirror_world": prior.record.get("mirror_world"),
        "link": link.as_dict(),
        "changes": changes(case, prior, matrix=None if link.doubtful else link.matrix),
        "cautions": cautions(case, prior),
        "model": prior.record.get("model", {}),
        "compared_with": compared_with(prior.record),
    }


def _visit(case: Case) -> dict[str, Any]:
    """Heading of a scan and what was found in it, in short."""
    summary = case.record.get("summary", {})
    return {
        "title": visit_of(case.name).title,
        "day": day_words(day_of(case)),
        "assessable": case.assessable,
        "p_value": summary.get("p_value") if case.assessable else None,
        "deviation_max": summary.get("deviation_max") if case.assessable else None,
        "peak_sd": case.record.get("threshold", {}).get("peak_sd"),
        "pathology_ml": summary.get("pathology_ml") if case.assessable else None,
    }


with_cases(page, failed="These scans cannot be shown.")
