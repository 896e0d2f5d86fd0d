"""What stands in the page belongs to the case in its header: what is of another one goes at once.

Streamlit leaves the elements of the last run in the page until this run has drawn others in their
places, which waits for the planes. Until then planes, findings and form of one case would stand,
and take clicks, below the name and the numbers of the next one.
"""

import hashlib

import streamlit as st

from app.results import Case, seal_of

PREFIX = "st-key-"  # Streamlit makes a class of every key


def turn_to(*cases: Case) -> str:
    """Hide what belongs to other cases, from now on, in the browser.

    Args:
        cases: the case in the header, and what is shown beside it.

    Returns:
        Begin of the keys of what belongs to these records.
    """
    names = [f"{case.root}\n{case.name}\n{seal_of(case.record)}" for case in cases]
    mark = "of-" + hashlib.sha256("\n\n".join(names).encode()).hexdigest()[:12]
    others = f'[class*="{PREFIX}of-"]:not([class*="{PREFIX}{mark}-"])'
    st.markdown(
        f'<style class="medsym-turn">{others} {{ display: none !important; }}</style>',
        unsafe_allow_html=True,
        width="content",
    )
    return mark
