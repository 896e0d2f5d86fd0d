"""Which matrix of a NIfTI header is true, and when nobody can know.

A header may hold two voxel-to-world matrices, sform and qform. Programs disagree about which one
wins, and a wrong choice exchanges left and right without any visible sign. medsym never chooses
between matrices that disagree and never repairs one: it accepts, or it refuses and says why.

    both valid, same within tolerance    sform, noted when not identical
    both valid, different                refused, MS-112
    one valid                            that one; the unused one (code 0) is never looked at
    none                                 refused, MS-111, unless the user states the orientation
    a used matrix is broken or sheared   refused, MS-110 or MS-113
"""

import itertools
import math

import numpy as np

from medsym.errors import ScanError
from medsym.types import AffineMatrix, Matrix3
from medsym.volumes.byte_stream import refuse
from medsym.volumes.header import NiftiHeader
from medsym.volumes.volume import axcodes_of, direction_of, spacing_of

XFORM_CODES = range(1, 6)  # in use and defined: scanner, aligned, Talairach, MNI, other template
MAX_ANGLE_DEG = 0.5
MAX_SHIFT_VOXELS = 0.5
MAX_SCALE_RATIO = 0.01  # voxel sizes of sform and qform may differ by this fraction
MAX_SHEAR_RAD = 1e-3
MIN_NOTED_SHEAR_RAD = 1e-5  # below this, shear is rounding of float32 matrices
MIN_RELATIVE_DETERMINANT = 1e-6
MAX_QUATERNION_EXCESS = 1e-5  # squared length of (b, c, d) above 1 that rounding explains
_FLOAT32_EPS = float(np.finfo(np.float32).eps)
_IDENTICAL = (0.01, 0.01, 1e-4)  # degrees, voxels, size ratio that rounding explains

AXIS_PAIRS = ("LR", "PA", "IS")
ORIENTATIONS = tuple(
    "".join(letters)
    for pairs in itertools.permutations(AXIS_PAIRS)
    for letters in itertools.product(*pairs)
)
_DIRECTIONS = {
    letter: (world, 2 * sign - 1)
    for world, pair in enumerate(AXIS_PAIRS)
    for sign, letter in enumerate(pair)
}
_REPAIR = (
    "Find out from the scanner or the source which matrix is true and store that one as both "
    "sform and qform"
)


def choose_affine(
    header: NiftiHeader, *, assume_orientation: str | None, allow_shear: bool
) -> tuple[AffineMatrix, str, tuple[str, ...]]:
    """Decide which affine of a header to use.

    Args:
        header: Checked header.
        assume_orientation: Axis codes such as "RAS", used only when the file states none.
        allow_shear: Accept an sform whose axes are not perpendicular.

    Returns:
        Voxel to world matrix in mm, its source ("sform", "qform" or "assumed"), notes.

    Raises:
        ScanError: MS-110 broken matrix, MS-111 no matrix, MS-112 conflict, MS-113 shear.
    """
    if assume_orientation is not None and assume_orientation not in ORIENTATIONS:
        cause = f"the assumed orientation '{assume_orientation}' is not one of the 48 axis codes"
        raise refuse("MS-111", header.path, cause, "Use a code such as RAS, LAS or LPS")
    sform = _checked(header.sform, "sform", header) if header.sform_code > 0 else None
    qform = _checked(qform_of(header), "qform", header) if header.qform_code > 0 else None
    affine = sform if sform is not None else qform
    if affine is None:
        return _assumed(header, assume_orientation)
    notes = _undefined_codes(header)
    if assume_orientation is not None:
        stated = axcodes_of(affine)
        notes.append(f"assumed orientation {assume_orientation} not used: the file says {stated}")
    if sform is not None:
        notes += _judge_shear(sform, header, allow_shear=allow_shear)
        if qform is not None:
            notes += _judge_conflict(sform, qform, header)
    return affine, "sform" if sform is not None else "qform", tuple(notes)


def _undefined_codes(header: NiftiHeader) -> list[str]:
    """Note codes that say a matrix is used but not, in any defined way, for what space."""
    codes = {"sform_code": header.sform_code, "qform_code": header.qform_code}
    return [
        f"{name} {code} is not defined by NIfTI; maps are written with code 1"
        for name, code in codes.items()
        if code > 0 and code not in XFORM_CODES
    ]


def qform_of(header: NiftiHeader) -> AffineMatrix:
    """Matrix of the qform: METHOD 2 of nifti1.h, rotation by quaternion, voxel sizes of pixdim.

    Raises:
        ScanError: MS-110 if quaternion, voxel sizes or handedness flag are impossible.
    """
    b, c, d, *offset = header.quaternion
    flag, *sizes = header.pixdim[:4]
    if not all(map(math.isfinite, (*header.quaternion, *sizes))):
        raise _broken("qform", header, f"quaternion {header.quaternion[:3]}, voxel sizes {sizes}")
    if flag not in {-1.0, 0.0, 1.0}:
        raise _broken("qform", header, f"its handedness flag pixdim[0] is {flag}, not -1 or 1")
    if min(sizes) <= 0:
        raise _broken("qform", header, f"its voxel sizes are {sizes} mm")
    squared = b * b + c * c + d * d
    if squared > 1 + MAX_QUATERNION_EXCESS:
        raise _broken("qform", header, f"its quaternion has length {math.sqrt(squared):.6f}")
    # Below three float32 roundings the real part is noise of a half turn; nibabel does the same.
    a = 0.0 if abs(1.0 - squared) < 3 * _FLOAT32_EPS else math.sqrt(max(0.0, 1.0 - squared))
    turned = -1.0 if flag < 0 else 1.0
    affine = np.eye(4)
    affine[:3, :3] = _rotation(a, b, c, d) @ np.diag([sizes[0], sizes[1], turned * sizes[2]])
    affine[:3, 3] = offset
    return affine


