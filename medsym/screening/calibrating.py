"""Measure healthy scans for a calibration: each goes through the analysis that judges patients."""

from collections.abc import Callable, Iterator, Mapping, Sequence
from contextlib import contextmanager
from dataclasses import dataclass
from pathlib import Path

from medsym.calibration.people import PERSON, HealthyScan
from medsym.calibration.store import PASSING, check_free, is_whole
from medsym.errors import AnatomyError, ConfigError, GridError, MedsymError, OutputError, ScanError
from medsym.inference.case import reference_of
from medsym.models.store import LoadedModel
from medsym.screening import journal
from medsym.screening.entry import ScanEntry
from medsym.screening.folder import open_folder
from medsym.screening.lock import output_lock
from medsym.screening.loop import note, reports
from medsym.screening.measured_scan import measured_path, read_measured, remove_passing
from medsym.screening.measuring import HealthyRunner
from medsym.screening.progress import Progress, ScanReport
from medsym.screening.runner import ScreenOptions
from medsym.screening.shards import whole_lock
from medsym.screening.workers.supervise import Fleet

#: Refusals that say nothing about a scan: it cannot be opened or unpacked at the moment.
_NOT_ITS_FAULT = frozenset({"MS-108", "MS-684"})


@dataclass(frozen=True, kw_only=True, slots=True)
class Measured:
    """Healthy scans, and those that cannot be used.

    Attributes:
        scans: measured.
        left_out: (case, sentence) of scans that were refused or are not assessable.
        failed: (case, sentence) of scans of which nobody knows, because a machine failed.
    """

    scans: tuple[HealthyScan, ...]
    left_out: tuple[tuple[str, str], ...]
    failed: tuple[tuple[str, str], ...] = ()


@contextmanager
def calibration_folder(out: Path) -> Iterator[Path]:
    """Hold the folder of a calibration from the first scan until it is written.

    What an earlier run had measured for a calibration that is finished is removed.

    Yields:
        Its folder for what is measured.

    Raises:
        OutputError: MS-506 it holds something, MS-140 it takes no files, MS-151 another run.
    """
    if not (out / PASSING).is_dir():
        check_free(out)
    with output_lock(out):
        if is_whole(out):
            remove_passing(out)
        check_free(out)
        yield out / PASSING


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
        return _collected(entries, ended, folder=folder)


def _collected(
    entries: Sequence[ScanEntry], ended: Mapping[int, ScanReport], *, folder: Path
) -> Measured:
    """Everything in the order of the entries, whoever measured it, and when."""
    scans: list[HealthyScan] = []
    left_out: list[tuple[str, str]] = []
    failed: list[tuple[str, str]] = []
    for number, entry in enumerate(entries, start=1):
        case, report = entry.name.case, ended[number]
        if report.error is not None:
            is_its_own = entry.refusal is not None or _is_about_scan(report.error)
            (left_out if is_its_own else failed).append((case, str(report.error)))
            continue
        found = read_measured(measured_path(folder, case), digest=report.digest)
        if found is None:
            failed.append((case, str(_lost(case, folder))))
        elif (scan := found.of(entry)) is not None:
            scans.append(scan)
        else:
            left_out.append((case, f"not assessable: {'; '.join(found.reasons)}"))
    return Measured(scans=tuple(scans), left_out=tuple(left_out), failed=tuple(failed))


def _is_about_scan(error: MedsymError) -> bool:
    """Whether every machine would refuse the scan: else a person would be left out by chance."""
    is_refusal = isinstance(error, ScanError | GridError | AnatomyError)
    return is_refusal and error.code not in _NOT_ITS_FAULT


def _lost(case: str, folder: Path) -> OutputError:
    return OutputError(
        code="MS-743",
        subject=measured_path(folder, case).name,
        cause="what was measured is gone, or is not what its worker wrote",
        fix="run the same command again; no other program may change the folder of the calibration",
    )
