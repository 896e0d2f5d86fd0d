"""What readers said as a table to take away."""

from collections.abc import Callable, Iterable
from dataclasses import asdict

from medsym.screening.reviews import Verdict
from medsym.screening.table import tsv

COLUMNS = (
    *("case", "finding", "results", "verdict", "comment", "reader", "time", "side", "structure"),
    *("peak_x_mm", "peak_y_mm", "peak_z_mm", "record_sha256"),
)


def review_table(verdicts: Iterable[Verdict], *, is_present: Callable[[Verdict], bool]) -> str:
    """Tab-separated text, a line per last word; finding n/a means the case as a whole.

    Args:
        verdicts: as `read_reviews` returns them.
        is_present: whether the record that was read is still the one of the case; the column
            "results" says "present" or "earlier".
    """
    peak = ("peak_x_mm", "peak_y_mm", "peak_z_mm")
    rows = [
        {
            **asdict(verdict),
            **dict(zip(peak, verdict.peak_mm, strict=False)),
            "results": "present" if is_present(verdict) else "earlier",
        }
        for verdict in sorted(
            verdicts, key=lambda said: (said.case, said.finding or 0, said.reader, said.time)
        )
    ]
    return tsv(rows, columns=COLUMNS)
