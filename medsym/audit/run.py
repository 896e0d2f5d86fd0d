"""``medsym audit``: the report of a model or network file, on scans or on a made volume."""

import unicodedata
from collections.abc import Callable, Sequence
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from medsym.audit.inputs import scan_volume, synthetic_volume
from medsym.audit.network_audit import TOLERANCE, NetworkAudit, combine
from medsym.audit.subject import Subject, load_subject
from medsym.audit.volume_audit import VolumeAudit, audit_volume, silent
from medsym.errors import MedsymError, ModelError, ScanError
from medsym.inference.clock import one_thread
from medsym.volumes.nifti import read_scan
from medsym.volumes.output_file import is_safe_name, writable_folder, write_atomically

SYNTHETIC = "synthetic volume"


def run_audit(
    model: Path | None = None,
    *,
    scans: Sequence[Path] = (),
    out: Path | None = None,
    tolerance: float = TOLERANCE,
    report: Callable[[str], None] | None = None,
) -> dict[str, Any]:
    """Audit a network on scans, or on a synthetic volume where none is given.

    Args:
        model: A model folder, a YAML network file (``medsym.models.network_file``), or None for
            the shipped model.
        scans: NIfTI files; one that cannot be used is reported and the others go on.
        out: Folder for one picture per volume, created if missing; None draws none.
        tolerance: Relative defect from which a layer counts as having lost the mirror.
        report: Told what is being done.

    Returns:
        All numbers, ready for JSON and ``format_audit``; ``failures`` lists refused scans.

    Raises:
        ModelError: The model or its weights cannot be used; MS-277 the network does not run on
            the volume.
        ConfigError: The network file is wrong.
        ScanError: MS-278, none of the scans could be used.
        OutputError: A picture cannot be written.
    """
    say = report or silent
    subject = load_subject(model)
    if out is not None:
        writable_folder(out)  # before minutes of measuring
    failures: list[dict[str, str]] = []
    audits: list[VolumeAudit] = []
    timed: Tensor | None = None
    for scan in scans or (None,):
        name = SYNTHETIC if scan is None else scan.name
        try:
            volume = _volume(scan, subject, say)
        except MedsymError as error:
            failures.append({"scan": name, "error": str(error)})
            say(str(error))
            continue
        if timed is None:
            _check_runs(subject, volume)
            timed = volume
        audits.append(audit_volume(subject, volume, name=name, report=say))
    if timed is None:
        raise ScanError(
            code="MS-278",
            subject="audit",
            cause=f"none of {len(scans)} scans could be used; the first: {failures[0]['error']}",
            fix="give a scan that `medsym screen` accepts, or none for a synthetic volume",
        )
    audit = combine(subject, audits, timed, tolerance=tolerance, report=say)
    pictures = _draw(audit, out, say) if out is not None else []
    return {**audit.numbers(), "failures": failures, "pictures": pictures}


def _volume(scan: Path | None, subject: Subject, say: Callable[[str], None]) -> Tensor:
    if scan is None:
        return synthetic_volume(subject)
    say(f"{scan.name}: mid-plane and brain")
    with one_thread():
        return scan_volume(read_scan(scan), subject)


def _check_runs(subject: Subject, volume: Tensor) -> None:
    """Refuse a network that does not take volumes of this size, before anything is measured."""
    try:
        with torch.no_grad():
            subject.value(volume)
    except MedsymError:
        raise
    except Exception as error:  # a network answers a wrong size with any exception
        raise ModelError(
            code="MS-277",
            subject=subject.name,
            cause=f"it does not run on {tuple(volume.shape)} ({type(error).__name__}: {error})",
            fix="give sizes that the network takes: `shape` in a network file",
        ) from error


def _draw(audit: NetworkAudit, out: Path, say: Callable[[str], None]) -> list[str]:
    """Write one picture per volume; returns the file names."""
    from medsym.audit.figure import draw_audit

    names: list[str] = []
    for number, volume in enumerate(audit.volumes, start=1):
        name = f"audit-{number}-{_plain(volume.name)}.png"
        write_atomically(out / name, draw_audit(audit.name, volume, tolerance=audit.tolerance))
        say(f"picture: {out / name}")
        names.append(name)
    return names


def _plain(name: str) -> str:
    """A volume's name as part of a file name."""
    stem = name.removesuffix(".gz").removesuffix(".nii").replace(" ", "-")
    return stem if is_safe_name(stem) and unicodedata.is_normalized("NFC", stem) else "scan"
