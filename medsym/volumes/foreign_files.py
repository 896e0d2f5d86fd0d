"""What a file is when it is not NIfTI: people are told what they have and how to convert it."""

import zlib

from medsym.volumes.byte_stream import GZIP_MAGIC

_CONVERT = "Convert it to NIfTI with a tool that keeps the patient's left and right"
_MGH_MAGIC = b"\0\0\0\x01"
_GZIP_FORMAT = 16 + zlib.MAX_WBITS  # what zlib calls a stream with a gzip header
_DOWNLOAD = "Download the file again; the server sent a page instead of the scan"

# (offset, bytes in lower case, what it is, what to do)
_SIGNATURES = (
    (0, GZIP_MAGIC, "is compressed but its name does not end in .gz", "Rename it to end in .gz"),
    (128, b"dicm", "is a DICOM file", "Give the folder of the series, or convert it with dcm2niix"),
    (0, b"nrrd", "is an NRRD file", _CONVERT),
    (0, b"\x89hdf", "is an HDF5 (perhaps MINC-2) file", _CONVERT),
    (0, b"cdf", "is a MINC-1 file", _CONVERT),
    (0, b"pk\x03\x04", "is a ZIP archive", "Unpack the archive and give the scan inside"),
    (0, _MGH_MAGIC, "is a FreeSurfer MGH or MGZ file", "Convert it with mri_convert"),
    (0, b"version https://git-lfs", "is a Git LFS pointer, not the scan", "Run git lfs pull"),
    (0, b"<!doctype html", "is a web page, not a scan", _DOWNLOAD),
    (0, b"<html", "is a web page, not a scan", _DOWNLOAD),
    (0, b"<?xml", "is an XML document, not a scan", _DOWNLOAD),
)


def describe_foreign(data: bytes, *, name: str = "") -> tuple[str, str]:
    """Say what a file that is not NIfTI seems to be.

    Args:
        data: Its first bytes, uncompressed unless the name does not tell that they are compressed.
        name: Its name, when that was what it was refused for.

    Returns:
        Cause and fix for the error.

    Example:
        >>> describe_foreign(b"")[0]
        'is empty'
    """
    if data[:2] == GZIP_MAGIC and (name.lower().endswith(".mgz") or _holds_mgh(data)):
        data = _MGH_MAGIC
    head = data.lstrip()[:32].lower() if data[:1].isspace() else data[:192].lower()
    for offset, signature, cause, fix in _SIGNATURES:
        if head[offset : offset + len(signature)] == signature:
            return cause, fix
    if not data:
        return "is empty", "Copy or download the file again"
    if b"/annex/objects" in data[:512]:
        return "is a git-annex pointer, not the scan", "Run datalad get or git annex get"
    if all(byte in b"\t\r\n" or 32 <= byte < 127 for byte in data[:512]):
        return "is a text file, not a scan", "Give the scan itself, a .nii or .nii.gz file"
    if data[:4] in {(348).to_bytes(4, "little"), (348).to_bytes(4, "big")}:
        cause = "is an Analyze 7.5 file, which does not say where the patient's left is"
        return cause, "Convert it to NIfTI with the orientation known from its source"
    return "is not a NIfTI file", _CONVERT


def _holds_mgh(data: bytes) -> bool:
    """Whether the first bytes of a gzip stream unpack to the start of an MGH file."""
    try:
        start = zlib.decompressobj(_GZIP_FORMAT).decompress(data, len(_MGH_MAGIC))
    except zlib.error:
        return False
    return start == _MGH_MAGIC
