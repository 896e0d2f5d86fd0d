"""What the cohort page shows: rows in several orders, counts, expected false alarms, p-values."""

from collections import Counter
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from statistics import median
from typing import Any

from scipy.stats import betabinom

from medsym.calibration.conformal import coverage_law
from medsym.datasets.nifti_files import scan_stem
from medsym.errors import OutputError
from medsym.screening.case_words import headline
from medsym.screening.figures import data_uri
from medsym.screening.score_rows import SCORES, read_scores
from medsym.screening.table import screening_row, with_q_values
from medsym.volumes.writer import safe_out

#: Cases that have a small picture in the list; with 4.5 kB each they add 1.5 MB to the page.
MAX_THUMBNAILS = 250
#: Bars of the distribution of p-values.
BINS = 20
#: Orders in which the list can be read: name of the order, key of the row, largest first.
ORDERS = (
    ("p-value", "p_value", False),
    ("deviation", "deviation_max", True),
    ("number of findings", "num_findings", True),
    ("symmetric score", "symmetric_score", True),
    ("name", "case", False),
)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class Alarms:
    """Scans that deviate, and how many would if all were healthy; for one calibration and group.

    All of these scans share one calibration, so their number does not follow a binomial law: with
    few people it varies much more (``conformal.coverage_law``; beta-binomial).

    Attributes:
        name: of calibration and group.
        cases: healthy cases behind the p-values.
        is_synthetic: they are drawn heads, not people.
        rate: false-alarm rate of the threshold.
        scans: assessed scans with that threshold.
        observed: how many of them have a p-value of at most the rate.
        expected: how many would on average, over calibrations.
        usual: range of that number in 95 % of healthy cohorts of this size, each with a calibration
            of this size, one scan per person and scores without ties.
    """

    name: str
    cases: int
    is_synthetic: bool
    rate: float
    scans: int
    observed: int
    expected: float
    usual: tuple[int, int]


@dataclass(frozen=True, kw_only=True, slots=True)
class Group:
    """Scans that are compared with the same healthy cases."""

    name: str
    scans: int
    observed: int
    median_p: float | None


@dataclass(frozen=True, kw_only=True, slots=True)
class Cohort:
    """Everything on the cohort page.

    Attributes:
        rows: assessed cases, smallest p-value first, then largest deviation; ``ranks`` holds a
            row's place in each of ``ORDERS``.
        withheld: cases that are not assessable.
        alarms: one per calibration, group and false-alarm rate; usually one.
        groups: by calibration and group.
        scores: rows of scores.tsv, if the folder holds one, of the cases above.
        bars: number of p-values in equal bins from 0 to 1; empty without p-values.
        orders: names of the orders.
        thumbnails: how many rows may have a picture.
    """

    rows: tuple[Row, ...]
    withheld: tuple[Row, ...]
    alarms: tuple[Alarms, ...]
    groups: tuple[Group, ...]
    scores: tuple[Row, ...]
    bars: tuple[int, ...]
    orders: tuple[str, ...] = tuple(name for name, _, _ in ORDERS)
    thumbnails: int = MAX_THUMBNAILS

    @property
    def with_findings(self) -> int:
        """Number of cases with a finding."""
        return sum(1 for row in self.rows if row["num_findings"])

    @property
    def has_p(self) -> bool:
        """True if any case has a p-value."""
        return bool(self.bars)

    @property
    def has_groups(self) -> bool:
        """True if the cases differ in what they are compared with."""
        return len(self.groups) > 1


