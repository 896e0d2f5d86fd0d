"""Unpacking ZIP archives that anybody may have made: nothing leaves the folder, nothing explodes.

What can be told from the archive's own table is refused before a byte is written; the bytes are
counted again while they are written.
"""

import errno
import shutil
import stat
import struct
import unicodedata
import zipfile
import zlib
from collections.abc import Collection, Sequence
from dataclasses import dataclass
from pathlib import Path, PurePosixPath

from medsym.errors import ScanError

ENDING = ".zip"
_CHUNK = 1 << 20
_ENCRYPTED = 0x1
_UNPACK = "unpack it yourself and screen the scan or the folder"
#: End record of an archive (PKWARE APPNOTE 4.3.16), its 64-bit form and where that is.
_END, _END64, _WHERE64 = b"PK\x05\x06", b"PK\x06\x06", b"PK\x06\x07"
_END_BYTES, _LONGEST_NOTE = 22, 65535
#: What scans are packed with; damage in other methods is told in too many ways.
_METHODS = (zipfile.ZIP_STORED, zipfile.ZIP_DEFLATED)
#: Names that every file system can keep and that can be removed again, in UTF-8.
_MAX_DEPTH, _MAX_PART_BYTES, _MAX_PATH_BYTES = 32, 255, 1000
_NO_ROOM = (errno.ENOSPC, errno.EDQUOT, errno.EACCES, errno.EPERM, errno.EROFS)
#: How zipfile and what it calls say that bytes are not what they should be.
_BAD_BYTES = (
    *(zipfile.BadZipFile, zlib.error, struct.error, EOFError),
    *(ValueError, OverflowError, RuntimeError),  # bad UTF-8, sizes, nesting, unknown versions
)
_ROW_BYTES = 1024  # of the table, per file: 46 and what the name and extra fields take


@dataclass(frozen=True, kw_only=True, slots=True)
class ArchiveLimits:
    """The largest archive that is unpacked.

    Attributes:
        members: files and folders in it; an examination of the head has some thousand images.
        total_bytes: of all files, unpacked.
        ratio: unpacked to packed; scans reach 2 to 20, and masks 100.
        small_bytes: up to here the ratio is nobody's concern.
        reserve_bytes: that stay free for everybody else where it is unpacked.
    """

    members: int = 50_000
    total_bytes: int = 8 * 1024**3
    ratio: float = 200.0
    small_bytes: int = 256 * 1024**2
    reserve_bytes: int = 256 * 1024**2


LIMITS = ArchiveLimits()


def is_archive(path: Path) -> bool:
    """Whether a path is called like an archive that can be unpacked."""
    return path.suffix.lower() == ENDING and not path.is_dir()


def unpack(
    archive: Path,
    into: Path,
    *,
    only: Collection[PurePosixPath] | None = None,
    limits: ArchiveLimits = LIMITS,
) -> None:
    """Write the files of an archive below a folder, under their names.

    Args:
        archive: ZIP file.
        into: empty folder of this process.
        only: these of its files; by default all.
        limits: what is refused.

    Raises:
        ScanError: MS-680 it is damaged or no ZIP file, MS-681 encrypted, MS-682 it holds names that
            would lead out of the folder or cannot be kept, MS-683 it is too large, MS-684 there is
            no room for it.
    """
    _refuse_long_table(archive, limits)
    try:
        with zipfile.ZipFile(archive) as packed:
            chosen = _checked(archive, packed.infolist(), limits)
            if only is not None:
                chosen = {path: chosen[path] for path in only if path in chosen}
            needed = sum(info.file_size for info in chosen.values())
            _refuse_without_room(archive, into, needed, limits)
            for path, info in chosen.items():
                _write(packed, info, into / path)
    except _BAD_BYTES as error:
        raise _damaged(archive, str(error) or type(error).__name__) from None
    except OSError as error:
        why = error.strerror or type(error).__name__
        if error.errno not in _NO_ROOM:
            raise _damaged(archive, why) from None
        cause = f"it cannot be unpacked ({why})"
        fix = "make room in the folder for temporary files, or name another one in TMPDIR"
        raise ScanError(code="MS-684", subject=archive.name, cause=cause, fix=fix) from None


def _damaged(archive: Path, what: str) -> ScanError:
    return ScanError(
        code="MS-680",
        subject=archive.name,
        cause=f"it is no complete ZIP file ({what})",
        fix=f"copy it again, or {_UNPACK}",
    )


def _refuse_long_table(archive: Path, limits: ArchiveLimits) -> None:
    """The table is read as a whole, so its length is looked at before."""
    try:
        with archive.open("rb") as stream:
            size = stream.seek(0, 2)
            begin = max(0, size - _END_BYTES - _LONGEST_NOTE - 20 - 56)
            stream.seek(begin)
            tail = stream.read()
    except OSError as error:
        raise _damaged(archive, error.strerror or "cannot be read") from None
    place = tail.rfind(_END)
    if place < 0 or len(tail) < place + _END_BYTES:
        raise _damaged(archive, "it has no end")
    table = struct.unpack_from("<I", tail, place + 12)[0]
    long = tail.rfind(_END64, 0, place)
    if _WHERE64 in tail[:place] and long >= 0 and len(tail) >= long + 48:
        table = max(table % 0xFFFFFFFF, struct.unpack_from("<Q", tail, long + 40)[0])
    if table > limits.members * _ROW_BYTES:
        raise _too_large(archive, f"more than {limits.members} files")


