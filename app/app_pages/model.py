"""The model that made the results: its card, its tolerance, its softness, how far to believe it."""

import html
from collections.abc import Mapping
from pathlib import Path
from typing import Any

import pandas as pd
import streamlit as st

from app import state
from app.frame import whole_height, with_cases
from app.model_card import model_card
from app.model_figures import (
    Picture,
    calibration_pictures,
    cross_validation_rows,
    model_measured,
    softness_rows,
    tolerance_picture,
)
from app.results import compared_with, read_case
from medsym.upwards import p_text

NOT_JUDGED = (
    "Nobody measured how often people left out of this calibration are flagged: "
    "`medsym calibrate --cross-validate N` does, and the next results show it."
)
UNKNOWN = (
    "Nothing was measured of these weights in this installation. `medsym science --model FOLDER` "
    "measures tolerance, softness and calibration of a model and writes a report."
)


def page(folder: Path, names: list[str]) -> None:
    """Draw the page."""
    record = read_case(folder, state.chosen_case() or names[0]).record
    sha256 = str(record.get("model", {}).get("sha256", ""))
    left, right = st.columns([3, 2], gap="large")
    with left:
        _measured(sha256, record=record)
    with right:
        st.markdown("#### These results")
        _facts(record)
    _card(sha256)


def _measured(sha256: str, *, record: Mapping[str, Any]) -> None:
    measured = model_measured(sha256)
    _comparison(record)
    if measured is None:
        st.info(UNKNOWN)
        return
    numbers, drawn = measured.numbers, measured.numbers["synthetic"]
    st.caption(
        f"Measured with `medsym science` on these very weights: {drawn['healthy_subjects']} healthy"
        f" and {drawn['subjects_as_in_training']} other drawn heads of anatomies kept"
        " for testing. Drawn heads are not people."
    )
    with st.spinner("Drawing"):
        tolerance, curves = tolerance_picture(sha256), calibration_pictures(sha256)
    if tolerance is not None:
        _picture(tolerance)
    _softness(numbers["softness"])
    for picture in curves:
        _picture(picture)


def _picture(picture: Picture) -> None:
    st.markdown(f"#### {picture.title}")
    st.image(picture.png, width="stretch")
    st.text("\n".join(picture.words))


def _softness(numbers: dict[str, Any]) -> None:
    from medsym.science.words import softness_words

    st.markdown("#### Softness of the layers")
    st.text("0 is exactly symmetric, 1 is free. " + softness_words(numbers))
    st.dataframe(pd.DataFrame(softness_rows(numbers)), hide_index=True)
    with st.expander("Every weight"):
        layers = pd.DataFrame(numbers["layers"])[["path", "low", "high", "learned", "odd_share"]]
        layers.columns = [
            "Weight",
            "Smallest",
            "Largest",
            "Learned",
            "Share that breaks the mirror",
        ]
        st.dataframe(layers, hide_index=True, height=whole_height(len(layers)))


def _comparison(record: Mapping[str, Any]) -> None:
    """With which healthy heads the case on review was compared."""
    used = record.get("calibration") or {}
    if not used.get("name"):
        return
    st.markdown("#### Healthy heads behind the p-values")
    said = [f"Compared with {compared_with(record)}."]
    if used.get("minus_mean"):
        said.append("The mean asymmetry of healthy people was taken off.")
    if used.get("adjusted_for"):
        said.append(f"Adjusted for {', '.join(map(str, used['adjusted_for']))}.")
    said += [f"{text}." for text in (used.get("caution"), used.get("reason")) if text]
    tested = used.get("exchangeability")
    if tested:
        said.append(f"Is the scan like those of the calibration: p = {p_text(tested['p_value'])}.")
    st.text("\n".join(words[:1].upper() + words[1:] for words in said))
    judged = used.get("cross_validation")
    if judged:
        _cross_validation(judged)
    elif used.get("kind") == "healthy scans":
        st.caption(NOT_JUDGED)


def _cross_validation(judged: Mapping[str, Any]) -> None:
    """Promised rate beside the share of held-out healthy people that was flagged."""
    rows = pd.DataFrame(cross_validation_rows(judged))
    st.markdown("##### Healthy people left out of the calibration: promised and observed")
    if len(rows) > 1:
        st.line_chart(rows, x="Promised rate", y=["Observed share", "As promised"], height=220)
    st.dataframe(rows.drop(columns="As promised"), hide_index=True)
    st.caption(
        f"{judged['people']} people in {judged['folds']} folds. Shares near the promised rates do "
        "not prove that new scans are like these people's."
    )


def _facts(record: Mapping[str, Any]) -> None:
    facts = {
        f"{group} {key}": value
        for group in ("model", "grid", "software")
        for key, value in record.get(group, {}).items()
        if isinstance(value, str | int | float)
    }
    cells = "".join(
        f"<dt>{html.escape(key)}</dt><dd>{html.escape(str(value))}</dd>"
        for key, value in facts.items()
    )
    st.markdown(f'<dl class="medsym-card">{cells}</dl>', unsafe_allow_html=True)


def _card(sha256: str) -> None:
    card = model_card(sha256)
    if card is None:
        st.text("The card of this model is not part of this installation.")
        return
    with st.expander("Model card", expanded=True):
        st.markdown(card.replace("\n## ", "\n##### "))


with_cases(page, failed="The model of these results cannot be shown.")
