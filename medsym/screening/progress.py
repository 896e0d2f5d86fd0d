"""What a run tells: where a scan is, and how it ended."""

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from medsym.errors import MedsymError
from medsym.screening.entry import ScanEntry
from medsym.screening.table import FAILURE_COLUMNS


@dataclass(frozen=True, kw_only=True, slots=True)
class Progress:
    """Where a run is.

    Attributes:
        number: 1-based number of the scan.
        total: number of scans.
        name: case identifier.
        stage: stage that begins, or "done", "resumed", "not assessable", "refused".
        seconds: since the scan began.
        error: why the scan was refused.
    """

    number: int
    total: int
    name: str
    stage: str
    seconds: float
    error: MedsymError | None = None


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanReport:
    """How one scan ended, and what it cost.

    Attributes:
        number: 1-based number of the scan in its run.
        case: case identifier.
        file: name of the scan file.
        stage: "done", "resumed", "not assessable" or "refused".
        error: why it was refused.
        total_s: seconds from its begin to its end.
        seconds: seconds per stage.
        cost: processor time, by stage too, and peak memory, see ``journal.process_cost``.
        digest: of the file that a measured scan went into; "" where cases are written.
    """

    number: int
    case: str
    file: str
    stage: str
    error: MedsymError | None = None
    total_s: float = 0.0
    seconds: dict[str, float] = field(default_factory=dict)
    cost: dict[str, Any] = field(default_factory=dict)
    digest: str = ""

    @property
    def failure(self) -> dict[str, str] | None:
        """Row of failures.tsv, if the scan was refused."""
        if self.error is None:
            return None
        values = (self.file, self.case, self.error.code, self.error.cause, self.error.fix)
        return dict(zip(FAILURE_COLUMNS, values, strict=True))

    def as_progress(self, total: int) -> Progress:
        """The last word about the scan."""
        return Progress(
            number=self.number,
            total=total,
            name=self.case,
            stage=self.stage,
            seconds=self.total_s,
            error=self.error,
        )


def refused(entry: ScanEntry, *, number: int, error: MedsymError) -> ScanReport:
    """Report of a scan that was refused before it was read."""
    name = Path(entry.path).name
    return ScanReport(number=number, case=entry.name.case, file=name, stage="refused", error=error)
