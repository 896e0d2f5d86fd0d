"""What is packed unpacks to itself with everybody's gzip, whole and in one member."""

import gzip
import subprocess
import zlib
from shutil import which

import numpy as np
import pytest

from medsym.volumes.packing import PIECE_BYTES, holds, packed

NOISE = np.random.default_rng(0).bytes(3000)
PARTS = {
    "nothing": [b""],
    "one byte": [b"a"],
    "noise": [NOISE],
    "zeros": [bytes(5 * PIECE_BYTES + 17)],
    "a map": [NOISE, bytes(2 * PIECE_BYTES), NOISE * 700, bytes(PIECE_BYTES + 1)],
    "a repeated piece": [(NOISE * 400)[:PIECE_BYTES] * 3],
}


@pytest.mark.parametrize("parts", PARTS.values(), ids=PARTS)
def test_what_is_packed_comes_back(parts: list[bytes]) -> None:
    data = packed(parts)
    whole = b"".join(parts)
    assert gzip.decompress(data) == whole
    one_member = zlib.decompressobj(wbits=31)
    assert one_member.decompress(data) == whole
    assert one_member.eof
    assert one_member.unused_data == b""
    assert packed([memoryview(part) for part in parts]) == data
    assert holds(data, parts)


@pytest.mark.skipif(which("gzip") is None, reason="no gzip program on this machine")
def test_the_gzip_program_agrees() -> None:
    data = packed(PARTS["a map"])
    done = subprocess.run(["gzip", "-dc"], input=data, capture_output=True, check=True)
    assert done.stdout == b"".join(PARTS["a map"])


def test_a_constant_is_packed_small_and_a_map_no_larger_than_in_one_go() -> None:
    assert len(packed(PARTS["zeros"])) < 7000
    voxels = np.random.default_rng(1).normal(size=900_000).astype(np.float32).tobytes()
    assert len(packed([voxels])) < 1.01 * len(gzip.compress(voxels, 6))


def test_damage_is_noticed_anywhere() -> None:
    parts = [NOISE, bytes(PIECE_BYTES)]
    data = packed(parts)
    for place in (12, len(data) // 2, len(data) - 6, len(data) - 1):
        broken = bytearray(data)
        broken[place] ^= 4
        assert not holds(bytes(broken), parts)
    assert not holds(data[:-1], parts)
    assert not holds(data, [*parts, b"more"])
    assert not holds(data, [NOISE, bytes(PIECE_BYTES - 1)])
    assert not holds(data + data, parts)
    assert not holds(data, [NOISE[:-1] + b"x", bytes(PIECE_BYTES)])
