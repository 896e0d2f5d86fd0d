"""Gzip for maps, most of which is one and the same value: equal pieces are packed once.

The stream is cut into pieces that do not look back at each other (a full flush of deflate, RFC 1951
and zlib's manual), so the packed bytes of a piece that repeats the one before it can be used again.
A file is one ordinary gzip member, and the same content always gives the same bytes.
"""

import gzip
import io
import zlib
from collections.abc import Iterable, Iterator

PIECE_BYTES = 1 << 20
LEVEL = 6
_RAW_WINDOW = -15  # deflate without a frame of its own
_HEADER = b"\x1f\x8b\x08\x00\x00\x00\x00\x00\x00\xff"  # no name, no time, system not stated
_END = b"\x03\x00"  # an empty last block


def packed(parts: Iterable[bytes | memoryview]) -> bytes:
    """One gzip member that holds the parts after one another.

    Args:
        parts: plain bytes; views have one byte per item.
    """
    out = [_HEADER]
    checksum = length = 0
    before, again = b"", b""
    for piece in _pieces(parts):
        if piece != before:
            squeezer = zlib.compressobj(LEVEL, zlib.DEFLATED, _RAW_WINDOW)
            before, again = piece, squeezer.compress(piece) + squeezer.flush(zlib.Z_FULL_FLUSH)
        out.append(again)
        checksum = zlib.crc32(piece, checksum)
        length += len(piece)
    trailer = checksum.to_bytes(4, "little") + (length & 0xFFFFFFFF).to_bytes(4, "little")
    return b"".join([*out, _END, trailer])


def holds(data: bytes, parts: Iterable[bytes | memoryview]) -> bool:
    """Whether gzip data are sound and unpack to exactly these parts."""
    try:
        with gzip.GzipFile(fileobj=io.BytesIO(data)) as stream:
            same = all(stream.read(len(piece)) == piece for piece in _pieces(parts))
            return same and not stream.read(1)
    except (OSError, EOFError, zlib.error):
        return False


def _pieces(parts: Iterable[bytes | memoryview]) -> Iterator[bytes]:
    for part in parts:
        for start in range(0, len(part), PIECE_BYTES):
            yield bytes(part[start : start + PIECE_BYTES])
