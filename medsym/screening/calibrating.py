"""Measure healthy scans for a calibration: each goes through the analysis that judges patients."""

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass
from pathlib import Path

from medsym.calibration.people import PERSON, HealthyScan
from medsym.errors import ConfigError
from medsym.inference.case import reference_of
from medsym.models.store import LoadedModel
from medsym.screening import journal
from medsym.screening.entry import ScanEntry
from medsym.screening.folder import open_folder
from medsym.screening.loop import note, reports
from medsym.screening.measuring import HealthyRunner
from medsym.screening.progress import Progress, ScanReport
from medsym.screening.runner import ScreenOptions
from medsym.screening.shards import whole_lock
from medsym.screening.workers.supervise import Fleet


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Healthy scans, and those that cannot be used.

    Attributes:
        scans: measured.
        left_out: (case, sentence) of scans that were refused or are not assessable.
    """

    scans: tuple[HealthyScan, ...]
    left_out: tuple[tuple[str, str], ...]


def people_of(entries: Sequence[ScanEntry]) -> dict[str, dict[str, Mapping[str, str | float]]]:
    """Covariates of every scan of each person.

    Raises:
        ConfigError: MS-516 nothing says whose scan one is: two visits of somebody would count as
            two people, and the promised rate would not hold; MS-519 one has an exclusion mask.
    """
    entries = [entry for entry in entries if entry.refusal is None]
    unknown = [e for e in entries if not e.name.subject_stated and PERSON not in e.covariates]
    if unknown:
        raise ConfigError(
            code="MS-516",
            subject=unknown[0].path.name,
            cause=f"nothing says whose scan this is ({len(unknown)} of {len(entries)} scans)",
            fix="name files sub-<person>_T1w.nii.gz, or give a table with a row per scan and the "
            f"columns scan and {PERSON}",
        )
    masked = [entry for entry in entries if entry.exclusion_mask is not None]
    if masked:
        raise ConfigError(
            code="MS-519",
            subject=masked[0].path.name,
            cause=f"has an exclusion mask ({len(masked)} of {len(entries)} scans): less of the "
            "brain was compared, so its largest deviation is too small for patients without a mask",
            fix="leave these scans out of the calibration",
        )
    people: dict[str, dict[str, Mapping[str, str | float]]] = {}
    for entry in entries:
        people.setdefault(entry.person, {})[entry.name.case] = entry.covariates
    return people


def measure_healthy(
    entries: Sequence[ScanEntry],
    folder: Path,
    *,
    model: LoadedModel,
    options: ScreenOptions,
    progress: Callable[[Progress], None] | None = None,
    fleet: Fleet | None = None,
) -> Measured:
    """Analyse healthy scans; a scan that cannot be used is left out by name.

    Args:
        entries: scans with covariates; ``PERSON`` among them, or the subject, says whose they are.
        folder: for passing files of what was measured; with those of an earlier run it goes on.
        model: that the calibration is for.
        options: of reading and analysis, as patients' scans will get.
        progress: told about every stage of every scan.
        fleet: who does the work; by default this process, one scan after another.

    Raises:
        OutputError: MS-140 the folder cannot be written, MS-151 another run works in it.
    """
    tell, folder = progress or (lambda _: None), open_folder(folder)
    run = HealthyRunner(
        out=folder, model=model, options=options, reference=reference_of(model), tell=tell
    )
    ended: dict[int, ScanReport] = {}
    with whole_lock(folder):
        journal.append(folder, "run begins", scans=len(entries))
        try:
            for report in reports(entries, run=run, fleet=fleet, purpose="measure"):
                ended[report.number] = report
                note(folder, report)
                tell(report.as_progress(len(entries)))
        except BaseException:
            if fleet is not None:
                fleet.end()
            raise
        return _collected(entries, ended, run=run)


def _collected(
    entries: Sequence[ScanEntry], ended: Mapping[int, ScanReport], *, run: HealthyRunner
) -> Measured:
    """Everything in the order of the entries, whoever measured it, and when."""
    scans: list[HealthyScan] = []
    left_out = []
    for number, entry in enumerate(entries, start=1):
        error = ended[number].error
        found = None if error else run.measured(entry)
        scan = None if found is None else found.of(entry)
        if scan is not None:
            scans.append(scan)
            continue
        why = f"not assessable: {'; '.join(found.reasons)}" if found else "it changed meanwhile"
        left_out.append((entry.name.case, str(error) if error else why))
    return Measured(scans=tuple(scans), left_out=tuple(left_out))
