"""What was measured of one healthy scan, in a file of its own until the calibration is made.

A calibration of hundreds of scans takes hours: each scan is kept as soon as it is measured, so that
a run that was cut off goes on, and so that several processes can measure. The files say how each
scan deviates, so they go when the calibration is written.
"""

import hashlib
import json
import shutil
from collections.abc import Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from medsym.calibration.normative import Moments
from medsym.calibration.people import HealthyScan
from medsym.calibration.store import PASSING
from medsym.screening.entry import ScanEntry
from medsym.volumes.output_file import write_atomically

_MAPS = ("squares", "firsts", "weights")


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredScan:
    """One scan of a calibration.

    Attributes:
        decides: all that the numbers depend on: scan, masks, model, options, software.
        reasons: why the scan is not assessable; empty if it is.
        scan: what the calibration needs, without saying whose it is; None if not assessable.
    """

    decides: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    scan: HealthyScan | None = None

    def of(self, entry: ScanEntry) -> HealthyScan | None:
        """The scan with what the user states about it."""
        if self.scan is None:
            return None
        return replace(self.scan, person=entry.person, covariates=entry.covariates)


def measured_path(folder: Path, case: str) -> Path:
    """File of a case."""
    return folder / f"{case}.measured"


def remove_passing(folder: Path) -> None:
    """Remove what was measured once the calibration is written; traces of errors stay."""
    traces = sorted((folder / PASSING / "logs").glob("*_error.txt"))
    for trace in traces:
        (folder / "logs").mkdir(exist_ok=True)
        trace.replace(folder / "logs" / trace.name)
    shutil.rmtree(folder / PASSING, ignore_errors=True)


def write_measured(path: Path, measured: MeasuredScan) -> None:
    """Write a file, whole or not at all.

    Raises:
        OutputError: MS-141.
    """
    from safetensors.numpy import save

    stated: dict[str, Any] = {"decides": measured.decides, "reasons": measured.reasons}
    tensors = {}
    if (scan := measured.scan) is not None:
        tensors = {"values": scan.values, "places": scan.places}
        tensors |= {name: getattr(scan.moments, name) for name in _MAPS}
        stated |= {
            "sha256": scan.sha256,
            "content_sha256": scan.content_sha256,
            "features": dict(scan.features),
            "moments": {"levels": scan.moments.levels, "count": scan.moments.count},
        }
    arrays = {name: np.ascontiguousarray(array) for name, array in tensors.items()}
    payload = save(arrays, metadata={"stated": json.dumps(stated)})
    digest = hashlib.sha256(payload).hexdigest().encode("ascii")
    write_atomically(path, digest + b"\n" + payload)


def read_measured(path: Path, *, decides: Mapping[str, Any]) -> MeasuredScan | None:
    """What ``write_measured`` wrote; None if it is not there, damaged, or of something else."""
    from safetensors.numpy import load

    try:
        digest, _, payload = path.read_bytes().partition(b"\n")
    except OSError:
        return None
    if hashlib.sha256(payload).hexdigest().encode("ascii") != digest:
        return None
    length = int.from_bytes(payload[:8], "little")
    stated = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["stated"])
    if stated["decides"] != json.loads(json.dumps(decides)):
        return None
    tensors = load(payload)
    scan = None
    if tensors:
        scan = HealthyScan(
            person="",
            sha256=stated["sha256"],
            content_sha256=stated["content_sha256"],
            values=tensors["values"],
            places=tensors["places"],
            moments=Moments(
                squares=tensors["squares"],
                firsts=tensors["firsts"],
                weights=tensors["weights"],
                levels=stated["moments"]["levels"],
                count=stated["moments"]["count"],
            ),
            features=stated["features"],
        )
    return MeasuredScan(decides=decides, reasons=tuple(stated["reasons"]), scan=scan)
