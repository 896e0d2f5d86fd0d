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
from medsym.errors import OutputError
from medsym.screening.entry import ScanEntry
from medsym.volumes.output_file import write_atomically

#: Of what is stated in a file; another one is measured again.
_FORMAT = 1
_MAPS = ("squares", "firsts", "weights")


@dataclass(frozen=True, kw_only=True, slots=True)
class MeasuredScan:
    """One scan of a calibration.

    Attributes:
        decides: all that the numbers depend on: scan, masks, model, options, software.
        reasons: why the scan is not assessable; empty if it is.
        scan: what the calibration needs, without saying whose it is; None if not assessable.
        digest: of the file it was read from; "" before it is written.
    """

    decides: Mapping[str, Any]
    reasons: tuple[str, ...] = ()
    scan: HealthyScan | None = None
    digest: str = ""

    def of(self, entry: ScanEntry) -> HealthyScan | None:
        """The scan with what the user states about it."""
        if self.scan is None:
            return None
        return replace(self.scan, person=entry.person, covariates=entry.covariates)


def measured_path(folder: Path, case: str) -> Path:
    """File of a case."""
    return folder / f"{case}.measured"


def remove_passing(folder: Path) -> None:
    """Remove what was measured once the calibration is written; traces of errors stay.

    Raises:
        OutputError: MS-741 it cannot be removed.
    """
    traces = sorted((folder / PASSING / "logs").glob("*_error.txt"))
    for trace in traces:
        (folder / "logs").mkdir(exist_ok=True)
        trace.replace(folder / "logs" / trace.name)
    try:
        shutil.rmtree(folder / PASSING)
    except FileNotFoundError:
        return
    except OSError as error:
        raise OutputError(
            code="MS-741",
            subject=str(folder / PASSING),
            cause=f"cannot be removed ({error.strerror or error}); it says how each scan deviates",
            fix="remove it by hand: the calibration beside it is written and does not need it",
        ) from None


def write_measured(path: Path, measured: MeasuredScan) -> str:
    """Write a file, whole or not at all; returns its digest.

    Raises:
        OutputError: MS-141.
    """
    from safetensors.numpy import save

    stated: dict[str, Any] = {
        "format": _FORMAT,
        "decides": measured.decides,
        "reasons": measured.reasons,
    }
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
    digest = hashlib.sha256(payload).hexdigest()
    write_atomically(path, digest.encode("ascii") + b"\n" + payload)
    return digest


def read_measured(
    path: Path, *, decides: Mapping[str, Any] | None = None, digest: str | None = None
) -> MeasuredScan | None:
    """What ``write_measured`` wrote; None if it is not there, damaged, or of something else.

    Args:
        path: of the file.
        decides: all that its numbers have to depend on, if that is asked.
        digest: that it has to have, if that is asked.
    """
    from safetensors import SafetensorError

    try:
        stated_digest, _, payload = path.read_bytes().partition(b"\n")
        found = hashlib.sha256(payload).hexdigest()
        if stated_digest != found.encode("ascii") or digest not in {None, found}:
            return None
        length = int.from_bytes(payload[:8], "little")
        stated = json.loads(json.loads(payload[8 : 8 + length])["__metadata__"]["stated"])
        is_other = decides is not None and stated["decides"] != json.loads(json.dumps(decides))
        if is_other or stated["format"] != _FORMAT:
            return None
        return replace(_measured(stated, payload), digest=found)
    except (OSError, ValueError, KeyError, TypeError, SafetensorError):
        return None


def _measured(stated: Mapping[str, Any], payload: bytes) -> MeasuredScan:
    from safetensors.numpy import load

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
    return MeasuredScan(decides=stated["decides"], reasons=tuple(stated["reasons"]), scan=scan)
