"""Small look-alikes of data sets: heads with a lesion on a known side, files with the right names.

A head is an ellipsoid brain in a skull and a scalp, brighter in front, with a lesion in one half.
Reordering to other storage orders is that of tests/builders.py, which uses no code under test.
"""

from pathlib import Path

import numpy as np

from medsym.volumes.volume import Volume
from tests.builders import ras_affine, reordered, write_nifti

SHAPE = (44, 52, 44)
SPACING_MM = (4.5, 4.5, 4.5)
LEFT_MM = (-30.0, 10.0, 20.0)  # centre of the lesion; x grows to the patient's right
RIGHT_MM = (30.0, 10.0, 20.0)
RADIUS_MM = 16.0


def lattice_mm(affine: np.ndarray, *, shape: tuple[int, int, int] = SHAPE) -> np.ndarray:
    """World coordinates of every voxel, (3, x, y, z)."""
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"))
    return np.einsum("rc,cxyz->rxyz", affine[:3, :3], index) + affine[:3, 3].reshape(3, 1, 1, 1)


def head(
    *, centre_mm: tuple[float, float, float] = LEFT_MM, brightness: float = 60.0, seed: int = 0
) -> tuple[np.ndarray, np.ndarray, np.ndarray]:
    """Scan, lesion (uint8) and affine in RAS order."""
    affine = ras_affine(shape=SHAPE, spacing=SPACING_MM)
    x, y, z = lattice_mm(affine)
    depth = np.sqrt((x / 68.0) ** 2 + (y / 84.0) ** 2 + (z / 62.0) ** 2)
    texture = np.random.default_rng(seed).uniform(0, 6, SHAPE)
    image = np.where(depth < 1.0, 90.0 + 12.0 * np.cos(y / 9.0) * np.cos(z / 11.0) + 0.1 * y, 0.0)
    image[(depth >= 1.0) & (depth < 1.08)] = 12.0
    image[(depth >= 1.08) & (depth < 1.2)] = 110.0
    offset = np.stack([x, y, z]) - np.reshape(centre_mm, (3, 1, 1, 1))
    lesion = (np.linalg.norm(offset, axis=0) < RADIUS_MM) & (depth < 0.98)
    scan = np.where(depth < 1.2, image + texture + brightness * lesion, 0.0)
    return scan.astype(np.float32), lesion.astype(np.uint8), affine


def volume(array: np.ndarray, affine: np.ndarray, *, axcodes: str = "RAS") -> Volume:
    """A volume in memory in another storage order; every voxel keeps its place in the world."""
    stored, moved = reordered(array, affine, axcodes=axcodes)
    return Volume(voxels=stored, affine=moved, sform_code=1)


def put(path: Path, array: np.ndarray, affine: np.ndarray, *, axcodes: str = "RAS") -> Path:
    """Write one file, its folders made."""
    path.parent.mkdir(parents=True, exist_ok=True)
    return write_nifti(path, *reordered(array, affine, axcodes=axcodes))


def touch(root: Path, *names: str) -> None:
    """Empty files: enough where names alone decide."""
    for name in names:
        path = root / name
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(b"")


def relative(root: Path, path: Path | None) -> str | None:
    """Path below a root with forward slashes, for comparison."""
    return None if path is None else path.relative_to(root).as_posix()
