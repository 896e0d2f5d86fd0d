"""The verdicts of a result folder as a file, for who is let in when it is asked for."""

from collections.abc import Callable
from pathlib import Path

from app import state
from app.results import is_of_present
from medsym.errors import OutputError
from medsym.screening.review_table import review_table
from medsym.screening.reviews import Reviews


def export_of(reviews: Reviews, *, folder: Path) -> Callable[[], str]:
    """What makes the tab-separated table for this session.

    Streamlit calls it outside the script when the button is pressed, so it asks for itself.

    Returns:
        The maker; it raises OutputError MS-806 once the session is let in no longer.
    """
    session = state.session()

    def made() -> str:
        if not state.is_admitted(session):
            raise OutputError(
                code="MS-806",
                subject=str(folder / "reviews"),
                cause="the reader of this page has logged out",
                fix="log in again",
            )
        return review_table(reviews.verdicts, is_present=lambda said: is_of_present(folder, said))

    return made
