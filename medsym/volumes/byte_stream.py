"""Bytes of one file, read once: regular files only, checksummed to the end, never unbounded.

A gzip stream proves its content only in its last eight bytes, so a reader that stops at the last
voxel accepts damaged voxels. ``ByteStream.finish`` therefore always reads to the end of the file.
"""

import gzip
import hashlib
import os
import stat
import zlib
from pathlib import Path
from types import TracebackType
from typing import BinaryIO, cast

from medsym.errors import ScanError

CHUNK_BYTES = 1 << 20
MAX_TAIL_BYTES = 1 << 20  # bytes after the last voxel that are still tolerated
GZIP_MAGIC = b"\x1f\x8b"
_COPY_AGAIN = "Copy or download the file again and compare its checksum with the source"


def refuse(code: str, path: Path, cause: str, fix: str) -> ScanError:
    """Build the error for one scan file."""
    return ScanError(code=code, subject=str(path), cause=cause, fix=fix)


def open_regular(path: Path) -> BinaryIO:
    """Open a regular file; never blocks on pipes and never reads devices.

    Raises:
        ScanError: MS-108 if it is missing, a folder, a pipe, a device or not readable.
    """
    try:
        descriptor = os.open(path, os.O_RDONLY | getattr(os, "O_NONBLOCK", 0) | _O_BINARY)
    except (OSError, ValueError) as error:
        reason = getattr(error, "strerror", None) or str(error)
        fix = "Check the path, the spelling and the access rights"
        raise refuse("MS-108", path, f"cannot be opened ({reason})", fix) from None
    mode = os.fstat(descriptor).st_mode
    if stat.S_ISREG(mode):
        return os.fdopen(descriptor, "rb", buffering=0)
    os.close(descriptor)
    if stat.S_ISDIR(mode):
        fix = "Give the .nii.gz file itself; convert a DICOM folder with dcm2niix first"
        raise refuse("MS-108", path, "is a folder, not a file", fix)
    fix = "Give a regular file; save what the pipe or device delivers to disk first"
    raise refuse("MS-108", path, "is a pipe, socket or device, not a regular file", fix)


_O_BINARY = getattr(os, "O_BINARY", 0)


class _HashedReader:
    """A raw file that hashes exactly the bytes that were handed out."""

    def __init__(self, raw: BinaryIO, digest: "hashlib._Hash") -> None:
        self.raw = raw
        self.digest = digest

    def read(self, size: int = -1) -> bytes:
        data = self.raw.read(size)
        self.digest.update(data)
        return data


class ByteStream:
    """Forward-only bytes of a plain or gzip file, with a count, a hash and clear errors.

    Args:
        path: File to read.
        compressed: Whether the name promises gzip.
        digest: A running hash to continue, for scans that are two files.
    """

    def __init__(
        self, path: Path, *, compressed: bool, digest: "hashlib._Hash | None" = None
    ) -> None:
        self.path = path
        self.compressed = compressed
        self.received = 0
        self.expected: int | None = None
        self._pending = b""
        raw = open_regular(path)
        self.file_bytes = os.fstat(raw.fileno()).st_size
        self.digest = hashlib.sha256() if digest is None else digest
        self._hashed = _HashedReader(raw, self.digest)
        reader = cast("BinaryIO", self._hashed)
        self._gzip = gzip.GzipFile(filename="", mode="rb", fileobj=reader) if compressed else None

    def __enter__(self) -> "ByteStream":
        return self

    def __exit__(
        self,
        kind: type[BaseException] | None,
        value: BaseException | None,
        trace: TracebackType | None,
    ) -> None:
        self._hashed.raw.close()

    def peek(self, count: int) -> bytes:
        """Return the next ``count`` bytes, fewer at the end of the stream, and keep them in it."""
        parts = []
        while count > 0 and (part := self._read(count)):
            parts.append(part)
            count -= len(part)
        data = b"".join(parts)
        self._pending = data + self._pending
        self.received -= len(data)
        return data

    def fill(self, target: memoryview) -> None:
        """Fill a buffer; the stream must hold that many bytes.

        Raises:
            ScanError: MS-101 if the stream ends early, MS-102 if it is damaged.
        """
        done = 0
        while done < len(target):
            part = self._read(len(target) - done)
            if not part:
                raise self._truncated()
            target[done : done + len(part)] = part
            done += len(part)

    def skip(self, count: int) -> None:
        """Read and drop bytes, so that they are hashed and checked too."""
        while count > 0:
            part = self._read(count)
            if not part:
                raise self._truncated()
            count -= len(part)

    def finish(self) -> str:
        """Read to the end, which checks the checksum of a gzip stream.

        Returns:
            SHA-256 of the file's bytes, as hexadecimal text.

        Raises:
            ScanError: MS-102 if the checksum is wrong, MS-103 if much follows the last voxel.
        """
        start = self.received
        while self._read(CHUNK_BYTES):
            if self.received - start > MAX_TAIL_BYTES:
                cause = f"goes on for more than {MAX_TAIL_BYTES} bytes after its last voxel"
                fix = "The header does not describe this file; export the scan again"
                raise refuse("MS-103", self.path, cause, fix)
        return self.digest.hexdigest()

    def _read(self, count: int) -> bytes:
        size = min(count, CHUNK_BYTES)
        if self._pending:
            data, self._pending = self._pending[:size], self._pending[size:]
            self.received += len(data)
            return data
        try:
            data = self._hashed.read(size) if self._gzip is None else self._gzip.read1(size)
        except EOFError:
            raise self._truncated() from None
        except (zlib.error, gzip.BadGzipFile) as error:
            cause = f"is damaged: the compressed data fail their own check ({error})"
            raise refuse("MS-102", self.path, cause, _COPY_AGAIN) from None
        except OSError as error:
            cause = f"cannot be read ({error.strerror or error})"
            raise refuse("MS-108", self.path, cause, "Check the disk or the network") from None
        self.received += len(data)
        return data

    def _truncated(self) -> ScanError:
        if self.expected is not None and self.received >= self.expected:
            cause = "is damaged: the checksum at its end is missing, voxels cannot be trusted"
            return refuse("MS-102", self.path, cause, _COPY_AGAIN)
        total = "an unknown number of" if self.expected is None else str(self.expected)
        cause = f"is truncated, {self.received} of {total} bytes"
        return refuse("MS-101", self.path, cause, _COPY_AGAIN)
