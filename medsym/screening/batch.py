"""Screen many scans into one folder: one failing scan never stops the others, a rerun resumes."""

from collections import Counter
from collections.abc import Callable, Sequence
from contextlib import AbstractContextManager
from pathlib import Path

from medsym.calibration.reference import DeviationReference
from medsym.errors import ConfigError
from medsym.inference.case import reference_of
from medsym.models.store import LoadedModel
from medsym.screening import journal
from medsym.screening.conclusion import ScreenOutcome, conclude
from medsym.screening.entry import ScanEntry
from medsym.screening.folder import open_folder
from medsym.screening.loop import note, reports
from medsym.screening.manifest import entries_of_any
from medsym.screening.progress import Progress, ScanReport
from medsym.screening.recompute import recomputing
from medsym.screening.records import model_identity
from medsym.screening.refusals import refusals_of
from medsym.screening.runner import ScanRunner, ScreenOptions
from medsym.screening.shards import Shard, part_lock, shard_lock, whole_lock
from medsym.screening.workers.supervise import Fleet


def screen(
    scans: Sequence[ScanEntry | Path],
    out: Path,
    *,
    model: LoadedModel,
    options: ScreenOptions | None = None,
    reference: DeviationReference | None = None,
    progress: Callable[[Progress], None] | None = None,
    fleet: Fleet | None = None,
    shard: Shard | None = None,
    is_part: bool = False,
) -> ScreenOutcome:
    """Screen scans into a folder; tables and index are written even if the run is interrupted.

    Args:
        scans: entries, or files, folders and tables that ``entries_of`` understands.
        out: output folder, made if missing.
        model: network and manifest.
        options: see ``ScreenOptions``.
        reference: healthy reference; by default the one shipped with the model. Not with a fleet,
            whose workers read the model's.
        progress: told about every stage of every scan.
        fleet: who does the work; by default this process, one scan after another. It is ended
            if the run is stopped.
        shard: only this part of the scans, beside runs with the other parts; whoever ends last
            writes the tables.
        is_part: other runs may screen other scans into the folder meanwhile; the next run over the
            whole folder writes the tables.

    Raises:
        ConfigError: MS-564 a fleet cannot be given what is only in memory.
        OutputError: MS-140 folder not writable, MS-150 two scans with one name, MS-151 another run,
            MS-156 folder of another program, MS-563 runs with another number of shards.
    """
    if fleet is not None:
        _refuse_what_cannot_travel(options, reference)
    entries = entries_of_any(scans)
    mine = [entry for entry in entries if shard is None or shard.has(entry.name.case)]
    out = open_folder(out)
    tell, part = progress or (lambda _: None), {} if shard is None else {"shard": str(shard)}
    ended: list[ScanReport] = []
    is_whole = False
    chosen, identity = options or ScreenOptions(), model_identity(model)
    marked = recomputing(out, chosen, model=identity, shard=shard, is_part=is_part)
    with _held(out, shard=shard, is_part=is_part), marked as chosen:
        run = ScanRunner(
            out=out,
            model=model,
            options=chosen,
            reference=reference or reference_of(model),
            tell=tell,
        )
        journal.append(out, "run begins", scans=len(mine), **part)
        try:
            for report in reports(mine, run=run, fleet=fleet):
                ended.append(report)
                note(out, report)
                tell(report.as_progress(len(mine)))
            is_whole = True
        finally:
            if fleet is not None and not is_whole:
                fleet.end()  # nobody writes during what follows
            counts = Counter(report.stage for report in ended)
            outcome = conclude(
                out,
                mine,
                refusals=refusals_of(entries),
                reports=ended,
                shard=shard,
                is_whole=is_whole,
                is_part=is_part,
            )
            journal.append(out, "run ends", whole=is_whole, **part, scans=dict(counts))
    return outcome


def _held(out: Path, *, shard: Shard | None, is_part: bool) -> AbstractContextManager[None]:
    if is_part:
        return part_lock(out)
    return whole_lock(out) if shard is None else shard_lock(out, shard)


def _refuse_what_cannot_travel(
    options: ScreenOptions | None, reference: DeviationReference | None
) -> None:
    calibration = options.calibration if options else None
    if reference is not None or (calibration is not None and calibration.folder is None):
        raise ConfigError(
            code="MS-564",
            subject="fleet",
            cause="workers read models and calibrations from folders; this one is in memory only",
            fix="save it and load it again, or screen without a fleet",
        )
