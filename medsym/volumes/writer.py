"""Write results so that a reader never sees half a file, an old header or a wrong place.

Every file is written under a passing name, flushed to disk and renamed. Maps get a fresh header, so
nothing personal of the scan's header is copied, and the scan's affine as both sform and qform, so
that programs cannot disagree about left and right.
"""

import json
import os
import unicodedata
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from medsym.errors import OutputError
from medsym.types import PathLikeString, VoxelArray
from medsym.volumes.affine_rules import MIN_NOTED_SHEAR_RAD, XFORM_CODES, shear_of
from medsym.volumes.output_file import is_safe_name, write_atomically
from medsym.volumes.packing import holds, packed
from medsym.volumes.volume import Volume

MAX_DESCRIPTION_BYTES = 79  # of the NIfTI header's descrip field
ASSUMED_MARK = "ORIENTATION ASSUMED "


def write_map(
    path: PathLikeString, voxels: VoxelArray, *, like: Volume, description: str = ""
) -> str:
    """Write a map on the grid of a scan as compressed NIfTI-1.

    Args:
        path: Final name, ending in .nii.gz.
        voxels: Map of shape ``like.shape``. Floats are stored as float32, bool and uint8 as
            uint8, other integers as int16, or int32 where values need it.
        like: The scan whose affine and codes the map takes over; a code that NIfTI does not
            define becomes 1, scanner coordinates.
        description: Up to 79 ASCII characters, without anything personal.

    Returns:
        SHA-256 of the written file.

    Raises:
        OutputError: MS-140 no such folder, MS-141 cannot be written, MS-143 the map does not fit,
            MS-144 the written bytes do not read back as the map.
    """
    target = Path(path)
    if not target.name.endswith(".nii.gz"):
        raise _wrong(target, "maps are written as .nii.gz", "Give a name that ends in .nii.gz")
    stored = _storable(voxels, like=like, target=target)
    image = nibabel.Nifti1Image(stored, like.affine)
    image.header.set_data_dtype(stored.dtype)
    image.header.set_xyzt_units("mm")
    image.set_sform(like.affine, code=_code(like.sform_code))
    # A quaternion cannot hold shear: a qform would then contradict the sform.
    sheared = shear_of(like.affine) > MIN_NOTED_SHEAR_RAD
    qform = None if sheared else like.affine
    image.set_qform(qform, code=0 if sheared else _code(like.qform_code))
    mark = ASSUMED_MARK if like.affine_source == "assumed" else ""
    image.header["descrip"] = _description(mark + description, target=target)
    # In the order of the file; a view where the map already lies so.
    parts = (_file_header(image), np.asfortranarray(stored).T.data.cast("B"))
    data = packed(parts)
    return write_atomically(target, data, verify=lambda read: _verify(read, parts, image, target))


def write_json(path: PathLikeString, obj: Any) -> str:
    """Write a JSON document: UTF-8, sorted keys, finite numbers only.

    Returns:
        SHA-256 of the written file.

    Raises:
        OutputError: MS-140, MS-141 as ``write_map``; MS-143 if something is no JSON value.
    """
    return write_text(path, json_text(obj, target=Path(path)))


def json_text(obj: Any, *, target: Path) -> str:
    """What ``write_json`` writes.

    Raises:
        OutputError: MS-143 if something is no JSON value.
    """
    try:
        text = json.dumps(obj, sort_keys=True, ensure_ascii=False, indent=1, allow_nan=False)
    except (TypeError, ValueError) as error:
        raise _wrong(target, f"not valid JSON ({error})", "Report this as a defect") from None
    return text + "\n"


def write_text(path: PathLikeString, text: str) -> str:
    """Write text as UTF-8 with the line ends given.

    Returns:
        SHA-256 of the written file.

    Raises:
        OutputError: MS-140, MS-141 as ``write_map``.
    """
    return write_atomically(Path(path), text.encode("utf-8", "backslashreplace"))


