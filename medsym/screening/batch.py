"""Screen many scans into one folder: one failing scan never stops the others, a rerun resumes."""

import json
import logging
from collections.abc import Callable, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from medsym.errors import OutputError
from medsym.inference.case import reference_of
from medsym.inference.deviation import DeviationReference
from medsym.models.store import LoadedModel
from medsym.screening.lock import output_lock
from medsym.screening.naming import CaseName, name_cases
from medsym.screening.records import find_records, read_record
from medsym.screening.report import write_index
from medsym.screening.runner import Progress, ScanRunner, ScreenOptions
from medsym.screening.table import read_failures, write_tables
from medsym.volumes.writer import write_json

log = logging.getLogger(__name__)

Row = dict[str, Any]


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenOutcome:
    """What a run did.

    Attributes:
        records: records of every case in the folder, earlier runs included.
        failures: scans of this run that were refused (file, code, cause, fix).
        resumed: number of scans that were already done.
    """

    records: tuple[Row, ...]
    failures: tuple[dict[str, str], ...]
    resumed: int


def screen(
    scans: Sequence[Path],
    out: Path,
    *,
    model: LoadedModel,
    options: ScreenOptions | None = None,
    reference: DeviationReference | None = None,
    progress: Callable[[Progress], None] | None = None,
) -> ScreenOutcome:
    """Screen scans into a folder.

    Args:
        scans: scan files.
        out: output folder, made if missing.
        model: network and manifest.
        options: see ``ScreenOptions``.
        reference: healthy reference; by default the one shipped with the model.
        progress: told about every stage of every scan.

    Raises:
        OutputError: MS-140 folder not writable, MS-150 two scans with one name, MS-151 another run.
    """
    options = options or ScreenOptions()
    names = name_cases(scans)
    _make_folder(out)
    out = out.resolve()
    with output_lock(out) as lock:
        run = ScanRunner(
            out=out,
            model=model,
            options=options,
            reference=reference or reference_of(model),
            tell=progress or (lambda _: None),
        )
        states = []
        for number, (path, name) in enumerate(names.items(), start=1):
            lock.touch()
            states.append(run.one(path, name, number=number, total=len(names)))
            _remember_source(out, name=name, path=path)
        failures = [state for state in states if isinstance(state, dict)]
        records = finish(out, failures=failures, attempted={p.name for p in names})
    return ScreenOutcome(
        records=tuple(records), failures=tuple(failures), resumed=states.count("resumed")
    )


def _make_folder(out: Path) -> None:
    try:
        (out / "logs").mkdir(parents=True, exist_ok=True)
        probe = out / "logs" / ".probe"
        probe.write_bytes(b"")
        probe.unlink()
    except OSError as error:
        raise OutputError(
            code="MS-140",
            subject=str(out),
            cause=f"the output folder cannot be written ({error.strerror})",
            fix="choose another folder with --out, or free its space and permissions",
        ) from error


def _remember_source(out: Path, *, name: CaseName, path: Path) -> None:
    """Where the scan lies, for the viewer on this site; never part of case.json."""
    sources = out / "logs" / "sources.json"
    try:
        known = dict(json.loads(sources.read_text(encoding="utf-8")))
    except (OSError, ValueError, TypeError):
        known = {}
    write_json(sources, {**known, name.case: str(path.absolute())})


def finish(out: Path, *, failures: Sequence[dict[str, str]], attempted: set[str]) -> list[Row]:
    """Write tables and index from every case in the folder.

    Args:
        out: output folder.
        failures: scans refused in this run.
        attempted: file names of this run; their earlier failures are forgotten.
    """
    earlier = [
        row for row in read_failures(out / "failures.tsv") if row.get("file") not in attempted
    ]
    records = []
    for path in find_records(out):
        try:
            records.append(read_record(path))
        except OutputError as error:
            log.warning("%s", error)
    everything = [*earlier, *failures]
    write_tables(out, records=records, failures=everything)
    write_index(out, records=records, failures=everything)
    return records
