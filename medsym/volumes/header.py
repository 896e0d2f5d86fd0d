"""NIfTI-1 and NIfTI-2 headers: decoded field by field and checked before any memory is reserved.

Layouts: https://nifti.nimh.nih.gov/nifti-1 (nifti1.h, 348 bytes) and nifti-2 (nifti2.h, 540 bytes).
"""

import math
import struct
from dataclasses import dataclass
from pathlib import Path
from typing import NamedTuple

import numpy as np

from medsym.types import AffineMatrix
from medsym.volumes.byte_stream import refuse
from medsym.volumes.foreign_files import describe_foreign

HEADER_BYTES = {348: 1, 540: 2}  # sizeof_hdr to NIfTI version
MAX_EXTENSION_BYTES = 16 << 20  # header extensions hold text; more than this is a damaged offset

# datatype code: (numpy type, name); None marks a type that a scan cannot have
DATATYPES: dict[int, tuple[str | None, str]] = {
    2: ("u1", "uint8"),
    4: ("i2", "int16"),
    8: ("i4", "int32"),
    16: ("f4", "float32"),
    64: ("f8", "float64"),
    256: ("i1", "int8"),
    512: ("u2", "uint16"),
    768: ("u4", "uint32"),
    1024: ("i8", "int64"),
    1280: ("u8", "uint64"),
}
_COLOUR_OR_COMPLEX = {
    32: "complex64",
    128: "RGB24",
    1792: "complex128",
    2048: "complex256",
    2304: "RGBA32",
}
_UNREADABLE = {0: "unknown", 1: "binary (1 bit)", 1536: "float128"}
LENGTH_UNITS = {0: "unknown", 1: "metre", 2: "millimetre", 3: "micrometre"}


class _Layout(NamedTuple):
    """Where the fields of one NIfTI version are: (offset, struct format)."""

    dim: tuple[int, str]
    datatype: tuple[int, str]
    pixdim: tuple[int, str]
    vox_offset: tuple[int, str]
    scaling: tuple[int, str]
    units: tuple[int, str]
    codes: tuple[int, str]
    quaternion: tuple[int, str]
    sform: tuple[int, str]
    magic: int


_LAYOUTS = {
    1: _Layout(
        dim=(40, "8h"), datatype=(70, "2h"), pixdim=(76, "8f"), vox_offset=(108, "f"),
        scaling=(112, "2f"), units=(123, "B"), codes=(252, "2h"), quaternion=(256, "6f"),
        sform=(280, "12f"), magic=344,
    ),
    2: _Layout(
        dim=(16, "8q"), datatype=(12, "2h"), pixdim=(104, "8d"), vox_offset=(168, "q"),
        scaling=(176, "2d"), units=(500, "i"), codes=(344, "2i"), quaternion=(352, "6d"),
        sform=(400, "12d"), magic=4,
    ),
}  # fmt: skip
_MAGICS = {b"n+1\0": False, b"n+2\0": False, b"ni1\0": True, b"ni2\0": True}  # True: .hdr/.img pair


@dataclass(frozen=True, kw_only=True, slots=True)
class NiftiHeader:
    """The fields of a header that medsym uses; everything else, names included, is never read.

    Args:
        path: File the header came from.
        byte_order: "<" little or ">" big endian.
        shape: Three voxel counts, all at least 1.
        num_volumes: Product of the axes after the third.
        num_axes: Axes the header declares, trailing axes of length 1 included.
        dtype: Stored voxel type with its byte order.
        pixdim: Handedness flag and voxel sizes as stored.
        vox_offset: Where voxels begin, in bytes.
        slope: Intensity factor; may be 0 or not finite, which means unscaled.
        intercept: Intensity offset.
        units: NIfTI code of the length unit.
        sform_code: 0 if there is no sform.
        qform_code: 0 if there is no qform.
        sform: Voxel to world matrix as stored; may be nonsense if sform_code is 0.
        quaternion: b, c, d and the offset x, y, z of the qform.
        paired: Whether voxels are in a separate .img file.
    """

    path: Path
    byte_order: str
    shape: tuple[int, int, int]
    num_volumes: int
    num_axes: int
    dtype: np.dtype[np.generic]
    pixdim: tuple[float, ...]
    vox_offset: int
    slope: float
    intercept: float
    units: int
    sform_code: int
    qform_code: int
    sform: AffineMatrix
    quaternion: tuple[float, ...]
    paired: bool

    @property
    def volume_bytes(self) -> int:
        """Stored bytes of one 3-D volume."""
        return math.prod(self.shape) * self.dtype.itemsize

    @property
    def payload_bytes(self) -> int:
        """Stored bytes of all voxels."""
        return self.volume_bytes * self.num_volumes


