"""Measure one healthy scan for a calibration: the analysis that judges patients, and its file."""

from dataclasses import dataclass
from typing import Any, ClassVar

from medsym.calibration.people import HealthyScan
from medsym.calibration.store import PASSING
from medsym.errors import OutputError
from medsym.inference.case import CaseResult
from medsym.inference.clock import StageClock
from medsym.inference.maps import regional
from medsym.screening.entry import ScanEntry
from medsym.screening.lock import case_lock
from medsym.screening.measured_scan import (
    MeasuredScan,
    measured_path,
    read_measured,
    write_measured,
)
from medsym.screening.records import model_identity, software
from medsym.screening.runner import ScanRunner
from medsym.screening.sources import source_hashes
from medsym.volumes.volume import content_sha256


@dataclass(frozen=True, kw_only=True, slots=True)
class HealthyRunner(ScanRunner):
    """Measures one healthy scan after another; ``out`` is a folder of passing files.

    A patient's scan that is not assessable gets no p-value, so a healthy one gives none.
    """

    traces: ClassVar[str] = f"{PASSING}/logs"

    def all_that_decides(self, entry: ScanEntry) -> dict[str, Any]:
        """All that the numbers of a scan depend on; reads its files, unpacks it if it is packed."""
        scan, masks = source_hashes(entry)
        return {
            "scan": scan,
            "masks": masks,
            "model": model_identity(self.model),
            "options": self.decides(entry),
            "software": software(),
        }

    def process(self, entry: ScanEntry, *, clock: StageClock) -> tuple[str, str]:
        """Measure a scan unless that was done; returns how it ended, and the digest of its file."""
        path = measured_path(self.out, entry.name.case)
        with case_lock(self.out, entry.name.case):
            decides = self.all_that_decides(entry)
            kept = read_measured(path, decides=decides)
            if kept is not None:
                return "resumed", kept.digest
            result = self.analyse(entry, enter=clock.enter)
            if result.prepared.scan.sha256 != decides["scan"]:
                raise _changed(entry)
            clock.enter("write")
            scan = kept_of(result) if result.is_assessable else None
            found = MeasuredScan(decides=decides, reasons=tuple(result.reasons), scan=scan)
            digest = write_measured(path, found)
        return "done" if result.is_assessable else "not assessable", digest


def _changed(entry: ScanEntry) -> OutputError:
    return OutputError(
        code="MS-742",
        subject=entry.path.name,
        cause="the scan changed while it was measured",
        fix="run the same command again when nobody writes into the folder of the scan",
    )


def kept_of(result: CaseResult) -> HealthyScan:
    """What a calibration keeps of a scan, besides whose it is."""
    maps = result.maps
    spacing = result.prepared.grid.spacing_mm
    return HealthyScan.of(
        regional(maps.asymmetry, domain=maps.domain, spacing_mm=spacing),
        domain=maps.domain,
        brain=maps.brain,
        person="",
        sha256=result.prepared.scan.sha256 or "",
        content_sha256=content_sha256(result.prepared.scan),
        features=result.calibration.features,
    )
