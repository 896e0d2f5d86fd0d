"""Geometry of the sample subjects: pose, natural asymmetry, outlines, storage orientations."""

from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray
from scipy import ndimage

Array = NDArray[np.float64]

SHAPE = (100, 116, 100)
SPACING_MM = 2.0
TORQUE_MM = 2.0
WOBBLE_MM = 1.2  # root mean square of the smooth deformation, per axis
WOBBLE_VOXELS = 10.0  # its smoothness
ROUGH_VOXELS = 4.0


@dataclass(frozen=True, kw_only=True, slots=True)
class Pose:
    """How a head lies in the scanner: rotations about z, y and x, then a shift (world mm)."""

    yaw_deg: float
    roll_deg: float
    pitch_deg: float
    shift_mm: tuple[float, float, float]

    @property
    def frame_to_world(self) -> Array:
        """(4, 4) rigid; the mid-sagittal plane is the image of x = 0."""
        rigid = np.eye(4)
        turns = [
            _turn(axis, degrees)
            for axis, degrees in ((2, self.yaw_deg), (1, self.roll_deg), (0, self.pitch_deg))
        ]
        rigid[:3, :3] = turns[0] @ turns[1] @ turns[2]
        rigid[:3, 3] = self.shift_mm
        return rigid


@dataclass(frozen=True, kw_only=True, slots=True)
class Blob:
    """A rough ellipsoid; centre in frame mm (x < 0 is the patient's left), half axes in mm."""

    centre_mm: tuple[float, float, float]
    axes_mm: tuple[float, float, float]
    roughness: float


def _turn(axis: int, degrees: float) -> Array:
    """(3, 3) right-handed rotation about an axis."""
    cosine, sine = np.cos(np.radians(degrees)), np.sin(np.radians(degrees))
    first, second = (axis + 1) % 3, (axis + 2) % 3
    turn = np.eye(3)
    turn[first, first] = turn[second, second] = cosine
    turn[first, second], turn[second, first] = -sine, sine
    return turn


def world_affine() -> Array:
    """(4, 4) voxel to world of the RAS lattice, centred on the world's origin."""
    affine = np.diag([SPACING_MM] * 3 + [1.0])
    affine[:3, 3] = [-0.5 * SPACING_MM * (n - 1) for n in SHAPE]
    return affine


def head_points(pose: Pose) -> Array:
    """(3, x, y, z) frame coordinates of every voxel of the lattice."""
    to_frame = np.linalg.inv(pose.frame_to_world) @ world_affine()
    index = np.stack(np.meshgrid(*(np.arange(n, dtype=np.float64) for n in SHAPE), indexing="ij"))
    points = np.einsum("rc,cxyz->rxyz", to_frame[:3, :3], index)
    return np.asarray(points + to_frame[:3, 3].reshape(3, 1, 1, 1), dtype=np.float64)


def natural_shift(points: Array, *, random: np.random.Generator) -> Array:
    """Displacement of healthy tissue: right front forwards, left back backwards, and a wobble."""
    shift = np.stack(
        [ndimage.gaussian_filter(random.standard_normal(SHAPE), WOBBLE_VOXELS) for _ in range(3)]
    )
    shift *= WOBBLE_MM / np.sqrt((shift**2).mean(axis=(1, 2, 3), keepdims=True))
    right = 1.0 / (1.0 + np.exp(-points[0] / 10.0))
    forwards = right * np.maximum(points[1], 0.0) + (1.0 - right) * np.minimum(points[1], 0.0)
    shift[1] += TORQUE_MM * np.clip(forwards / 70.0, -1.5, 1.5)
    return np.asarray(shift, dtype=np.float64)


def blob_level(blob: Blob, *, points: Array, random: np.random.Generator) -> Array:
    """1 in the centre of an outline, 0 on its rough surface, negative outside; (x, y, z)."""
    centre = np.array(blob.centre_mm).reshape(3, 1, 1, 1)
    axes = np.array(blob.axes_mm).reshape(3, 1, 1, 1)
    distance = np.sqrt((((points - centre) / axes) ** 2).sum(axis=0))
    rough = ndimage.gaussian_filter(random.standard_normal(SHAPE), ROUGH_VOXELS)
    return np.asarray(1.0 - distance + blob.roughness * rough / rough.std(), dtype=np.float64)


def pushed(sources: Array, *, points: Array, blob: Blob, distance_mm: float) -> Array:
    """Source positions after the tissue round an outline moved outwards by at most a distance."""
    if distance_mm == 0.0:
        return sources
    away = points - np.array(blob.centre_mm).reshape(3, 1, 1, 1)
    length = np.maximum(np.sqrt((away**2).sum(axis=0)), 1e-3)
    ratio = length / float(np.mean(blob.axes_mm))
    profile = np.where(ratio < 1.0, ratio, np.exp(1.0 - ratio))
    return np.asarray(sources - away / length * (distance_mm * profile), dtype=np.float64)


def store_as(
    voxels: NDArray[np.generic], *, affine: Array, axcodes: str
) -> tuple[NDArray[np.generic], Array]:
    """Reorder the axes of a RAS array; no voxel changes its place in the world.

    Args:
        voxels: (x, y, z) in RAS order.
        affine: (4, 4) voxel to world of that order.
        axcodes: wanted directions, for instance "LIA".

    Returns:
        Contiguous voxels and their affine.
    """
    order = [next(k for k, pair in enumerate(("LR", "PA", "IS")) if c in pair) for c in axcodes]
    stored = np.transpose(voxels, order)
    to_ras = np.zeros((4, 4))
    to_ras[3, 3] = 1.0
    for axis, (source, code) in enumerate(zip(order, axcodes, strict=True)):
        backwards = code in "LPI"
        to_ras[source, axis] = -1.0 if backwards else 1.0
        if backwards:
            to_ras[source, 3] = voxels.shape[source] - 1
            stored = np.flip(stored, axis)
    return np.ascontiguousarray(stored), affine @ to_ras
