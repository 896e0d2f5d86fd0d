"""Screen one scan: keep or refuse what exists, analyse, write; errors stay with their scan."""

import logging
import time
import traceback
from collections.abc import Callable, Mapping
from dataclasses import asdict, dataclass, field, replace
from pathlib import Path
from typing import Any, ClassVar, Literal

from medsym.calibration.calibration import Calibration
from medsym.calibration.people import PERSON
from medsym.calibration.reference import DeviationReference
from medsym.errors import MedsymError, OutputError
from medsym.inference.case import CaseResult, Options, analyse_scan
from medsym.inference.clock import StageClock, one_thread
from medsym.models.store import LoadedModel
from medsym.screening.entry import ScanEntry
from medsym.screening.journal import process_cost
from medsym.screening.lock import case_lock
from medsym.screening.outputs import CaseWriter
from medsym.screening.progress import Progress, ScanReport
from medsym.screening.records import (
    damaged_files,
    model_identity,
    plain,
    read_record,
    software,
)
from medsym.screening.sources import read_source, source_hashes, source_options
from medsym.volumes.nifti import USUAL_GIB, read_scan
from medsym.volumes.volume import Volume

log = logging.getLogger(__name__)

#: The only refusal that keeps earlier results of the name: they belong to something else.
KEPT_CODE = "MS-152"


@dataclass(frozen=True, kw_only=True, slots=True)
class ScreenOptions:
    """What a user may choose for a run.

    Attributes:
        assume_orientation: axis codes for files that state no orientation, such as "RAS".
        volume_index: which volume of a 4-D file.
        max_gib: refuse files that declare more than this.
        allow_shear: accept sheared affines.
        replace: "never" refuses to replace results of another scan, model or option set,
            "outdated" replaces those, "all" recomputes finished cases too.
        analysis: options of the analysis itself.
        calibration: on healthy scans; None is the reference of the model.
        device: where the network runs, cpu or cuda; the last digits of results depend on it.
        recomputing_since: when "all" began (ns, by the clock of the folder's files): results that
            are newer are kept, because a run that was cut off goes on.
    """

    assume_orientation: str | None = None
    volume_index: int | None = None
    max_gib: float = USUAL_GIB
    allow_shear: bool = False
    replace: Literal["never", "outdated", "all"] = "never"
    analysis: Options = field(default_factory=Options)
    calibration: Calibration | None = None
    device: str = "cpu"
    recomputing_since: int | None = None

    def __post_init__(self) -> None:
        """Refuse options that the calibration was not made with (MS-518)."""
        if self.calibration:
            self.calibration.check_options(asdict(self.analysis))

    def read(self, path: Path) -> Volume:
        """Read a scan as the user asked for it.

        Raises:
            ScanError: it cannot be used.
        """
        return read_scan(
            path,
            max_gib=self.max_gib,
            assume_orientation=self.assume_orientation,
            volume_index=self.volume_index,
            allow_shear=self.allow_shear,
        )

    def fingerprint(self, covariates: Mapping[str, str | float] | None = None) -> dict[str, Any]:
        """What decides the result, kept in case.json.

        Args:
            covariates: of the scan; those that the calibration asks for decide, too.
        """
        used = self.calibration.columns if self.calibration else ()
        stated = {column: (covariates or {}).get(column) for column in used}
        sha256 = self.calibration.sha256 if self.calibration else None
        judged = {"calibration": sha256, "covariates": plain(stated)}
        return {
            "assume_orientation": self.assume_orientation,
            "volume_index": self.volume_index,
            "allow_shear": self.allow_shear,
            **asdict(self.analysis),
            **(judged if self.calibration else {}),
            **({} if self.device == "cpu" else {"device": self.device}),
        }


