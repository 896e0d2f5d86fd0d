"""What pages about cases have in common: the folder's cases, or words why there are none."""

from collections.abc import Callable
from pathlib import Path

import streamlit as st

from app import state
from app.cohort import read_worklist
from medsym.errors import MedsymError

_HEADER_PX, _ROW_PX = 38, 35  # of a data frame, as Streamlit draws it


def with_cases(draw: Callable[[Path, list[str]], None], *, failed: str) -> None:
    """Draw a page about cases; where that cannot be, say why.

    Args:
        draw: gets the result folder and the names of its screened cases, at least one, in the
            order of the work list; may raise MedsymError.
        failed: what is said before the words of an error.
    """
    folder = state.result_folder()
    if folder is None:
        st.info(state.nothing_to_show())
        return
    try:
        names = [row.case for row in read_worklist(folder) if row.case]
        if names:
            draw(folder, names)
        else:
            st.info("No scan of this folder could be screened. The work list gives the reasons.")
    except MedsymError as error:
        st.error(failed)
        st.text(str(error))


def whole_height(rows: int) -> int:
    """Height of a data frame that shows every row, so that nothing in it scrolls; pixels."""
    return _HEADER_PX + _ROW_PX * rows
