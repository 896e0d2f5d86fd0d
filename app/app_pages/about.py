"""About: intended use, how to read the picture, and what the method cannot see."""

import streamlit as st

INTENDED_USE = """
#### Intended use
medsym helps **researchers, and clinicians in research**, to look at left-right asymmetry of the
brain on MRI or CT. It is **not a medical device**: its output must not decide on diagnosis, triage
or treatment, and no scan is "normal" because medsym shows nothing.
"""

READING = """
#### How to read the picture
- **Deviation**: asymmetry against the own mirror side, averaged over about a centimetre, in
  standard deviations of healthy cases (synthetic ones for the shipped model).
  Orange is more than the mirror side. The mirror place of everything orange is blue by
  construction: it is no second finding, and it is drawn only on demand.
- **p-value**: how often a healthy scan deviates as far anywhere in the brain, counted among the
  healthy cases that the result names. Drawn heads are not people: see `medsym calibrate`.
- **Bound**: the most asymmetry that the model could make by itself at this place, whatever the
  scan. Where the asymmetry is larger than the bound, the *scan* differs from its mirror. Where it
  is not, the deviation is hatched: the model may have made it.
- **Not covered by the bound**: errors of the mid-plane, the natural asymmetry of healthy brains,
  coil shading.
- **Pathology**: probability of a lesion at this place.
- **Symmetric score**: pathology that both sides share, which the mirror comparison cannot see. Near
  1 the model is sure of pathology at a place and at its mirror place; look at the layer Pathology
  there. No healthy range has been measured.
- **Sides** are always the patient's. The picture starts in radiological convention: the patient's
  right is on the left of the screen.
"""

BLIND_SPOTS = """
#### Blind spots
- Disease that is **equal on both sides**, or **in the midline**, is invisible to a mirror
  comparison. The symmetric score is the only hint at it.
- Changes smaller than the grid of the model (see Model), and changes outside the
  brain.
- Scans whose other side is cut off: there is no mirror to compare with, so nothing is shown there.
- Thick slices: a map is no finer than the slices that it comes from.
"""


def page() -> None:
    """Draw the page."""
    left, right = st.columns(2, gap="large")
    with left:
        st.markdown(INTENDED_USE)
        st.markdown(BLIND_SPOTS)
    with right:
        st.markdown(READING)


page()