@dataclass(frozen=True, kw_only=True, slots=True)
class ScanRunner:
    """Screens one scan after another with the same model and options.

    Attributes:
        out: output folder.
        model: network and manifest.
        options: what the user chose.
        reference: healthy reference of the model.
        tell: told about every stage.
        traces: where traces of errors lie, as seen from the folder that the user named.
    """

    traces: ClassVar[str] = "logs"
    out: Path
    model: LoadedModel
    options: ScreenOptions
    reference: DeviationReference
    tell: Callable[[Progress], None]

    def one(self, entry: ScanEntry, *, number: int, total: int) -> ScanReport:
        """Screen one scan; an error is part of the report."""
        begun, used = time.perf_counter(), process_cost()["cpu_s"]
        here = Progress(number=number, total=total, name=entry.name.case, stage="", seconds=0.0)

        def tell(stage: str) -> None:
            self.tell(replace(here, stage=stage, seconds=time.perf_counter() - begun))

        clock, error, stage, digest = StageClock(tell), None, "refused", ""
        try:
            # Numbers of other thread counts differ in their last digits: results would depend on
            # where they were made. The network takes less than a second on one thread.
            with one_thread():
                stage, digest = self.process(entry, clock=clock)
        except MedsymError as refusal:
            error = refusal
        except Exception as unforeseen:
            error = self._unexpected(unforeseen, entry)
        clock.enter("")
        cost: dict[str, Any] = dict(process_cost())
        cost["cpu_s"] = round((cost["cpu_s"] or 0.0) - (used or 0.0), 3)
        cost["stages_cpu_s"] = clock.processor
        return ScanReport(
            number=number,
            case=entry.name.case,
            file=entry.file,
            stage=stage,
            error=error,
            total_s=round(time.perf_counter() - begun, 3),
            seconds=clock.seconds,
            cost=cost,
            digest=digest,
        )

    def process(self, entry: ScanEntry, *, clock: StageClock) -> tuple[str, str]:
        """Screen a scan unless that was done; returns how it ended, and no digest."""
        with case_lock(self.out, entry.name.case):
            writer = CaseWriter(out=self.out, name=entry.name, model=self.model)
            if self._is_done(entry, writer):
                return "resumed", ""
            result = self.analyse(entry, enter=clock.enter)
            writer.write_case(result, options=self.decides(entry), progress=clock.enter)
        return "done" if result.is_assessable else "not assessable", ""

    def analyse(self, entry: ScanEntry, *, enter: Callable[[str], None]) -> CaseResult:
        """Read and analyse a scan as the user asked for it."""
        enter("read")
        source = read_source(entry, read=self.options.read)
        return analyse_scan(
            source.scan,
            self.model,
            options=self.options.analysis,
            reference=self.reference,
            calibration=self.options.calibration,
            covariates={**entry.covariates, PERSON: entry.person},
            progress=enter,
            brain_mask=source.brain_mask,
            exclusion=source.exclusion,
        )

    def decides(self, entry: ScanEntry) -> dict[str, Any]:
        """Options that decide the result of a scan."""
        return self.options.fingerprint(entry.covariates) | source_options(entry)

    def _is_done(self, entry: ScanEntry, writer: CaseWriter) -> bool:
        """True if the case can be kept.

        Raises:
            OutputError: MS-152 if results of something else would be replaced.
        """
        if not writer.record_path.is_file() or self._is_to_be_recomputed(writer.record_path):
            return False
        try:
            record = read_record(writer.record_path)
        except OutputError:
            return False
        if damaged_files(record, out=self.out):
            return False
        scan, masks = source_hashes(entry)
        same = (
            record["scan"]["sha256"] == scan
            and {mask["kind"]: mask["sha256"] for mask in record["masks"]} == masks
            and record["model"] == model_identity(self.model)
            and record["options"] == self.decides(entry)
            and record["software"]["medsym"] == software()["medsym"]
        )
        if not same and self.options.replace == "never":
            raise OutputError(
                code=KEPT_CODE,
                subject=entry.path.name,
                cause="results of another scan, mask, model, calibration or option set are there",
                fix="choose another folder, or replace them with --overwrite",
            )
        return same

    def _is_to_be_recomputed(self, record: Path) -> bool:
        since = self.options.recomputing_since
        is_newer = since is not None and record.stat().st_mtime_ns > since
        return self.options.replace == "all" and not is_newer

    def _unexpected(self, error: Exception, entry: ScanEntry) -> MedsymError:
        """Wrap an error nobody foresaw; its trace goes into the log folder."""
        trace = "".join(traceback.format_exception(error))
        name = f"{entry.name.case}_error.txt"
        (self.out / "logs" / name).write_text(trace, encoding="utf-8")
        log.debug("%s", trace)
        return OutputError(
            code="MS-190",
            subject=entry.path.name,
            cause=f"unexpected {type(error).__name__}",
            fix=f"see {self.traces}/{name} in the output folder and report it",
        )
