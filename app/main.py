"""Frame of every page: navigation, the research-use strip, page-wide style."""

import sys
from pathlib import Path

import streamlit as st

sys.path.append(str(Path(__file__).resolve().parents[1]))  # `import app` from a plain checkout

from app import draft_state, identity, state
from app.leaving import leave_guard
from app.scripts import HELP_KEY
from medsym import RESEARCH_USE_ONLY

STYLE = """
<style>
.stMainBlockContainer { padding: 3.9rem 1.2rem .5rem 1.2rem; max-width: none; }
.stMainBlockContainer > .stVerticalBlock { gap: .7rem; }
.stMainBlockContainer .stMarkdown [data-testid="stMarkdownContainer"] { margin-bottom: 0; }
.stMarkdown { margin-bottom: 0 !important; }
.medsym-strip { background: #3a2a08; color: #ffd48a; border-left: 4px solid #f2a33a;
  padding: .2rem .8rem; border-radius: 3px; font-size: .85rem; font-weight: 600; }
@media (min-width: 1180px) {  /* beside the navigation, so that the planes keep the height */
  .medsym-strip { position: fixed; top: 15px; right: 4rem; z-index: 999991; }
  .stMainBlockContainer > .stVerticalBlock > .stElementContainer:has(.medsym-strip) {
    height: 0; margin-bottom: -.7rem; }
}
@media (max-width: 1599px) {  /* no room beside who is logged in */
  body:has(.st-key-account) .medsym-strip { position: static; }
  body:has(.st-key-account) .stElementContainer.stElementContainer:has(.medsym-strip) {
    height: auto !important; margin-bottom: 0 !important; }
}
body:has(.st-key-account) .medsym-strip { right: 26rem; }
.stLayoutWrapper:has(> .st-key-account) { height: 0; margin-bottom: -.7rem; }
.st-key-account { position: fixed; top: 9px; right: 4rem; z-index: 999991; width: auto;
  max-width: 21rem; }
.medsym-download, .medsym-download:visited { display: inline-block; padding: .4rem .75rem;
  border: 1px solid #4a5361; border-radius: .5rem; color: #e8ebef !important;
  text-decoration: none !important; font-size: .875rem; line-height: 1.6; }
.medsym-download:is(:hover, :focus-visible) { border-color: #f2a33a; color: #f2a33a !important; }
.medsym-own { color: #8fd3ff; }
.medsym-refusal { background: #4a1e1e; color: #ffc9c2; padding: .35rem .8rem; border-radius: 3px; }
.st-key-leave_guard { position: absolute; height: 0; }
.medsym-saved { color: #b9c1cb; font-size: .85rem; }
.medsym-unsaved { color: #ffd48a; font-size: .85rem; font-weight: 600; }
button[kind^="primary"]:enabled * { color: #1d1302; font-weight: 600; opacity: 1; }
.medsym-card dt { font-size: .8rem; color: #9aa4b1; }
.medsym-card dd { margin: 0 0 .5rem 0; overflow-wrap: anywhere; }
.medsym-facts { display: flex; flex-wrap: wrap; gap: .2rem .7rem; margin: 0; }
.medsym-facts > div { white-space: nowrap; }
.medsym-facts dt { font-size: .7rem; color: #9aa4b1; margin: 0; }
.medsym-facts dd { font-size: .9rem; margin: 0; font-variant-numeric: tabular-nums; }
.medsym-columns { columns: 2; column-gap: 1.2rem; }
[data-testid="stCaptionContainer"] code { color: inherit; }
.medsym-keys { width: 100%; margin-bottom: .5rem; font-size: .8rem; line-height: 1.25; }
.medsym-keys caption { caption-side: top; text-align: left; padding: 0 0 .1rem; font-size: .75rem;
  color: #9aa4b1; break-after: avoid; }
.medsym-keys tr { break-inside: avoid; }
.medsym-keys :is(th, td) { padding: .12rem .4rem !important; }
.medsym-keys th { width: 8.2rem; text-align: left; font-weight: 600; }
.medsym-keys kbd { font-size: .75rem; padding: 0 .25rem; border: 1px solid #4a5361;
  border-radius: 3px; background: #262c36; white-space: nowrap; }
.stElementContainer:has(> .stHtml script), .stElementContainer:has(.medsym-turn) { display: none; }
</style>
"""

st.set_page_config(page_title="medsym", page_icon="\N{BRAIN}", layout="wide")

PAGES = [
    st.Page("app_pages/worklist.py", title="Work list", default=True),
    st.Page("app_pages/review.py", title="Review", url_path="review"),
    st.Page("app_pages/compare.py", title="Compare", url_path="compare"),
    st.Page("app_pages/upload.py", title="Upload", url_path="upload"),
    st.Page("app_pages/model.py", title="Model", url_path="model"),
    st.Page("app_pages/help.py", title="Help", url_path="help"),
    st.Page("app_pages/about.py", title="About", url_path="about"),
]
own = ' <span class="medsym-own">Your upload.</span>' if state.shows_upload() else ""
st.markdown(
    STYLE + f'<div class="medsym-strip" role="note">{RESEARCH_USE_ONLY}{own}</div>',
    unsafe_allow_html=True,
)
identity.admit()
state.keep_filters()
page = st.navigation(PAGES, position="top")
st.html(HELP_KEY, unsafe_allow_javascript=True)
leave_guard(len(draft_state.drafts()))
page.run()
