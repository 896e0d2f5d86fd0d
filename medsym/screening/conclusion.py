"""The end of a run: how it went, and the tables of the whole folder."""

from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.screening.entry import ScanEntry
from medsym.screening.folder import remember_sources, remove_leftovers
from medsym.screening.progress import ScanReport
from medsym.screening.records import find_records, listed_cases, read_record
from medsym.screening.refusals import Refusals, gone_from, keep_refusals
from medsym.screening.report import index_text, write_index
from medsym.screening.runner import KEPT_CODE
from medsym.screening.score_rows import SCORES
from medsym.screening.shards import (
    Shard,
    Tally,
    last_of_all,
    leave_note,
    leave_part,
    parts_taken,
    remove_notes,
)
from medsym.screening.table import cell, read_failures, table_texts, write_tables

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenOutcome:
    """What a run did.

    Attributes:
        records: records of every case in the folder, earlier runs included.
        failures: scans of this run that were refused (file, case, code, cause, fix).
        damaged: one MS-153 per record in the folder that cannot be used.
        resumed: number of scans that were already done.
        missing: shards that are not done; the tables wait for them.
        has_tables: this run wrote the tables.
    """

    records: tuple[Row, ...]
    failures: tuple[dict[str, str], ...]
    damaged: tuple[OutputError, ...]
    resumed: int
    missing: tuple[int, ...] = ()
    has_tables: bool = True

    @property
    def twins(self) -> tuple[tuple[str, ...], ...]:
        """Cases that are the same scan, by the hash of its file."""
        cases = defaultdict(list)
        for record in self.records:
            cases[record["scan"]["sha256"]].append(record["case"])
        return tuple(tuple(same) for same in cases.values() if len(same) > 1)


def conclude(
    out: Path,
    entries: Sequence[ScanEntry],
    *,
    refusals: Refusals,
    reports: Sequence[ScanReport],
    shard: Shard | None,
    is_whole: bool,
    is_part: bool = False,
) -> ScreenOutcome:
    """Write the tables, unless other shards or parts are still to come.

    Args:
        out: output folder, held by this run.
        entries: scans of this run.
        refusals: of all shards of this run, see ``refusals_of``.
        reports: how those that were tried ended.
        shard: which part of a larger run this is.
        is_whole: nothing stopped the run; a shard that was stopped leaves no note.
        is_part: other runs write other cases of the folder; a later one writes the tables.
    """
    failures = [r.failure for r in sorted(reports, key=lambda r: r.number) if r.failure]
    good = {report.case for report in reports if report.error is None}
    files = [e for e in entries if e.series is None]  # folders of DICOM files may name patients
    places = {e.name.case: str(e.place.absolute()) for e in files if e.name.case in good}
    tally = Tally(good=sorted(good), places=places, failures=failures, refusals=refusals)
    records: Sequence[Row] = ()
    damaged: Sequence[OutputError] = ()
    missing: tuple[int, ...] = ()
    if is_part:
        leave_part(out, tally)
    elif shard is None:
        remove_notes(out)
        records, damaged = write_cohort(out, tally)
    elif is_whole:
        leave_note(out, shard, tally)
        with last_of_all(out, shard) as (everything, missing):
            if not missing:
                records, damaged = write_cohort(out, everything)
    return ScreenOutcome(
        records=tuple(records),
        failures=tuple(failures),
        damaged=tuple(damaged),
        resumed=sum(1 for report in reports if report.stage == "resumed"),
        missing=missing,
        has_tables=not (is_part or missing),
    )


def cases_beside_tables(out: Path) -> tuple[list[str], list[str]]:
    """Cases that the tables list without a record, and records that the tables do not know.

    The first are lost. The second were made by a run that was cut off before its end: the same
    command again writes the tables.
    """
    records = {path.name.removesuffix("_case.json") for path in find_records(out)}
    listed = listed_cases(out)
    refused = {row["case"] for row in read_failures(out / "failures.tsv")}
    return sorted(listed - records), sorted(records - listed - refused)


def write_cohort(out: Path, tally: Tally) -> tuple[list[Row], list[OutputError]]:
    """Write tables and index from every case in the folder; nobody else may be writing.

    They depend on the cases alone, not on the order or the number of runs that made them. An
    earlier result of a scan that is now refused stays on disk and out of the tables.

    Args:
        out: output folder.
        tally: scans of this run; what failures.tsv said about them earlier is forgotten, and so is
            what it said about mistakes that have gone from the same tables and folders.

    Returns:
        Records of the tables, and an error for every record that cannot be used.
    """
    with parts_taken(out, tally) as everything:
        return _write_cohort(out, everything)


def _write_cohort(out: Path, tally: Tally) -> tuple[list[Row], list[OutputError]]:
    remove_leftovers(out)
    remember_sources(out, tally.places)
    over = tally.cases | gone_from(out, tally.refusals)
    earlier = [row for row in read_failures(out / "failures.tsv") if row["case"] not in over]
    new = [{column: cell(text) for column, text in row.items()} for row in tally.failures]
    failures = sorted([*earlier, *new], key=lambda row: (row["case"], row["file"]))
    records, damaged = _records_beside(out, failures)
    write_tables(out, records=records, failures=failures)
    write_index(out, records=records, failures=failures)
    keep_refusals(out, tally.refusals)
    return records, damaged


def altered_tables(out: Path) -> list[str]:
    """Tables and pages of the cohort that are not what their cases give.

    Who was refused and why is stated by failures.tsv and, from the same run, by the page: they are
    compared with each other.
    """
    failures = read_failures(out / "failures.tsv")
    records, _ = _records_beside(out, failures)
    texts = table_texts(records=records, failures=failures)
    if not _is_older(out / "index.html", than=out / SCORES):  # else the next run shows the scores
        texts["index.html"] = index_text(out, records=records, failures=failures)
    return [name for name, text in texts.items() if not _holds(out / name, text)]


def _is_older(path: Path, *, than: Path) -> bool:
    is_there = path.is_file() and than.is_file()
    return is_there and path.stat().st_mtime_ns < than.stat().st_mtime_ns


def _holds(path: Path, text: str) -> bool:
    try:
        return path.read_bytes() == text.encode("utf-8", "backslashreplace")
    except OSError:
        return False


def _records_beside(
    out: Path, failures: Sequence[Mapping[str, str]]
) -> tuple[list[Row], list[OutputError]]:
    """Records of cases that are not refused, and an error for every one that cannot be used."""
    hidden = {row["case"] for row in failures if row["code"] != KEPT_CODE}
    records, damaged = [], []
    for path in find_records(out):
        try:
            record = read_record(path)
        except OutputError as error:
            damaged.append(error)
            continue
        if record["case"] not in hidden:
            records.append(record)
    return records, damaged
