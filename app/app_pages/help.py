"""Help: every key and mouse action, and what a reader sees, on one screen."""

import html

import streamlit as st

from app import state
from app.keys import key_rows, read_keys
from app.viewer import colour_samples
from app.viewer.routes import web_url

SAMPLES = (
    ("orange", "Orange", "more evidence of disease than at the mirror place"),
    ("blue", "Blue", "less; the other side of something orange, no second finding"),
    ("magenta", "Magenta", "layer Pathology: probability of a lesion"),
    ("green", "Green", "layer Tolerance: the most that the model could add"),
    (
        "zone above",
        "Full",
        "above threshold and bound: the scan differs here",
    ),
    (
        "zone below",
        "Faint",
        "above the bound, below the threshold; on demand (f)",
    ),
    ("zone under", "Hatched", "under the bound: the model may have made it"),
)
NUMBERS = (
    ("Deviation (SD)", "distance from the cases compared with, in their SD"),
    ("Asymmetry (nats)", "evidence of disease here less that at the mirror place"),
    ("Bound (nats)", "the most the model could make by itself, for any scan"),
    ("Measured defect", "what it did make in this scan; never above the bound"),
    ("p, rarity", "share of the cases compared with that have as much"),
    ("Pathology", "probability of a lesion at this place; its ml: where above one half"),
    ("ml of a finding", "region that deviates, above the lower of its two limits"),
    ("Symmetric score", "disease on both sides, which comparing cannot see"),
    ("Share beyond bound", "brain whose asymmetry the model cannot have made"),
    ("Laterality", "(left - right) / (left + right) of a volume"),
    ("Mid-plane score", "how well the plane mirrors the head; 1 is perfect"),
)
LETTERS = (
    "Letters at the edges are the patient's sides; a star (L*, R*) marks a mirrored picture. "
    "Nothing is drawn outside the brain and where there is no mirror place to compare with."
)


def page() -> None:
    """Draw the page."""
    left, right = st.columns([8, 6], gap="medium")
    with left:
        st.markdown("##### Keys and mouse")
        st.markdown(f'<div class="medsym-columns">{_tables()}</div>', unsafe_allow_html=True)
    with right:
        st.markdown("##### What you see")
        colour_samples(SAMPLES, web=web_url(base_path=state.base_path()))
        st.caption(LETTERS)
        st.markdown("##### What the numbers mean")
        rows = "".join(
            f'<tr><th scope="row">{html.escape(name)}</th><td>{html.escape(what)}</td></tr>'
            for name, what in NUMBERS
        )
        st.markdown(f'<table class="medsym-keys">{rows}</table>', unsafe_allow_html=True)


def _tables() -> str:
    return "".join(
        f'<table class="medsym-keys"><caption>{html.escape(words)}</caption>'
        + "".join(_row(keys, what) for keys, what in rows)
        + "</table>"
        for words, rows in key_rows(read_keys()).items()
    )


def _row(keys: list[str], what: str) -> str:
    caps = " ".join(f"<kbd>{html.escape(key)}</kbd>" for key in keys)
    return f'<tr><th scope="row">{caps}</th><td>{html.escape(what)}</td></tr>'


page()
