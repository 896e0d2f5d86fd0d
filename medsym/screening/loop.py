"""Scan after scan, by this process or by workers, with a line of the journal for each."""

from collections.abc import Iterator, Sequence
from functools import partial
from pathlib import Path

from medsym.screening import journal
from medsym.screening.entry import ScanEntry
from medsym.screening.progress import ScanReport, refused
from medsym.screening.runner import ScanRunner
from medsym.screening.scratch import remove_left_behind
from medsym.screening.workers.supervise import Fleet, note_lost, reports_of
from medsym.screening.workers.tasks import Purpose, RunPlan


def reports(
    entries: Sequence[ScanEntry],
    *,
    run: ScanRunner,
    fleet: Fleet | None,
    purpose: Purpose = "screen",
) -> Iterator[ScanReport]:
    """How every scan ended; what the user's table refuses is not tried.

    What a killed run left of patients' images goes first, whether this one unpacks any or not.

    Args:
        entries: all scans of the run.
        run: what is done with a scan in this process.
        fleet: who does it instead; None for this process.
        purpose: which runner the workers of a fleet use.
    """
    remove_left_behind()
    total, willing = len(entries), []
    for number, entry in enumerate(entries, start=1):
        if entry.refusal is not None:
            yield refused(entry, number=number, error=entry.refusal)
        elif fleet is None:
            yield run.one(entry, number=number, total=total)
        else:
            willing.append((number, entry))
    if fleet is not None and willing:
        plan = RunPlan(
            out=run.out,
            model=run.model.folder.absolute(),
            sha256=str(run.model.manifest.get("sha256")),
            options=run.options,
            total=total,
            purpose=purpose,
        )
        yield from reports_of(
            willing, plan=plan.as_text(), fleet=fleet, lost=partial(note_lost, run.out)
        )


def note(out: Path, report: ScanReport) -> None:
    """One line of the journal for a scan; a case that was kept gets none."""
    if report.stage != "resumed":
        refusal = {} if report.error is None else {"code": report.error.code}
        journal.append(
            out,
            report.stage,
            case=report.case,
            **refusal,
            total_s=report.total_s,
            seconds=report.seconds,
            **report.cost,
        )
