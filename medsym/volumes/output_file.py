"""One output file: a harmless name, and bytes that arrive whole or not at all."""

import hashlib
import os
import secrets
import tempfile
import unicodedata
from collections.abc import Callable
from pathlib import Path

from medsym.errors import OutputError

#: Passing names of files that are being written.
TEMPORARY = ".medsym-*.tmp"
MAX_NAME_BYTES = 255  # of one file name, on every common file system
_FORBIDDEN_CHARACTERS = set('<>:"|?*\\')
_DEVICE_NAMES = {"con", "prn", "aux", "nul"} | {
    f"{n}{i}" for n in ("com", "lpt") for i in range(10)
}


def is_safe_name(name: str) -> bool:
    """Whether one path component is harmless on Linux, macOS and Windows."""
    return (
        name not in {"", ".", ".."}
        and name.isprintable()
        and not _FORBIDDEN_CHARACTERS & set(name)
        and not name.endswith((" ", "."))
        and name.partition(".")[0].lower() not in _DEVICE_NAMES
        and len(os.fsencode(name)) <= MAX_NAME_BYTES
    )


def writable_folder(folder: Path) -> Path:
    """Make a folder if it is missing, and find out now whether files can be written to it.

    Returns:
        The folder.

    Raises:
        OutputError: MS-140.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        with tempfile.TemporaryFile(dir=folder):
            pass
    except OSError as error:
        raise OutputError(
            code="MS-140",
            subject=str(folder),
            cause=f"cannot be a folder that files are written to ({error.strerror or error})",
            fix="check free space and write access, or give another folder",
        ) from None
    return folder


def check_parent(path: Path) -> None:
    """Refuse a file or folder whose own folder is not there.

    Raises:
        OutputError: MS-140.
    """
    if not path.parent.is_dir():
        raise OutputError(
            code="MS-140",
            subject=str(path),
            cause="the output folder does not exist",
            fix="Create the folder, or check the path",
        )


def write_atomically(
    target: Path, data: bytes, *, verify: Callable[[bytes], None] | None = None
) -> str:
    """Write, flush, check and only then give the file its name.

    A crash at any moment leaves the old file or the new one, never a part of either.

    Args:
        target: Final name; normalised to NFC, so that equal names are equal bytes.
        data: Whole content.
        verify: Given the bytes read back from disk; raises if they are wrong.

    Returns:
        SHA-256 of the content.

    Raises:
        OutputError: MS-140 if the folder does not exist, MS-141 if writing fails.
    """
    final = target.with_name(unicodedata.normalize("NFC", target.name))
    check_parent(final)
    temporary = final.with_name(TEMPORARY.replace("*", secrets.token_hex(8)))
    try:
        with temporary.open("xb") as stream:
            stream.write(data)
            stream.flush()
            os.fsync(stream.fileno())
        if verify is not None:
            verify(temporary.read_bytes())
        temporary.replace(final)
        _flush_folder(final.parent)
    except OSError as error:
        cause = f"cannot be written ({error.strerror or error})"
        fix = "Check free space and write access of the output folder"
        raise OutputError(code="MS-141", subject=str(final), cause=cause, fix=fix) from None
    finally:
        temporary.unlink(missing_ok=True)
    return hashlib.sha256(data).hexdigest()


def _flush_folder(folder: Path) -> None:
    """Make the new name durable where the system lets folders be flushed."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)
