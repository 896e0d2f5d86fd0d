"""case.json: the record of a case, how it is built, read and checked against its files."""

import hashlib
import json
import platform
from dataclasses import asdict
from pathlib import Path
from typing import Any

import numpy as np

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.calibration.reference import REFERENCE_HASH
from medsym.errors import OutputError
from medsym.inference.case import CaseResult
from medsym.inference.findings import EXTENT_SHARE
from medsym.models.store import LoadedModel
from medsym.screening.naming import CaseName
from medsym.upwards import UPWARDS, rounded_up
from medsym.volumes.stored_scan import scan_files
from medsym.volumes.volume import content_sha256

SCHEMA = 2
#: Key of the record's hash of everything else in it.
SEAL = "record_sha256"
#: Decimals kept in case.json: far below anything measured, and stable to read.
DECIMALS = 6


def build_record(
    result: CaseResult,
    *,
    name: CaseName,
    model: LoadedModel,
    options: dict[str, Any],
    files: dict[str, dict[str, str]],
) -> dict[str, Any]:
    """Record of a case; numbers are withheld (null) if it is not assessable.

    Args:
        result: the analysed case.
        name: its identity.
        model: the model that was used.
        options: what a rerun has to repeat for the case to count as done.
        files: kind -> {"path", "sha256"} of everything written, relative to the output folder.
    """
    shown = result.is_assessable
    summary = result.summary.as_dict()
    if not shown:
        summary = {**dict.fromkeys(summary), "brain_ml": result.summary.brain_ml}
    record = {
        "schema": SCHEMA,
        "case": name.case,
        "subject": name.subject,
        "session": name.session,
        "scan": _scan(result, name=name),
        "assessable": shown,
        "reasons": list(result.reasons),
        "masks": [asdict(mask) for mask in result.masks],
        "midplane": _midplane(result),
        "grid": {
            "shape": list(result.prepared.grid.shape),
            "spacing_mm": result.prepared.grid.spacing_mm,
        },
        "mirror_world": result.prepared.plane.reflection.tolist(),
        "quality": {key: getattr(result.gate, key) for key in result.gate.__slots__},
        "threshold": {
            "peak_sd": result.peak_sd,
            "extent_sd": EXTENT_SHARE * result.peak_sd,
            "false_alarm_rate": result.false_alarm_rate,
        },
        "calibration": result.calibration.as_dict(),
        "summary": summary,
        "structures": [row.as_dict() for row in result.structures] if shown else [],
        "findings": [row.as_dict() for row in result.findings],
        "files": files,
        "model": model_identity(model),
        "software": software(),
        "options": options,
        "research_use_only": RESEARCH_USE_ONLY,
    }
    return plain(record)


def _scan(result: CaseResult, *, name: CaseName) -> dict[str, Any]:
    scan = result.prepared.scan
    return {
        "file": name.given or (scan.path.name if scan.path else name.case),
        "sha256": scan.sha256,
        "content_sha256": content_sha256(scan),
        "shape": list(scan.shape),
        "spacing_mm": list(scan.spacing_mm),
        "axcodes": scan.axcodes,
        "affine_source": scan.affine_source,
        "notes": list(result.notes),
    }


def _midplane(result: CaseResult) -> dict[str, Any]:
    plane = result.prepared.plane
    return {
        "normal": plane.normal.tolist(),
        "offset_mm": plane.offset_mm,
        "score": plane.score,
        "yaw_deg": plane.yaw_deg,
        "roll_deg": plane.roll_deg,
        "method": plane.method,
    }


def model_identity(model: LoadedModel) -> dict[str, str]:
    """Name, version and hashes that say which weights and which reference made a result."""
    keys = ("name", "version", "sha256", REFERENCE_HASH)
    return {key: str(model.manifest.get(key, "")) for key in keys}


def software() -> dict[str, str]:
    """Versions that decide the numbers."""
    import torch

    return {
        "medsym": __version__,
        "torch": str(torch.__version__),
        "python": platform.python_version(),
    }


def plain(value: Any) -> Any:
    """Plain JSON values: lists, floats rounded (`UPWARDS`: up); what is not finite becomes null."""
    if isinstance(value, dict):
        return {
            str(key): plain(_upwards(item) if key in UPWARDS else item)
            for key, item in value.items()
        }
    if isinstance(value, list | tuple):
        return [plain(item) for item in value]
    if isinstance(value, bool | str | int) or value is None:
        return value
    if isinstance(value, np.integer):
        return int(value)
    number = float(value)
    return round(number, DECIMALS) if np.isfinite(number) else None


def _upwards(value: Any) -> Any:
    """A number that is no smaller with the decimals of a record; anything else as it is."""
    if isinstance(value, float | np.floating) and np.isfinite(value):
        return rounded_up(value, decimals=DECIMALS)
    return value


def sealed(record: dict[str, Any]) -> dict[str, Any]:
    """Record with a hash of its own content.

    The hash shows a record that was damaged, cut or edited. It does not prove who wrote it: whoever
    edits on purpose can compute it again.
    """
    content = {key: value for key, value in record.items() if key != SEAL}
    text = json.dumps(content, sort_keys=True, allow_nan=False)
    return {**content, SEAL: hashlib.sha256(text.encode("ascii")).hexdigest()}


def read_record(path: Path) -> dict[str, Any]:
    """Read a case.json that is as medsym wrote it, so that its keys need no further checks.

    Raises:
        OutputError: MS-153 if it is unreadable, of another schema, or was changed.
    """
    try:
        record = json.loads(path.read_text(encoding="utf-8"))
        known = isinstance(record, dict) and record.get("schema") == SCHEMA
        cause = "" if known else "the record of this case cannot be read"
        if known and record.get(SEAL) != sealed(record)[SEAL]:
            cause = "the record of this case is not as it was written"
    except (OSError, ValueError, RecursionError):
        cause = "the record of this case cannot be read"
    if cause:
        fix = "screen the scan again"
        raise OutputError(code="MS-153", subject=path.name, cause=cause, fix=fix)
    return record


def file_sha256(path: Path) -> str:
    """SHA-256 of a file's bytes, hexadecimal."""
    with path.open("rb") as stream:
        return hashlib.file_digest(stream, "sha256").hexdigest()


def scan_sha256(path: Path) -> str | None:
    """SHA-256 of a scan as its reader computes it, over both files of a pair; None if one is gone.

    A scan that was read has its hash in ``Volume.sha256``; this one needs no voxels.
    """
    digest = hashlib.sha256()
    for file in scan_files(path):
        if not file.is_file():
            return None
        with file.open("rb") as stream:
            hashlib.file_digest(stream, lambda: digest)
    return digest.hexdigest()


def damaged_files(record: dict[str, Any], *, out: Path) -> list[str]:
    """Paths (relative to the output folder) that are missing or differ from their hash."""
    damaged = []
    for entry in record["files"].values():
        path = out / entry["path"]
        inside = path.resolve().is_relative_to(out.resolve())
        if not (inside and path.is_file() and file_sha256(path) == entry["sha256"]):
            damaged.append(str(entry["path"]))
    return damaged


def listed_cases(out: Path) -> set[str]:
    """Cases that screening.json lists."""
    try:
        rows = json.loads((out / "screening.json").read_text(encoding="utf-8"))["cases"]
        return {str(row["case"]) for row in rows}
    except (OSError, ValueError, KeyError, TypeError):
        return set()


def find_records(out: Path) -> list[Path]:
    """Every case.json below an output folder, in the order of the case names."""
    return sorted(out.glob("sub-*/**/anat/*_case.json"), key=lambda path: path.name)
