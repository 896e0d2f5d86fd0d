"""Which cases have been read, by whom, and which of them the work list shows."""

from collections.abc import Iterable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from app.cohort import WorklistRow
from app.results import record_seal
from medsym.screening.reviews import NONE, Verdict

UNREAD = "unread"
STARTED = "started"  # findings were judged, the case as a whole was not
DISAGREE = "readers disagree"
EARLIER = "read, on earlier results"
WORDS = {"accept": "accepted", "reject": "rejected", "unsure": "unsure"}
FINDINGS, NOT_ASSESSABLE, NOT_READ = "With findings", "Not assessable", "Unread"
FILTERS = (FINDINGS, NOT_ASSESSABLE, NOT_READ)


@dataclass(frozen=True, kw_only=True, slots=True)
class Status:
    """How far the reading of a case is.

    Attributes:
        word: as the work list shows it.
        readers: who said something about the present results, in the order of their names.
    """

    word: str = UNREAD
    readers: tuple[str, ...] = ()


def statuses(root: Path, verdicts: Iterable[Verdict]) -> dict[str, Status]:
    """Case -> status; a case that is missing here is unread.

    What was said of a record that is no longer there does not count as read.
    """
    by_case: dict[str, list[Verdict]] = {}
    for verdict in verdicts:
        if verdict.verdict != NONE:
            by_case.setdefault(verdict.case, []).append(verdict)
    return {case: _status(said, seal=record_seal(root, case)) for case, said in by_case.items()}


def _status(said: Sequence[Verdict], *, seal: str) -> Status:
    present = [verdict for verdict in said if verdict.record_sha256 == seal]
    if not present:
        return Status(word=EARLIER)
    words = {WORDS[verdict.verdict] for verdict in present if verdict.finding is None}
    word = STARTED if not words else words.pop() if len(words) == 1 else DISAGREE
    return Status(word=word, readers=tuple(sorted({verdict.reader for verdict in present})))


def select_rows(
    rows: Sequence[WorklistRow],
    *,
    search: str,
    filters: Iterable[str],
    read: Mapping[str, Status],
    reader: str,
) -> list[WorklistRow]:
    """The rows that fit every filter, in the same order.

    Args:
        rows: of the work list.
        search: part of a case or file name, in upper or lower case.
        filters: of `FILTERS`.
        read: what `statuses` returns.
        reader: unread means by this reader; "" for by anyone.
    """
    sought, chosen = search.strip().casefold(), set(filters)
    unread = Status()

    def fits(row: WorklistRow) -> bool:
        status = read.get(row.case, unread)
        was_read = reader in status.readers if reader else bool(status.readers)
        return (
            (sought in row.case.casefold() or sought in row.file.casefold())
            and (FINDINGS not in chosen or row.numbers["num_findings"] > 0)
            and (NOT_ASSESSABLE not in chosen or row.status == "not assessable")
            and (NOT_READ not in chosen or (bool(row.case) and not was_read))
        )

    return [row for row in rows if fits(row)]
