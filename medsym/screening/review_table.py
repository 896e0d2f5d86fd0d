"""What readers said as a table to take away."""

from collections.abc import Iterable
from dataclasses import asdict

from medsym.screening.reviews import Verdict
from medsym.screening.table import tsv

COLUMNS = (
    *("case", "finding", "verdict", "comment", "reader", "time", "side", "structure"),
    *("peak_x_mm", "peak_y_mm", "peak_z_mm", "record_sha256"),
)


def review_table(verdicts: Iterable[Verdict]) -> str:
    """Tab-separated text, a line per last word; finding n/a means the case as a whole."""
    rows = [
        {
            **asdict(verdict),
            **dict(zip(("peak_x_mm", "peak_y_mm", "peak_z_mm"), verdict.peak_mm, strict=False)),
        }
        for verdict in sorted(
            verdicts, key=lambda said: (said.case, said.finding or 0, said.reader)
        )
    ]
    return tsv(rows, columns=COLUMNS)
