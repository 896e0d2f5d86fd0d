"""Screen many scans into one folder: one failing scan never stops the others, a rerun resumes."""

from collections import defaultdict
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsym.calibration.reference import DeviationReference
from medsym.errors import OutputError
from medsym.inference.case import reference_of
from medsym.models.store import LoadedModel
from medsym.screening import journal
from medsym.screening.folder import open_folder, remember_sources, remove_leftovers
from medsym.screening.lock import output_lock
from medsym.screening.manifest import ScanEntry, entries_of_any
from medsym.screening.records import find_records, read_record
from medsym.screening.report import write_index
from medsym.screening.runner import KEPT_CODE, Progress, ScanReport, ScanRunner, ScreenOptions
from medsym.screening.table import read_failures, write_tables

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenOutcome:
    """What a run did.

    Attributes:
        records: records of every case in the folder, earlier runs included.
        failures: scans of this run that were refused (file, case, code, cause, fix).
        damaged: one MS-153 per record in the folder that cannot be used.
        resumed: number of scans that were already done.
    """

    records: tuple[Row, ...]
    failures: tuple[dict[str, str], ...]
    damaged: tuple[OutputError, ...]
    resumed: int

    @property
    def twins(self) -> tuple[tuple[str, ...], ...]:
        """Cases that are the same scan, by the hash of its file."""
        cases = defaultdict(list)
        for record in self.records:
            cases[record["scan"]["sha256"]].append(record["case"])
        return tuple(tuple(same) for same in cases.values() if len(same) > 1)


def screen(
    scans: Sequence[ScanEntry | Path],
    out: Path,
    *,
    model: LoadedModel,
    options: ScreenOptions | None = None,
    reference: DeviationReference | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScreenOutcome:
    """Screen scans into a folder; tables and index are written even if the run is interrupted.

    Args:
        scans: entries, or files, folders and tables that ``entries_of`` understands.
        out: output folder, made if missing.
        model: network and manifest.
        options: see ``ScreenOptions``.
        reference: healthy reference; by default the one shipped with the model.
        progress: told about every stage of every scan.

    Raises:
        OutputError: MS-140 folder not writable, MS-150 two scans with one name, MS-151 another run,
            MS-156 folder of another program.
    """
    entries = entries_of_any(scans)
    out = open_folder(out)
    reports: list[ScanReport] = []
    with output_lock(out) as beat:
        run = ScanRunner(
            out=out,
            model=model,
            options=options or ScreenOptions(),
            reference=reference or reference_of(model),
            tell=progress or (lambda _: None),
        )
        journal.append(out, "run begins", scans=len(entries))
        try:
            for number, entry in enumerate(entries, start=1):
                beat()
                report = run.one(entry, number=number, total=len(entries))
                reports.append(report)
                note(out, report)
        finally:
            outcome = finish(out, reports=reports, entries=entries)
    return outcome


def note(out: Path, report: ScanReport) -> None:
    """One line of the journal for a scan; a case that was kept gets none."""
    if report.stage != "resumed":
        failure = {"code": report.failure["code"]} if report.failure else {}
        journal.append(
            out,
            report.stage,
            case=report.case,
            **failure,
            seconds=report.seconds,
            total_s=round(sum(report.seconds.values()), 3),
            **report.cost,
        )


def finish(
    out: Path, *, reports: Sequence[ScanReport], entries: Sequence[ScanEntry]
) -> ScreenOutcome:
    """Write tables and index from every case in the folder.

    They depend on the cases alone, not on the order or the number of runs that made them. An
    earlier result of a scan that is now refused stays on disk and out of the tables.

    Args:
        out: output folder.
        reports: scans of this run; what failures.tsv said about them earlier is forgotten.
        entries: scans of this run.
    """
    remove_leftovers(out)
    failures = [report.failure for report in reports if report.failure]
    good = {report.case for report in reports if not report.failure}
    remember_sources(out, {e.name.case: e.path for e in entries if e.name.case in good})
    attempted = {report.case for report in reports}
    earlier = [row for row in read_failures(out / "failures.tsv") if row["case"] not in attempted]
    everything = sorted([*earlier, *failures], key=lambda row: (row["case"], row["file"]))
    refused = {row["case"] for row in everything if row["code"] != KEPT_CODE}
    records, damaged = [], []
    for path in find_records(out):
        try:
            record = read_record(path)
        except OutputError as error:
            damaged.append(error)
            continue
        if record["case"] not in refused:
            records.append(record)
    write_tables(out, records=records, failures=everything)
    write_index(out, records=records, failures=everything)
    kept = sum(1 for report in reports if report.stage == "resumed")
    journal.append(out, "run ends", attempted=len(reports), kept=kept, refused=len(failures))
    return ScreenOutcome(
        records=tuple(records), failures=tuple(failures), damaged=tuple(damaged), resumed=kept
    )