def _checked(
    archive: Path, members: Sequence[zipfile.ZipInfo], limits: ArchiveLimits
) -> dict[PurePosixPath, zipfile.ZipInfo]:
    """Every file by where it belongs; refuses what nobody needs to pack a scan."""
    if len(members) > limits.members:
        raise _too_large(archive, f"{len(members)} files")
    found: dict[PurePosixPath, zipfile.ZipInfo] = {}
    folders: set[PurePosixPath] = set()
    for info in members:
        path = _safe_path(archive, info)
        if info.flag_bits & _ENCRYPTED:
            raise ScanError(
                code="MS-681",
                subject=archive.name,
                cause="it is locked with a password",
                fix="unpack it with the password and screen the scan, or pack it without one",
            )
        if not info.is_dir():
            if info.compress_type not in _METHODS:
                raise NotImplementedError(f"packing method {info.compress_type} is not supported")
            found[path] = info
            folders.update(path.parents)
    if len(members) + len(folders) - 1 > limits.members:
        raise _too_large(archive, f"{len(members)} files in {len(folders) - 1} folders")
    _refuse_one_place_twice(archive, members, folders)
    total, size = sum(info.file_size for info in found.values()), archive.stat().st_size
    if total > limits.total_bytes:
        raise _too_large(archive, f"{total / 1024**3:.1f} GiB of files")
    if total > limits.small_bytes and total > limits.ratio * size:
        raise _too_large(archive, f"files {total / size:.0f} times as large as it is")
    return found


def _refuse_one_place_twice(
    archive: Path, members: Sequence[zipfile.ZipInfo], folders: Collection[PurePosixPath]
) -> None:
    """Also what is one name on systems that know no upper and lower case."""
    taken = {_spelled(folder) for folder in folders}
    for info in members:
        if not info.is_dir():
            place = _spelled(_safe_path(archive, info))
            if place in taken:
                raise _unsafe(archive, info, "stands in it twice")
            taken.add(place)


def _spelled(path: PurePosixPath) -> str:
    return unicodedata.normalize("NFC", str(path)).casefold()


def _safe_path(archive: Path, info: zipfile.ZipInfo) -> PurePosixPath:
    name = info.orig_filename.replace("\\", "/")
    kind = stat.S_IFMT(info.external_attr >> 16)
    if kind not in (0, stat.S_IFREG, stat.S_IFDIR):
        raise _unsafe(archive, info, "is a link or a device, not a file")
    path = PurePosixPath(name)
    drive = bool(path.parts) and ":" in path.parts[0]
    if "\0" in name or path.is_absolute() or ".." in path.parts or drive or not path.parts:
        raise _unsafe(archive, info, "would lead out of the archive's folder")
    longest = max(len(part.encode()) for part in path.parts)
    deep = len(path.parts) > _MAX_DEPTH or len(name.encode()) > _MAX_PATH_BYTES
    if deep or longest > _MAX_PART_BYTES:
        raise _unsafe(archive, info, "has a longer name than can be kept everywhere")
    return path


def _unsafe(archive: Path, info: zipfile.ZipInfo, why: str) -> ScanError:
    return ScanError(
        code="MS-682",
        subject=archive.name,
        cause=f"'{info.orig_filename[:80]}' in it {why}",
        fix="ask whoever made it for the files themselves",
    )


def _too_large(archive: Path, what: str) -> ScanError:
    return ScanError(
        code="MS-683",
        subject=archive.name,
        cause=f"it holds {what}; that is more than is unpacked",
        fix=f"pack the series to be screened alone, or {_UNPACK}",
    )


def _refuse_without_room(archive: Path, into: Path, needed: int, limits: ArchiveLimits) -> None:
    free = max(0, shutil.disk_usage(into).free - limits.reserve_bytes)
    if needed > free:
        raise ScanError(
            code="MS-684",
            subject=archive.name,
            cause=f"it needs {needed / 1024**3:.2f} GiB, {free / 1024**3:.2f} GiB may be used",
            fix="make room in the folder for temporary files, or name another one in TMPDIR",
        )


def _write(packed: zipfile.ZipFile, info: zipfile.ZipInfo, target: Path) -> None:
    target.parent.mkdir(parents=True, exist_ok=True)
    written = 0
    with packed.open(info) as source, target.open("xb") as out:
        while chunk := source.read(_CHUNK):
            written += len(chunk)
            if written > info.file_size:
                raise zipfile.BadZipFile("a file is longer than the table says")
            out.write(chunk)
    if written != info.file_size:
        raise zipfile.BadZipFile("a file is shorter than the table says")