def parse_header(data: bytes, *, path: Path) -> NiftiHeader:
    """Decode and check the first bytes of a file.

    Args:
        data: At least 540 bytes from the start of the file, or all there are.
        path: File they came from.

    Returns:
        The header; no field that medsym relies on is left unchecked, except the affines, which
        ``affine_rules`` judges once the file is known to be undamaged.

    Raises:
        ScanError: MS-101 truncated, MS-104 wrong dimensions, MS-105 unreadable fields, MS-106 not
            NIfTI, MS-122 two-dimensional, MS-124 colour or complex voxels.
    """
    version, order = _version_and_order(data, path=path)
    layout = _LAYOUTS[version]

    def field(place: tuple[int, str]) -> tuple[float, ...]:
        offset, form = place
        return struct.unpack_from(order + form, data, offset)

    shape, num_volumes, num_axes = _dimensions([int(n) for n in field(layout.dim)], path=path)
    magic = data[layout.magic : layout.magic + 4]
    slope, intercept = field(layout.scaling)
    qform_code, sform_code = (int(code) for code in field(layout.codes))
    sform = np.eye(4)
    sform[:3] = np.reshape(field(layout.sform), (3, 4))
    datatype, bitpix = (int(code) for code in field(layout.datatype))
    paired = _MAGICS[magic]
    first_voxel = 0 if paired else {1: 352, 2: 544}[version]
    return NiftiHeader(
        path=path,
        byte_order=order,
        shape=shape,
        num_volumes=num_volumes,
        num_axes=num_axes,
        dtype=_voxel_type(datatype, bitpix=bitpix, order=order, path=path),
        pixdim=field(layout.pixdim),
        vox_offset=_voxel_offset(field(layout.vox_offset)[0], least=first_voxel, path=path),
        slope=slope,
        intercept=intercept,
        units=int(field(layout.units)[0]) & 0x07,
        sform_code=sform_code,
        qform_code=qform_code,
        sform=sform,
        quaternion=field(layout.quaternion),
        paired=paired,
    )


def _version_and_order(data: bytes, *, path: Path) -> tuple[int, str]:
    """Find NIfTI version and byte order from sizeof_hdr and the magic text."""
    for order in "<>":
        size = struct.unpack(order + "i", data[:4])[0] if len(data) >= 4 else 0
        if size not in HEADER_BYTES:
            continue
        if len(data) < size:
            fix = "Copy or download the file again"
            raise refuse("MS-101", path, f"is truncated, {len(data)} of {size} header bytes", fix)
        version = HEADER_BYTES[size]
        place = _LAYOUTS[version].magic
        if data[place : place + 4] in _MAGICS and data[place + 2 : place + 3] == b"%d" % version:
            return version, order
    cause, fix = describe_foreign(data)
    raise refuse("MS-106", path, cause, fix)


def _dimensions(dim: list[int], *, path: Path) -> tuple[tuple[int, int, int], int, int]:
    """Check the dim field; return three sizes, the number of volumes and the number of axes."""
    export = "Export the scan again from its source"
    if dim[0] < 0 or dim[0] > 7:
        raise refuse("MS-105", path, f"the header declares {dim[0]} axes; 1 to 7 exist", export)
    sizes = dim[1 : dim[0] + 1]
    if not sizes or min(sizes) < 1:
        raise refuse("MS-104", path, f"the header declares the voxel grid {sizes}", export)
    if len(sizes) < 3 or sizes[2] == 1:
        cause = f"holds a single slice, voxel grid {sizes}"
        raise refuse("MS-122", path, cause, "Give the whole 3-D scan")
    return (sizes[0], sizes[1], sizes[2]), math.prod(sizes[3:]), len(sizes)


def _voxel_type(code: int, *, bitpix: int, order: str, path: Path) -> np.dtype[np.generic]:
    """Translate the datatype code, refusing what is no grey-value scan."""
    if code in _COLOUR_OR_COMPLEX:
        cause = f"voxels are {_COLOUR_OR_COMPLEX[code]}, not grey values"
        fix = "Give the grey-value scan (for complex data its magnitude), not a colour picture"
        raise refuse("MS-124", path, cause, fix)
    export = "Export the scan again as int16 or float32"
    text, name = DATATYPES.get(code, (None, _UNREADABLE.get(code, "not a NIfTI type")))
    if text is None:
        raise refuse("MS-105", path, f"voxel type {code} ({name}) is not supported", export)
    dtype = np.dtype(order + text)
    if bitpix != dtype.itemsize * 8:
        cause = f"the header contradicts itself: {name} voxels with {bitpix} bits each"
        raise refuse("MS-105", path, cause, export)
    return dtype


def _voxel_offset(offset: float, *, least: int, path: Path) -> int:
    """Check where voxels begin; 0 in a single file means directly after the header."""
    if offset == 0:
        return least
    if not math.isfinite(offset) or offset != int(offset) or offset < least:
        cause = f"the header places the first voxel at byte {offset}, before or beside the data"
        raise refuse("MS-105", path, cause, "Export the scan again from its source")
    if offset > least + MAX_EXTENSION_BYTES:
        cause = f"the header places the first voxel at byte {int(offset)}, far beyond any header"
        raise refuse("MS-105", path, cause, "Export the scan again from its source")
    return int(offset)
