"""From a file name to verified stored voxels: layout on disk, declared size, the voxel block."""

import math
import re
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medsym.types import VoxelArray
from medsym.volumes.byte_stream import GZIP_MAGIC, MAX_TAIL_BYTES, ByteStream, refuse
from medsym.volumes.foreign_files import describe_foreign
from medsym.volumes.header import NiftiHeader, parse_header

_PAIRED = re.compile(r"\.(hdr|img)(\.gz)?$", re.IGNORECASE)
_HEADER_READ = 544  # the longest header with its extension flag
_FLOAT32_BYTES = 4


class StoredScan(NamedTuple):
    """A verified file: its header, one volume exactly as stored, the hash of all its bytes."""

    header: NiftiHeader
    raw: VoxelArray
    sha256: str


class _Names(NamedTuple):
    """Where header and voxels are; the same file for .nii."""

    header: Path
    voxels: Path
    compressed: bool

    @property
    def paired(self) -> bool:
        return self.header != self.voxels


def load_stored(path: Path, *, max_gib: float, volume_index: int | None) -> StoredScan:
    """Read a file to its last byte and return its stored voxels.

    Args:
        path: .nii, .nii.gz, or either file of a pair.
        max_gib: Largest size accepted, GiB.
        volume_index: Which volume of a 4-D file, from 0; None if there must be only one.

    Returns:
        Header, stored voxels of shape (x, y, z), hash (of the header file's bytes followed by
        the image file's bytes for pairs).

    Raises:
        ScanError: MS-101 to MS-108, MS-122 to MS-124.
    """
    names = _names_of(path)
    with ByteStream(names.header, compressed=names.compressed) as stream:
        header = _read_header(stream, paired=names.paired)
        index = _volume_index(header, volume_index)
        if not names.paired:
            return _read_voxels(stream, header, index=index, max_gib=max_gib)
        stream.finish()
    with ByteStream(names.voxels, compressed=names.compressed, digest=stream.digest) as image:
        return _read_voxels(image, header, index=index, max_gib=max_gib)


def scan_files(path: Path) -> tuple[Path, ...]:
    """Files of a scan in the order in which the reader hashes them: header, then image.

    Example:
        >>> [file.name for file in scan_files(Path("a/x.img"))]
        ['x.hdr', 'x.img']
    """
    match = _PAIRED.search(path.name)
    if match is None:
        return (path,)
    stem, gz = path.name[: match.start()], match[2] or ""
    endings = (".HDR", ".IMG") if match[1].isupper() else (".hdr", ".img")
    return tuple(path.with_name(stem + ending + gz) for ending in endings)


def _names_of(path: Path) -> _Names:
    """Judge a file name; the letter case of suffixes does not matter."""
    compressed = path.name.lower().endswith(".gz")
    name = path.name[:-3] if compressed else path.name
    if name[-4:].lower() in {".nii", ".hdr", ".img"}:
        files = scan_files(path)
        return _Names(files[0], files[-1], compressed)
    with ByteStream(path, compressed=False) as stream:
        cause, fix = describe_foreign(stream.peek(_HEADER_READ), name=path.name)
    cause += "; medsym reads .nii, .nii.gz and .hdr with .img"
    raise refuse("MS-106", path, cause, fix)


def _read_header(stream: ByteStream, *, paired: bool) -> NiftiHeader:
    """Read and check the header, which stays in the stream."""
    if stream.compressed:
        _check_gzip_magic(stream.path)
    header = parse_header(stream.peek(_HEADER_READ), path=stream.path)
    if header.paired != paired:
        kind = "a separate .img file" if header.paired else "the header file itself"
        cause = f"the header says that the voxels are in {kind}"
        raise refuse("MS-106", stream.path, cause, "Restore the original name of the file")
    return header


def _check_gzip_magic(path: Path) -> None:
    """Refuse a file that is called .gz and is not compressed."""
    with ByteStream(path, compressed=False) as plain:
        data = plain.peek(_HEADER_READ)
    if data[:2] == GZIP_MAGIC:
        return
    if data[344:347] in {b"n+1", b"ni1"} or data[4:7] in {b"n+2", b"ni2"}:
        cause, fix = "is not compressed although its name ends in .gz", "Remove .gz from its name"
        raise refuse("MS-107", path, cause, fix)
    cause, fix = describe_foreign(data)
    raise refuse("MS-106", path, cause, fix)


def _volume_index(header: NiftiHeader, requested: int | None) -> int:
    """Decide which volume to read; never choose among several."""
    count = header.num_volumes
    if requested is None and count == 1:
        return 0
    if header.num_axes > 4 and count > 1:
        cause = f"has {header.num_axes} axes and {count} volumes"
        raise refuse("MS-123", header.path, cause, "Extract one 3-D volume first")
    if requested is None:
        fix = f"Choose one with --volume k, k from 0 to {count - 1}"
        raise refuse("MS-123", header.path, f"holds {count} volumes, not one scan", fix)
    if not 0 <= requested < count:
        cause = f"has no volume {requested}; it holds {count}, counted from 0"
        raise refuse("MS-123", header.path, cause, "Choose an existing volume with --volume")
    return requested


def _check_size(header: NiftiHeader, stream: ByteStream, *, max_gib: float) -> None:
    """Compare what the header declares with the limit and with the file, before allocating."""
    needed = max(header.payload_bytes, _FLOAT32_BYTES * math.prod(header.shape))
    if needed > max_gib * 2**30:
        cause = f"the header declares {needed / 2**30:.4g} GiB of voxels (limit {max_gib:g} GiB)"
        fix = "If the scan really is that large, raise the limit with --max-gib"
        raise refuse("MS-103", header.path, cause, fix)
    stream.expected = header.vox_offset + header.payload_bytes
    if stream.compressed:
        return
    if stream.file_bytes < stream.expected:
        cause = f"is truncated, {stream.file_bytes} of {stream.expected} bytes"
        raise refuse("MS-101", stream.path, cause, "Copy or download the file again")
    if stream.file_bytes > stream.expected + MAX_TAIL_BYTES:
        cause = f"has {stream.file_bytes} bytes, its header accounts for {stream.expected}"
        fix = "The header does not describe this file; export the scan again"
        raise refuse("MS-103", stream.path, cause, fix)


def _read_voxels(
    stream: ByteStream, header: NiftiHeader, *, index: int, max_gib: float
) -> StoredScan:
    """Read one volume and everything after it, so that the whole file is verified."""
    _check_size(header, stream, max_gib=max_gib)
    stream.skip(header.vox_offset + index * header.volume_bytes)
    try:
        buffer = np.empty(header.volume_bytes, dtype=np.uint8)
    except MemoryError:
        cause = f"needs {header.volume_bytes / 2**30:.4g} GiB, more than this machine can give"
        fix = "Close other programs, or resample the scan to larger voxels"
        raise refuse("MS-103", header.path, cause, fix) from None
    stream.fill(buffer.data)
    stream.skip((header.num_volumes - index - 1) * header.volume_bytes)
    digest = stream.finish()
    raw = buffer.view(header.dtype).reshape(header.shape, order="F")
    return StoredScan(header, raw, digest)
