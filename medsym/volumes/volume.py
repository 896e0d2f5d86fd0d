"""Volume: voxels together with the affine that says where they are in the patient."""

import hashlib
from dataclasses import dataclass
from pathlib import Path

import numpy as np

from medsym.errors import GridError
from medsym.types import AffineMatrix, Matrix3, Vector3, VoxelArray

AFFINE_SOURCES = ("sform", "qform", "assumed", "memory")
_AXIS_LETTERS = ("LR", "PA", "IS")


def spacing_of(affine: AffineMatrix) -> Vector3:
    """Edge lengths of one voxel in mm, in voxel axis order: the column norms of the affine."""
    return np.linalg.norm(affine[:3, :3], axis=0)


def direction_of(affine: AffineMatrix) -> Matrix3:
    """Orthogonal matrix nearest to the axis directions (polar factor, shear and scale removed).

    Its determinant is -1 for left-handed storage such as LAS and +1 for RAS.
    """
    left, _, right = np.linalg.svd(affine[:3, :3] / spacing_of(affine))
    return np.asarray(left @ right, dtype=np.float64)


def axcodes_of(affine: AffineMatrix) -> str:
    """Name the patient direction towards which each voxel axis grows.

    The voxel axis that is nearest to any world axis chooses first, as nibabel does, so that names
    agree between programs for oblique scans too.

    Args:
        affine: Invertible voxel to world matrix, mm.

    Returns:
        Three letters such as "RAS" or "LIA".

    Example:
        >>> axcodes_of(np.diag([-1.0, 1.0, 1.0, 1.0]))
        'LAS'
    """
    direction = direction_of(affine)
    letters = ["", "", ""]
    for axis in np.argsort(np.min(-(direction**2), axis=0)):
        world = int(np.argmax(np.abs(direction[:, axis])))
        letters[axis] = _AXIS_LETTERS[world][int(direction[world, axis] > 0)]
        direction[world, :] = 0.0
    return "".join(letters)


@dataclass(frozen=True, kw_only=True, slots=True, eq=False)
class Volume:
    """Voxels in stored order with their place in the patient; nothing is reoriented on reading.

    Args:
        voxels: Values, shape (x, y, z), axes in stored order.
        affine: Voxel index to world mm (RAS+), float64, invertible.
        path: File it came from; None when made in memory.
        affine_source: "sform", "qform", "assumed" (the user stated it) or "memory".
        sform_code: NIfTI code of the sform in the file, 0 if unused.
        qform_code: NIfTI code of the qform in the file, 0 if unused.
        notes: What was noticed and accepted while reading; shown to the reader of the result.
        sha256: Hash of the file's bytes (header file then image file for pairs).

    Raises:
        GridError: MS-114 if voxels are not 3-D or the affine is not an invertible 4 x 4 matrix.

    Example:
        >>> Volume(voxels=np.zeros((2, 3, 4), np.float32), affine=np.eye(4)).axcodes
        'RAS'
    """

    voxels: VoxelArray
    affine: AffineMatrix
    path: Path | None = None
    affine_source: str = "memory"
    sform_code: int = 0
    qform_code: int = 0
    notes: tuple[str, ...] = ()
    sha256: str | None = None

    def __post_init__(self) -> None:
        problem = _problem(self.voxels, self.affine, self.affine_source)
        if problem:
            raise GridError(
                code="MS-114",
                subject=str(self.path or "volume in memory"),
                cause=problem,
                fix="Give 3-D voxels with an invertible float64 voxel-to-world affine in mm",
            )

    @property
    def shape(self) -> tuple[int, int, int]:
        """Number of voxels along each stored axis."""
        first, second, third = self.voxels.shape
        return (first, second, third)

    @property
    def spacing_mm(self) -> tuple[float, float, float]:
        """Voxel edge lengths in mm along each stored axis."""
        first, second, third = spacing_of(self.affine).tolist()
        return (first, second, third)

    @property
    def axcodes(self) -> str:
        """Patient direction of each stored axis, such as "LAS"."""
        return axcodes_of(self.affine)


def _problem(voxels: np.ndarray, affine: np.ndarray, source: str) -> str:
    """Say what is wrong with a volume, or nothing."""
    if voxels.ndim != 3 or 0 in voxels.shape:
        return f"voxels have shape {voxels.shape}"
    if affine.shape != (4, 4) or affine.dtype != np.float64 or not np.isfinite(affine).all():
        return f"the affine is not a finite 4 x 4 float64 matrix: {affine.tolist()}"
    if not np.array_equal(affine[3], (0.0, 0.0, 0.0, 1.0)) or np.linalg.det(affine[:3, :3]) == 0.0:
        return f"the affine is not invertible: {affine.tolist()}"
    if source not in AFFINE_SOURCES:
        return f"affine_source is '{source}', not one of {', '.join(AFFINE_SOURCES)}"
    return ""


def content_sha256(volume: Volume) -> str:
    """Hash of voxels and affine: the same for the same scan in a file that was packed anew."""
    digest = hashlib.sha256(np.asarray(volume.affine, dtype="<f8").tobytes())
    digest.update(repr(volume.voxels.shape).encode("ascii"))
    digest.update(np.asarray(volume.voxels, dtype="<f4").tobytes())
    return digest.hexdigest()
