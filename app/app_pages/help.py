"""Help: every key and mouse action, and what a reader sees, on one screen."""

import html

import streamlit as st

from app.keys import key_rows, read_keys

WORDS = """
#### What you see
- **Orange**: more evidence of disease than at the mirror place. **Blue**: less; it is the
  other side of something orange, never a second finding, and drawn only on demand.
- **Hatched**: the asymmetry is within the bound. The model may have made it; the scan need not
  differ.
- **Not drawn**: below the threshold of the slider, outside the brain, or not compared with a mirror
  place.
- **Letters** at the edges are the patient's sides. A star (L\\*, R\\*) marks a mirrored picture.

#### What the numbers mean
- **Deviation (SD)**: how far the asymmetry lies from that of healthy heads, in their standard
  deviations.
- **Asymmetry (nats)**: evidence here less evidence at the mirror place.
- **Bound (nats)**: the most asymmetry the model could make by itself here, whatever the scan.
- **Measured defect (nats)**: what it did make by itself in this scan; never more than the bound.
- **p**: share of healthy scans that deviate as far anywhere in the brain.
- **Pathology**: probability of a lesion at this place.
- **Symmetric score**: disease that both sides share; a comparison of the sides cannot see it.
- **Laterality**: (left - right) / (left + right) of a structure's volume.
"""


def page() -> None:
    """Draw the page."""
    left, right = st.columns([1, 1], gap="large")
    with left:
        st.markdown("#### Keys and mouse")
        st.markdown(_tables(), unsafe_allow_html=True)
    with right:
        st.markdown(WORDS)


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
