"""A head of ellipsoids: textured brain, bone, scalp, a lesion on the left, a known mid-plane."""

import numpy as np
from scipy import ndimage

from medsym.volumes.volume import Volume

BRAIN_RADII_MM = np.array([66.0, 84.0, 62.0])
BONE_MM, SKIN_MM = 9.0, 15.0  # outer borders of bone and scalp above the brain
LESION_MM = np.array([-40.0, 25.0, 15.0])  # in the head's own frame: left, front, top
LESION_RADIUS_MM = 16.0
SHAPE, SPACING_MM = (60, 68, 60), 3.5


def head_points(volume: Volume, *, to_world: np.ndarray) -> np.ndarray:
    """Position of every voxel in the head's own frame, (3, x, y, z) mm."""
    index = np.indices(volume.shape).reshape(3, -1)
    to_head = np.linalg.inv(to_world) @ volume.affine
    return (to_head[:3, :3] @ index + to_head[:3, 3:]).reshape(3, *volume.shape)


def _texture(points: np.ndarray) -> np.ndarray:
    """Waves that are the same left and right."""
    x, y, z = np.abs(points[0]), points[1], points[2]
    return 0.15 * (np.sin(x / 7 + y / 11) + np.sin(y / 8 - z / 9) + np.cos(x / 9 + z / 7)) / 3


def make_head(
    *,
    to_world: np.ndarray | None = None,
    shape: tuple[int, int, int] = SHAPE,
    spacing: tuple[float, float, float] = (SPACING_MM,) * 3,
    lesion: bool = True,
    stripped: bool = False,
    background: float = 0.0,
    noise: float = 0.01,
) -> Volume:
    """A head whose mid-plane is x = 0 of the frame that ``to_world`` carries to the world."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -0.5 * (np.array(shape) - 1) * np.array(spacing)
    volume = Volume(voxels=np.zeros(shape, np.float32), affine=affine)
    points = head_points(volume, to_world=np.eye(4) if to_world is None else to_world)
    size = np.sqrt(((points / BRAIN_RADII_MM.reshape(3, 1, 1, 1)) ** 2).sum(axis=0))
    depth = (size - 1.0) * BRAIN_RADII_MM.mean()  # about mm outside the brain
    values = 0.7 + _texture(points)
    if lesion:
        inside = np.linalg.norm(points - LESION_MM.reshape(3, 1, 1, 1), axis=0) < LESION_RADIUS_MM
        values[inside] = 0.25
    values = np.where(depth > 0, 0.08, values)
    values = np.where(depth > BONE_MM, 0.95, values)
    values = np.where(depth > SKIN_MM, 0.0, values)
    values = ndimage.gaussian_filter(values, 0.5)
    values += noise * np.random.default_rng(5).standard_normal(shape)
    if stripped:
        values = np.where(depth > 0, background, values)
    return Volume(voxels=values.astype(np.float32), affine=affine)


def rigid(*, degrees: tuple[float, float, float], shift: tuple[float, float, float]) -> np.ndarray:
    """(4, 4) turn about the x, then y, then z axis, then a shift in mm."""
    matrix = np.eye(4)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        turn = np.eye(4)
        turn[i, i] = turn[j, j] = np.cos(angle)
        turn[i, j], turn[j, i] = -np.sin(angle), np.sin(angle)
        matrix = turn @ matrix
    matrix[:3, 3] = shift
    return matrix
