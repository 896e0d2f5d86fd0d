"""Frame of every page: navigation, the research-use strip, page-wide style."""

import sys
from pathlib import Path

import streamlit as st

sys.path.append(str(Path(__file__).resolve().parents[1]))  # `import app` from a plain checkout

from app.app_pages import about, review, worklist  # noqa: E402
from app.viewer.payload import RESEARCH_ONLY  # noqa: E402

STYLE = """
<style>
.stMainBlockContainer { padding: 3.4rem 1.4rem 1rem 1.4rem; max-width: none; }
.medsym-strip { background: #3a2a08; color: #ffd48a; border-left: 4px solid #f2a33a;
  padding: .25rem .8rem; border-radius: 3px; font-size: .85rem; font-weight: 600; }
.medsym-facts { display: flex; flex-wrap: wrap; gap: .3rem 2.2rem; }
.medsym-facts dt { font-size: .72rem; color: #9aa4b1; margin: 0; }
.medsym-facts dd { font-size: 1.05rem; margin: 0; font-variant-numeric: tabular-nums; }
</style>
"""

st.set_page_config(page_title="medsym", page_icon="\N{BRAIN}", layout="wide")

REVIEW = st.Page(review.page, title="Review", icon="\N{LEFT-POINTING MAGNIFYING GLASS}", url_path="review")
page = st.navigation(
    [
        st.Page(
            lambda: worklist.page(REVIEW),
            title="Work list",
            icon="\N{CLIPBOARD}",
            url_path="worklist",
            default=True,
        ),
        REVIEW,
        st.Page(about.page, title="About", icon="\N{OPEN BOOK}", url_path="about"),
    ],
    position="top",
)
st.markdown(
    STYLE + f'<div class="medsym-strip" role="note">{RESEARCH_ONLY}</div>', unsafe_allow_html=True
)
page.run()
