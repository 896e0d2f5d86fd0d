"""A DICOM series to a scan, by dcm2niix in a scratch folder that is removed again.

dcm2niix (Li et al., Journal of Neuroscience Methods 264:47, 2016) knows the habits of the makers of
scanners. Of its output only voxels and affine are taken: no sidecar is written, and what the header
of its file says about the patient's visit stays in the scratch folder.
"""

import hashlib
import importlib.util
import os
import re
import shutil
import subprocess
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

from medsym.errors import MedsymError, OutputError, ScanError
from medsym.screening.dicom.headers import missing_extra
from medsym.screening.dicom.limited import run_limited
from medsym.screening.dicom.series import DicomSeries
from medsym.screening.scratch import scratch_folder
from medsym.volumes.volume import Volume

CONVERTER = "dcm2niix"
#: Longest time for one series, seconds; dcm2niix takes seconds for hundreds of slices.
TIME_LIMIT_S = 900

#: Endings that the converter gives to parts of complex images and to what it had to interpolate.
_NOT_ALL = re.compile(r"_(ph|phase|real|imaginary|Eq|Tilt|ROI)", re.IGNORECASE)


def converter_version() -> str:
    """Version of the converter, such as "v1.0.20260724".

    Raises:
        ConfigError: MS-545 it is not installed.
    """
    command = [_program(), "--version"]
    try:
        found = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    except (OSError, subprocess.TimeoutExpired):
        raise missing_extra() from None
    lines = found.stdout.split()
    if not lines:  # it cannot be run: the record could not say what converted the scan
        raise missing_extra()
    return lines[-1]


def read_series(series: DicomSeries, *, read: Callable[[Path], Volume]) -> Volume:
    """Convert a series and read the result.

    Args:
        series: its files are linked or copied under neutral names.
        read: ``read_scan`` with the options of the run.

    Returns:
        The scan, under the name of the case and with the hash of its DICOM files.

    Raises:
        ScanError: MS-546 it cannot be converted to one volume, MS-767 it needs more memory, time or
            room than the converter may use; or as ``read``.
        OutputError: MS-766 the machine failed, not the scan: files cannot be read or written, or
            the converter took too long.
        ConfigError: MS-545 the converter is not installed.
    """
    program, case = _program(), series.name.case
    with scratch_folder() as scratch:
        images, out = scratch / "in", scratch / "out"
        images.mkdir()
        out.mkdir()
        try:
            for number, path in enumerate(series.files):
                _link(path, images / f"{number:06d}.dcm")
            command = [program, "-b", "n", "-z", "n", "-f", "scan", "-o", str(out), str(images)]
            done = run_limited(command, timeout_s=TIME_LIMIT_S, out=out)
        except OSError as error:
            why = error.strerror or type(error).__name__
            raise _machine_failed(case, f"its files cannot be read ({why})") from None
        if done.machine:
            raise _machine_failed(case, f"{CONVERTER} {done.machine}")
        if done.exceeded:
            raise _refused(case, f"{CONVERTER} {done.exceeded}", code="MS-767")
        made = sorted(out.glob("*.nii"))
        if len(made) != 1:
            what = f"makes {len(made)} volumes of it" if made else "makes no volume of it"
            raise _refused(case, f"{CONVERTER} {what} (exit code {done.code})")
        if _NOT_ALL.search(made[0].stem):
            raise _refused(case, f"{CONVERTER} says that it is no plain scan ({made[0].name})")
        try:
            scan = read(made[0])
        except MedsymError as error:
            raise type(error)(
                code=error.code, subject=case, cause=error.cause, fix=error.fix
            ) from None
    note = f"converted from {len(series.files)} DICOM files by {CONVERTER} {converter_version()}"
    notes = (*scan.notes, note)
    return replace(scan, path=Path(case), sha256=series_sha256(series), notes=notes)


def series_sha256(series: DicomSeries) -> str | None:
    """Hash of the files of a series, whatever they are called; None if one is gone."""
    digests = []
    for path in series.files:
        try:
            with path.open("rb") as stream:
                digests.append(hashlib.file_digest(stream, "sha256").hexdigest())
        except OSError:
            return None
    return hashlib.sha256("\n".join(sorted(digests)).encode("ascii")).hexdigest()


def _program() -> str:
    if importlib.util.find_spec(CONVERTER) is None:
        raise missing_extra()
    import dcm2niix

    if not os.access(dcm2niix.bin, os.X_OK):
        raise missing_extra()
    return str(dcm2niix.bin)


def _link(source: Path, target: Path) -> None:
    try:
        target.symlink_to(source.resolve())
    except OSError:
        shutil.copyfile(source, target)


def _refused(case: str, cause: str, *, code: str = "MS-546") -> ScanError:
    fix = "convert the series with dcm2niix, look at the result, and screen the file"
    return ScanError(code=code, subject=case, cause=cause, fix=fix)


def _machine_failed(case: str, cause: str) -> OutputError:
    """No ScanError: another machine, or this one later, would not refuse the scan."""
    fix = "see that its files are there, that there is room in TMPDIR, and run the same again"
    return OutputError(code="MS-766", subject=case, cause=cause, fix=fix)
