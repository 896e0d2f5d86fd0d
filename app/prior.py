"""Other scans of the person on review: which is the prior, and when each was taken."""

import json
import re
from collections.abc import Sequence
from dataclasses import dataclass
from datetime import date
from pathlib import Path

from app.folder_files import read_table
from app.results import Case
from medsym.datasets.nifti_files import scan_stem

DATE_KEYS = ("AcquisitionDateTime", "AcquisitionDate", "SeriesDate", "StudyDate")
SHIFTED_BEFORE = 1925  # BIDS: days moved into the past for privacy lie before this year
LARGEST_SIDECAR = 4 * 1024**2  # bytes
#: Labels of sessions that count time: a number alone, or after a word that is the same for both.
_NUMBERED = re.compile(
    r"^(?P<word>|d|day|w|week|m|month|y|year|v|visit|t|tp|timepoint|wave)(?P<number>[0-9]{1,18})$"
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Visit:
    """What the name of a case says.

    Attributes:
        case: name of the case.
        subject: BIDS subject label.
        session: BIDS session label; "" where the name has none.
        contrast: BIDS suffix such as "T1w"; "" where the name has none.
    """

    case: str
    subject: str
    session: str
    contrast: str

    @property
    def title(self) -> str:
        """Session and contrast for people."""
        parts = (f"session {self.session}" if self.session else "", self.contrast)
        return ", ".join(part for part in parts if part) or self.case


def visit_of(case: str) -> Visit:
    """Read the BIDS entities of a case name.

    Example:
        >>> visit_of("sub-01_ses-2_acq-fast_T1w").title
        'session 2, T1w'
    """
    parts = case.split("_")
    named = dict(part.split("-", 1) for part in parts if "-" in part)
    contrast = "" if "-" in parts[-1] else parts[-1]
    return Visit(
        case=case, subject=named.get("sub", ""), session=named.get("ses", ""), contrast=contrast
    )


def other_visits(names: Sequence[str], case: str) -> list[Visit]:
    """Other scans of the same subject, the one to compare with first.

    The same contrast goes before others; then earlier sessions, the nearest first, later ones,
    sessions whose labels say no order, and scans of the same session.

    Args:
        names: cases of the result folder.
        case: the case on review.
    """
    own = visit_of(case)
    family = [
        visit for visit in map(visit_of, names) if own.subject and visit.subject == own.subject
    ]

    def preference(visit: Visit) -> tuple[bool, int, int, str]:
        steps = _steps(own.session, visit.session)
        when = 2 if not steps else 0 if steps < 0 else 1
        when += visit.session == own.session
        return (visit.contrast != own.contrast, when, abs(steps or 0), visit.case)

    return sorted((visit for visit in family if visit.case != case), key=preference)


def relation(current: Visit, other: Visit, *, days: tuple[date | None, date | None]) -> str:
    """What another case is to the one on review.

    Args:
        current: the case on review.
        other: the case beside it.
        days: on which the two were taken, where known; else the numbers of the sessions decide, as
            where only one of the two was moved for privacy: the days then say no order.

    Returns:
        "Prior", "Later scan", "Other scan" of the person, of the same session or where nothing
        says which came first, or "Other case".
    """
    if not current.subject or current.subject != other.subject:
        return "Other case"
    now, then = days
    if now is not None and then is not None and now != then and _moved(now) == _moved(then):
        return "Prior" if then < now else "Later scan"
    steps = _steps(current.session, other.session)
    if not steps:
        return "Other scan"
    return "Prior" if steps < 0 else "Later scan"


def _steps(own: str, other: str) -> int | None:
    """How far another session lies after one's own, by their labels; None where they do not say.

    Only numbers order: 1 and 2, month06 and month12, not preop and postop.
    """
    numbers = [_NUMBERED.match(label.lower()) for label in (own, other)]
    here, there = numbers
    if here is None or there is None or here["word"] != there["word"]:
        return None
    return int(there["number"]) - int(here["number"])


def day_of(case: Case) -> date | None:
    """Day on which the scan was taken, as the files beside it state; None where none does.

    Read are the scan's JSON sidecar and the scans.tsv of its session, as BIDS and dcm2niix write
    them.
    """
    if case.scan_path is None:
        return None
    return next(filter(None, map(_day, _stated_times(case.scan_path))), None)


def day_words(day: date | None) -> str:
    """The day for people; says so when the data set moved its days."""
    if day is None:
        return "day not known"
    if _moved(day):
        return f"{day.isoformat()} (moved by the data set for privacy)"
    return day.isoformat()


def _moved(day: date) -> bool:
    return day.year < SHIFTED_BEFORE


def _stated_times(scan: Path) -> list[str]:
    stated = []
    sidecar = scan.with_name(scan_stem(scan) + ".json")
    if sidecar.is_file() and sidecar.stat().st_size <= LARGEST_SIDECAR:
        try:
            about = json.loads(sidecar.read_text(encoding="utf-8"))
        except (OSError, ValueError):
            about = {}
        stated += [str(about[key]) for key in DATE_KEYS if isinstance(about, dict) and key in about]
    for table in sorted(scan.parent.parent.glob("sub-*_scans.tsv"))[:1]:
        for row in read_table(table):
            if Path(row.get("filename", "")).name == scan.name:
                stated.append(row.get("acq_time", ""))
    return stated


def _day(text: str) -> date | None:
    """The day of an ISO 8601 or DICOM time."""
    match = re.match(r"^([0-9]{4})-?([0-9]{2})-?([0-9]{2})(?![0-9])", text.strip()) or re.match(
        r"^([0-9]{4})([0-9]{2})([0-9]{2})", text.strip()
    )
    try:
        return date(*(int(part) for part in match.groups())) if match else None
    except ValueError:
        return None
