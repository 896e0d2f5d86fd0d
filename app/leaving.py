"""A question before the browser leaves the viewer with verdicts that were not saved."""

from pathlib import Path

import streamlit as st

_SCRIPT = Path(__file__).parent / "viewer" / "web" / "leaving.js"

_COMPONENT = st.components.v2.component(
    "medsym.leaving", html="<span hidden></span>", js=_SCRIPT.read_text(encoding="utf-8")
)


def leave_guard(unsaved: int) -> None:
    """Tell the browser how many drafts this session holds; 0 leaves it free to go."""
    _COMPONENT(data={"unsaved": unsaved}, key="leave_guard", height=1)