def _rotation(a: float, b: float, c: float, d: float) -> Matrix3:
    """Rotation matrix of a quaternion, normalised so that rounding cannot change lengths."""
    s = 2.0 / (a * a + b * b + c * c + d * d)
    return np.array(
        [
            [1 - s * (c * c + d * d), s * (b * c - a * d), s * (b * d + a * c)],
            [s * (b * c + a * d), 1 - s * (b * b + d * d), s * (c * d - a * b)],
            [s * (b * d - a * c), s * (c * d + a * b), 1 - s * (b * b + c * c)],
        ]
    )


def shear_of(affine: AffineMatrix) -> float:
    """Largest deviation of two voxel axes from a right angle, in radians, 0 is none."""
    axes = affine[:3, :3] / spacing_of(affine)
    cosines = (axes.T @ axes)[np.triu_indices(3, k=1)]
    return float(np.max(np.arcsin(np.clip(np.abs(cosines), 0.0, 1.0))))


def _checked(affine: AffineMatrix, name: str, header: NiftiHeader) -> AffineMatrix:
    """Refuse a matrix that is not finite or not invertible."""
    if not np.isfinite(affine).all():
        raise _broken(name, header, "holds NaN or infinite numbers")
    lengths = spacing_of(affine)
    if min(lengths) == 0 or (
        abs(np.linalg.det(affine[:3, :3] / lengths)) < MIN_RELATIVE_DETERMINANT
    ):
        raise _broken(name, header, f"is singular: {affine[:3].tolist()}")
    return affine


def _broken(name: str, header: NiftiHeader, cause: str) -> ScanError:
    fix = "Export the scan again from its source"
    return refuse("MS-110", header.path, f"the {name} is not usable: {cause}", fix)


def _assumed(
    header: NiftiHeader, orientation: str | None
) -> tuple[AffineMatrix, str, tuple[str, ...]]:
    """Build the affine that the user vouches for: axes as named, origin in the centre."""
    if orientation is None:
        cause = "does not say where left and right are (neither sform nor qform)"
        fix = "If you know the orientation for certain, give it with --assume-orientation, e.g. RAS"
        raise refuse("MS-111", header.path, cause, fix)
    sizes = header.pixdim[1:4]
    if not all(math.isfinite(size) and size > 0 for size in sizes):
        raise _broken("header", header, f"its voxel sizes are {list(sizes)} mm")
    affine = np.eye(4)
    affine[:3, :3] = 0.0
    for axis, letter in enumerate(orientation):
        world, sign = _DIRECTIONS[letter]
        affine[world, axis] = sign * sizes[axis]
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(header.shape) - 1) / 2)
    return affine, "assumed", (f"orientation {orientation} was stated by the user, not the file",)


def _judge_shear(affine: AffineMatrix, header: NiftiHeader, *, allow_shear: bool) -> list[str]:
    """Refuse or note axes that are not perpendicular."""
    shear = shear_of(affine)
    if shear > MAX_SHEAR_RAD and not allow_shear:
        cause = f"the voxel axes are sheared by {shear:.4f} rad (limit {MAX_SHEAR_RAD})"
        fix = "Resample the scan to perpendicular axes, or accept it with --allow-shear"
        raise refuse("MS-113", header.path, cause, fix)
    return [f"voxel axes sheared by {shear:.2e} rad"] if shear > MIN_NOTED_SHEAR_RAD else []


def _judge_conflict(sform: AffineMatrix, qform: AffineMatrix, header: NiftiHeader) -> list[str]:
    """Compare the two matrices: refuse what differs, note what differs a little."""
    names = f"sform says {axcodes_of(sform)}, qform says {axcodes_of(qform)}"
    matrices = f"sform {sform[:3].round(4).tolist()}, qform {qform[:3].round(4).tolist()}"
    if np.linalg.det(sform[:3, :3]) * np.linalg.det(qform[:3, :3]) < 0:
        cause = f"{names}: one of them exchanges left and right; {matrices}"
        raise refuse("MS-112", header.path, cause, _REPAIR)
    chord = np.linalg.norm(direction_of(sform) - direction_of(qform)) / (2 * math.sqrt(2))
    angle = math.degrees(2 * math.asin(min(1.0, float(chord))))
    centre = np.append((np.array(header.shape) - 1) / 2, 1.0)
    shift = float(np.linalg.norm((np.linalg.inv(sform) @ qform @ centre - centre)[:3]))
    scale = float(np.max(np.abs(spacing_of(qform) / spacing_of(sform) - 1)))
    differ = f"they differ by {angle:.2f} degrees, {shift:.2f} voxels, {100 * scale:.2f} % in size"
    if angle >= MAX_ANGLE_DEG or shift >= MAX_SHIFT_VOXELS or scale >= MAX_SCALE_RATIO:
        raise refuse("MS-112", header.path, f"{names}: {differ}; {matrices}", _REPAIR)
    if all(np.array([angle, shift, scale]) < _IDENTICAL):
        return []
    return [f"sform used; sform and qform are not identical: {differ}"]
