"""What an uploaded file is called here, and the results as one file to take away."""

import zipfile
from pathlib import Path, PurePosixPath
from typing import BinaryIO

from medsym.errors import ScanError
from medsym.screening.archives import ENDING as ARCHIVE
from medsym.screening.naming import clean_label, name_of
from medsym.volumes.header import HEADER_BYTES

NIFTI = (".nii.gz", ".nii")
_GZIP, _ZIP = b"\x1f\x8b", b"PK"  # first bytes
LONGEST_SHOWN = 80  # characters of a name
_INTERNAL = "logs"  # of a result folder: where scans lie on this machine


def shown_name(name: str) -> str:
    """Last part of a name that came from outside, short enough to be shown as plain text."""
    last = PurePosixPath(name.replace("\\", "/")).name or "file"
    return last if len(last) <= LONGEST_SHOWN else f"{last[: LONGEST_SHOWN - 3]}..."


def refuse_content(name: str, content: memoryview | bytes) -> None:
    """Refuse by its first bytes what no analysis would take, before a process is started for it.

    Args:
        name: as the browser states it.
        content: of the file.

    Raises:
        ScanError: MS-800 it is neither NIfTI, packed NIfTI nor ZIP.
    """
    first = bytes(content[:4])
    is_header = any(int.from_bytes(first, order) in HEADER_BYTES for order in ("little", "big"))
    is_zip = name.lower().endswith(ARCHIVE)
    if first.startswith(_ZIP) if is_zip else (is_header or first.startswith(_GZIP)):
        return
    raise ScanError(
        code="MS-800",
        subject=shown_name(name),
        cause=f"it is called a {'ZIP file' if is_zip else 'NIfTI scan'} and does not begin as one",
        fix="export the scan again, or choose another file",
    )


def stored_name(name: str) -> str:
    r"""Name under which an uploaded file is kept: letters, digits, "-" and "_", and its ending.

    Args:
        name: as the browser states it; never trusted.

    Raises:
        ScanError: MS-690 it is no kind of file that can be analysed.

    Example:
        >>> stored_name("../sub-01_T1w.NII.gz"), stored_name("C:\\visit 1.zip")[:6]
        ('sub-01_T1w.nii.gz', 'visit1')
    """
    last = PurePosixPath(name.replace("\\", "/")).name
    for ending in NIFTI:
        if last.lower().endswith(ending):
            stem = last[: -len(ending)]
            case = name_of(Path(stem)).case
            return (stem if case == stem else clean_label(stem)) + ending
    if last.lower().endswith(ARCHIVE):
        return clean_label(last[: -len(ARCHIVE)]) + ARCHIVE
    raise ScanError(
        code="MS-690",
        subject=shown_name(name),
        cause="this is neither a NIfTI scan nor a ZIP file",
        fix="upload a .nii or .nii.gz file, or the folder of a DICOM series packed as .zip",
    )


def pack_results(folder: Path, into: BinaryIO) -> None:
    """Write a ZIP file with everything of a result folder but what is about this machine."""
    with zipfile.ZipFile(into, "w", zipfile.ZIP_STORED) as packed:  # maps are packed already
        for path in sorted(folder.rglob("*")):
            place = path.relative_to(folder)
            if path.is_file() and not path.is_symlink() and place.parts[0] != _INTERNAL:
                packed.write(path, Path("medsym_results") / place)