def safe_out(root: PathLikeString, *parts: str) -> Path:
    """Join a name to an output folder, refusing every name that could leave it.

    Args:
        root: Output folder; may not exist yet.
        parts: Relative names; "/" separates folders.

    Returns:
        Absolute path inside ``root``, NFC-normalised, with links resolved.

    Raises:
        OutputError: MS-142 if the name is absolute, climbs, follows a link outside, or is not
            valid on every common file system.

    Example:
        >>> safe_out("/tmp/out", "sub-01", "anat/map.nii.gz").name
        'map.nii.gz'
    """
    base = Path(os.path.realpath(root))
    names = [name for part in parts for name in unicodedata.normalize("NFC", part).split("/")]
    bad = next((name for name in names if not is_safe_name(name)), None)
    if bad is not None or not names:
        raise _escapes("/".join(parts), f"'{bad or ''}' is not allowed in an output name")
    path = Path(os.path.realpath(base.joinpath(*names)))
    if not path.is_relative_to(base) or path == base:
        raise _escapes("/".join(parts), "the name leads out of the output folder")
    return path


def _escapes(subject: str, cause: str) -> OutputError:
    fix = "Use plain names made of letters, digits, '-' and '_'"
    return OutputError(code="MS-142", subject=subject, cause=cause, fix=fix)


def _wrong(target: Path, cause: str, fix: str) -> OutputError:
    return OutputError(code="MS-143", subject=str(target), cause=cause, fix=fix)


def _code(stored: int) -> int:
    """The code of a scan, or 1 where the scan has none or one that does not exist."""
    return stored if stored in XFORM_CODES else 1


def _storable(voxels: VoxelArray, *, like: Volume, target: Path) -> VoxelArray:
    """Convert a map to the type it is stored in, refusing to lose values."""
    report = "Report this as a defect"
    if voxels.shape != like.shape:
        raise _wrong(target, f"map shape {voxels.shape}, scan shape {like.shape}", report)
    if voxels.dtype.name in {"bool", "uint8"}:
        return voxels.astype(np.uint8)
    if voxels.dtype.kind == "f":
        with np.errstate(over="ignore"):
            stored = voxels.astype(np.float32, copy=False)
        if not np.isfinite(stored).all():
            raise _wrong(target, "the map holds values that are not finite", report)
        return stored
    if voxels.dtype.kind not in "iu":
        raise _wrong(target, f"maps of type {voxels.dtype} cannot be stored", report)
    for dtype in (np.int16, np.int32):
        limits = np.iinfo(dtype)
        if voxels.min() >= limits.min and voxels.max() <= limits.max:
            return voxels.astype(dtype)
    raise _wrong(target, "the map holds integers beyond 32 bits", report)


def _description(text: str, *, target: Path) -> bytes:
    """Encode the header's only free text."""
    if not text.isascii() or not text.isprintable() or len(text) > MAX_DESCRIPTION_BYTES:
        cause = f"the description is not {MAX_DESCRIPTION_BYTES} printable ASCII characters"
        raise _wrong(target, cause, "Report this as a defect")
    return text.encode("ascii")


def _file_header(image: nibabel.Nifti1Image) -> bytes:
    """Everything before the voxels: the header of an unscaled single file, without extensions."""
    header = image.header.copy()
    header["magic"] = header.single_magic
    header.set_data_offset(header.single_vox_offset)
    header.set_slope_inter(1.0, 0.0)
    return bytes(header.binaryblock) + bytes(header.single_vox_offset - header.sizeof_hdr)


def _verify(
    read: bytes, parts: tuple[bytes, memoryview], image: nibabel.Nifti1Image, target: Path
) -> None:
    """Unpack the written bytes, compare every one, and let nibabel read affine and codes."""
    again = nibabel.Nifti1Header(parts[0][: image.header.sizeof_hdr])
    same = (
        holds(read, parts)
        and np.array_equal(again.get_best_affine(), image.affine.astype(np.float32))
        and again["sform_code"] == image.header["sform_code"]
        and again["qform_code"] == image.header["qform_code"]
    )
    if not same:
        cause = "the written map does not read back as it was"
        fix = "Check the disk; report this as a defect if it happens again"
        raise OutputError(code="MS-144", subject=str(target), cause=cause, fix=fix)