def cohort_of(
    records: Sequence[Mapping[str, Any]], *, out: Path, page_of: Callable[[str], str]
) -> Cohort:
    """Build the cohort from the records of a folder.

    Args:
        records: of every case.
        out: output folder; small pictures are read from it.
        page_of: file name of a case's page.
    """
    found = {str(record["case"]): record for record in records}
    rows = with_q_values([_row(r, page=page_of(case)) for case, r in found.items()])
    shown = [row for row in rows if row["assessable"]]
    shown.sort(key=lambda row: (_last(row["p_value"]), -row["deviation_max"], row["case"]))
    for number, (_, key, descending) in enumerate(ORDERS):
        for place, row in enumerate(_ordered(shown, key=key, descending=descending)):
            row["ranks"][number] = place
    for row in shown[:MAX_THUMBNAILS]:
        row["thumbnail"] = _thumbnail(found[row["case"]], out=out)
    p_values = [row["p_value"] for row in shown if row["p_value"] is not None]
    bars = Counter(min(int(p * BINS), BINS - 1) for p in p_values)
    return Cohort(
        rows=tuple(shown),
        withheld=tuple(row for row in rows if not row["assessable"]),
        alarms=_alarms([r for r in records if r["assessable"]]),
        groups=_groups(shown),
        scores=read_scores(out / SCORES, pages={row["case"]: row["page"] for row in shown}),
        bars=tuple(bars[n] for n in range(BINS)) if p_values else (),
    )


def _row(record: Mapping[str, Any], *, page: str) -> Row:
    row = screening_row(dict(record))
    first = record["findings"][0] if record["findings"] else None
    return row | {
        "page": page,
        "file_shown": "" if scan_stem(Path(row["file"])) == row["case"] else row["file"],
        "headline": headline(record),
        "peak_sd": record["threshold"]["peak_sd"],
        "where": first["structure"] if first else "",
        "size_ml": first["volume_ml"] if first else None,
        "thumbnail": None,
        "ranks": [0] * len(ORDERS),
    }


def _last(p_value: float | None) -> float:
    return 2.0 if p_value is None else p_value


def _ordered(rows: Sequence[Row], *, key: str, descending: bool) -> list[Row]:
    """Rows by one column, ties as they were; a row without a value comes last."""
    known = [row for row in rows if row[key] is not None]
    known.sort(key=lambda row: row[key], reverse=descending)
    return known + [row for row in rows if row[key] is None]


def _thumbnail(record: Mapping[str, Any], *, out: Path) -> str | None:
    entry = record["files"].get("thumbnail")
    try:
        return data_uri(safe_out(out, str(entry["path"])).read_bytes()) if entry else None
    except (OSError, OutputError):
        return None


def _alarms(records: Sequence[Mapping[str, Any]]) -> tuple[Alarms, ...]:
    alike: dict[tuple[str, int, bool, float], list[bool]] = {}
    for record in records:
        rate, p = record["threshold"]["false_alarm_rate"], record["summary"]["p_value"]
        if rate is not None and p is not None:
            use = record["calibration"]
            name, drawn = _compared_with(use["name"], use["group"]), use["kind"] == "synthetic"
            key = (name, int(use["n"]), drawn, float(rate))
            alike.setdefault(key, []).append(p <= rate + 1e-9)
    found = []
    for (name, cases, drawn, rate), flags in sorted(alike.items()):
        kept, beyond = coverage_law(cases, rate)
        law = betabinom(len(flags), beyond, kept)
        low, high = law.interval(0.95)
        found.append(
            Alarms(
                name=name,
                cases=cases,
                is_synthetic=drawn,
                rate=rate,
                scans=len(flags),
                observed=sum(flags),
                expected=float(law.mean()),
                usual=(int(low), int(high)),
            )
        )
    return tuple(found)


def _compared_with(calibration: str | None, group: str | None) -> str:
    return ", ".join(text for text in (calibration, group or "all") if text)


def _groups(rows: Sequence[Row]) -> tuple[Group, ...]:
    members: dict[str, list[Row]] = {}
    for row in rows:
        members.setdefault(_compared_with(row["calibration"], row["group"]), []).append(row)
    found = []
    for name, inside in sorted(members.items()):
        p_values = [row["p_value"] for row in inside if row["p_value"] is not None]
        found.append(
            Group(
                name=name,
                scans=len(inside),
                observed=sum(1 for row in inside if row["num_findings"]),
                median_p=median(p_values) if p_values else None,
            )
        )
    return tuple(found)
