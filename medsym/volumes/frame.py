"""The symmetric grid: a voxel lattice on which the mirror of the head is exactly a flip of axis x.

Frame coordinates are mm with the origin at the centre of the grid, which lies on the mid-sagittal
plane; x grows to the patient's right, y to the front, z to the top. The number of voxels along x is
even, so the plane lies between voxels nx/2 - 1 and nx/2 and no voxel is its own mirror image.
"""

import math
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from medsym.errors import GridError
from medsym.volumes.midplane import MidPlane

EXTENT_MM = (192.0, 240.0, 192.0)  # larger than any adult brain
MULTIPLE = 16  # of every size: a network of five resolutions halves four times
DEFAULT_SHAPE = (64, 80, 64)
DEFAULT_SPACING_MM = 3.0


@dataclass(frozen=True, kw_only=True, slots=True)
class SymmetricGrid:
    """Size and spacing of a symmetric grid.

    Attributes:
        shape: voxels along x, y, z; each even.
        spacing_mm: edge of a voxel, the same along all axes.

    Raises:
        GridError: MS-160 on an odd or non-positive size or a spacing that is not positive.
    """

    shape: tuple[int, int, int] = DEFAULT_SHAPE
    spacing_mm: float = DEFAULT_SPACING_MM

    def __post_init__(self) -> None:
        sizes_ok = all(n > 0 and n % 2 == 0 for n in self.shape)
        sizes_ok &= len(self.shape) == 3
        if not (sizes_ok and np.isfinite(self.spacing_mm) and self.spacing_mm > 0):
            raise GridError(
                code="MS-160",
                subject="symmetric grid",
                cause=f"shape {self.shape} with spacing {self.spacing_mm} mm is not usable.",
                fix="Give three even positive sizes and a positive spacing.",
            )

    @classmethod
    def spanning(cls, spacing_mm: float) -> "SymmetricGrid":
        """The smallest grid of a spacing that covers `EXTENT_MM`, every size a multiple of 16.

        Args:
            spacing_mm: 3 gives (64, 80, 64), 2 gives (96, 128, 96), 1 gives (192, 240, 192).
        """
        x, y, z = (MULTIPLE * math.ceil(e / spacing_mm / MULTIPLE - 1e-6) for e in EXTENT_MM)
        return cls(shape=(x, y, z), spacing_mm=spacing_mm)

    @property
    def frame_affine(self) -> NDArray[np.float64]:
        """(4, 4) voxel to frame mm; the centre of the grid is the origin."""
        affine = np.diag([self.spacing_mm] * 3 + [1.0])
        affine[:3, 3] = [-0.5 * (n - 1) * self.spacing_mm for n in self.shape]
        return affine


def voxel_steps(length_mm: float, *, spacing_mm: float) -> int:
    """Number of one-voxel steps that comes nearest to a length, at least one.

    Morphology takes steps; a length makes it mean the same on grids of any spacing.

    Args:
        length_mm: e.g. the radius of a closing.
        spacing_mm: edge of a voxel.

    Example:
        >>> voxel_steps(6.0, spacing_mm=3.0), voxel_steps(6.0, spacing_mm=2.0)
        (2, 3)
    """
    return max(1, math.floor(length_mm / spacing_mm + 0.5))


def frame_to_world(plane: MidPlane, *, centre_mm: NDArray[np.float64]) -> NDArray[np.float64]:
    """Rigid map from frame mm to world mm, (4, 4).

    The frame's x axis is the plane's normal, y is the world's front direction made orthogonal to
    it, and z completes a right-handed system. Pitch is taken from the world: no mirror can tell it.

    Args:
        plane: mid-sagittal plane; the normal points to the patient's right.
        centre_mm: (3,) world point near the brain centre; its projection on the plane becomes the
            origin.
    """
    right = np.asarray(plane.normal, dtype=np.float64)
    front = np.array([0.0, 1.0, 0.0]) - right[1] * right
    front /= np.linalg.norm(front)
    rigid = np.eye(4)
    rigid[:3, :3] = np.column_stack([right, front, np.cross(right, front)])
    rigid[:3, 3] = centre_mm + (plane.offset_mm - right @ centre_mm) * right
    return rigid
