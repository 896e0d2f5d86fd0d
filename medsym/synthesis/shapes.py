"""Lesion shapes: masks of real lesions in MNI space, and random blobs.

A mask is kept as the fraction of each 2 mm voxel in its own bounding box. It is placed by matching
the bounding box of the drawn brain to that of the MNI brain, which is rough on purpose: the shape
is real, the exact position is not claimed.
"""

import hashlib
import logging
import os
from dataclasses import dataclass
from pathlib import Path

import numpy as np
import torch
from torch import Tensor
from torch.nn import functional

from medsym.errors import AnatomyError

logger = logging.getLogger(__name__)

CELL_MM = 2.0
SMALLEST_ML = 0.15
CACHE_VERSION = 1
# Extent of cerebrum and cerebellum of the MNI152 brain, mm (x, y, z).
MNI_LOW_MM = (-71.0, -106.0, -64.0)
MNI_HIGH_MM = (71.0, 73.0, 80.0)


@dataclass(frozen=True, kw_only=True, slots=True)
class LesionShape:
    """One real lesion.

    Attributes:
        name: file name.
        fraction: (x, y, z) float32 in its bounding box, RAS+ at 2 mm.
        origin_mm: (3,) MNI coordinates of the first voxel's centre.
        centre_mm: (3,) centre of mass in MNI coordinates.
        volume_ml: of the mask.
    """

    name: str
    fraction: Tensor
    origin_mm: Tensor
    centre_mm: Tensor
    volume_ml: float


def _is_test(name: str, *, share: float) -> bool:
    """Whether a file belongs to the test split; the same on every machine."""
    digest = hashlib.sha256(name.encode("utf-8")).digest()
    return int.from_bytes(digest[:4], "big") < share * 2**32


def load_shapes(
    folders: tuple[Path, ...], *, split: str, test_share: float, cache: Path | None = None
) -> tuple[LesionShape, ...]:
    """Masks of one split from folders of NIfTI files in MNI space.

    Args:
        folders: each is searched for *.nii.gz; not deeper.
        split: "train" or "test"; files are divided by a hash of their name.
        test_share: share of the files that belongs to the test split.
        cache: folder for the cropped masks; None keeps nothing.

    Raises:
        AnatomyError: when a folder holds no mask.
    """
    shapes: list[LesionShape] = []
    for folder in folders:
        shapes.extend(_load_folder(folder, cache=cache))
    wanted = split == "test"
    return tuple(s for s in shapes if _is_test(s.name, share=test_share) == wanted)


def _load_folder(folder: Path, *, cache: Path | None) -> list[LesionShape]:
    """All masks of one folder, from the cache when it is there."""
    paths = sorted(folder.glob("*.nii.gz"))
    if not paths:
        raise AnatomyError(
            code="MS-174",
            subject=str(folder),
            cause="the folder holds no .nii.gz lesion mask.",
            fix="Correct lesion_folders in the configuration, or leave it empty.",
        )
    stored = cache / f"lesions-{folder.name}-{len(paths)}-v{CACHE_VERSION}.npz" if cache else None
    if stored is not None and stored.exists():
        return _unpack(stored)
    shapes = [shape for path in paths if (shape := _read(path)) is not None]
    logger.info("%d of %d lesion masks of %s are large enough", len(shapes), len(paths), folder)
    if stored is not None:
        _pack(shapes, stored)
    return shapes


def _read(path: Path) -> LesionShape | None:
    """One mask, or None when it is too small to be seen on the network's grid."""
    from medsym.volumes.nifti import read_label_map  # heavy reader, only when needed

    volume = read_label_map(path)
    inside = np.argwhere(volume.voxels > 0)
    cell_ml = abs(float(np.linalg.det(volume.affine[:3, :3]))) / 1000.0
    if len(inside) * cell_ml < SMALLEST_ML:
        return None
    points = inside @ volume.affine[:3, :3].T + volume.affine[:3, 3]
    half = 0.5 * np.linalg.norm(volume.affine[:3, :3], axis=0).max()
    low = points.min(0) - half - CELL_MM  # edge of the first cell, one empty cell before the mask
    size = np.ceil((points.max(0) + half - low) / CELL_MM) + 1.0
    cells = np.floor((points - low) / CELL_MM).astype(np.int64)
    fraction = np.zeros(size.astype(int), dtype=np.float32)
    np.add.at(fraction, tuple(cells.T), cell_ml * 1000.0 / CELL_MM**3)
    return LesionShape(
        name=path.name,
        fraction=torch.from_numpy(np.clip(fraction, 0.0, 1.0)),
        origin_mm=torch.from_numpy((low + 0.5 * CELL_MM).astype(np.float32)),
        centre_mm=torch.from_numpy(points.mean(0).astype(np.float32)),
        volume_ml=len(inside) * cell_ml,
    )


def _pack(shapes: list[LesionShape], path: Path) -> None:
    """Write the masks of a folder as one archive."""
    path.parent.mkdir(parents=True, exist_ok=True)
    partial = path.with_suffix(f".{os.getpid()}.npz")
    np.savez_compressed(
        partial,
        names=np.array([s.name for s in shapes]),
        sizes=np.array([s.fraction.shape for s in shapes], dtype=np.int64),
        origins=np.stack([s.origin_mm.numpy() for s in shapes]),
        centres=np.stack([s.centre_mm.numpy() for s in shapes]),
        volumes=np.array([s.volume_ml for s in shapes]),
        fractions=np.concatenate(
            [np.rint(s.fraction.numpy().ravel() * 255).astype(np.uint8) for s in shapes]
        ),
    )
    partial.replace(path)


def _unpack(path: Path) -> list[LesionShape]:
    """Read an archive written by `_pack`."""
    with np.load(path, allow_pickle=False) as archive:
        table = {key: archive[key] for key in archive.files}
    shapes, at = [], 0
    for row, name in enumerate(table["names"].tolist()):
        size = table["sizes"][row]
        flat = table["fractions"][at : at + int(size.prod())].astype(np.float32) / 255.0
        at += int(size.prod())
        shapes.append(
            LesionShape(
                name=name,
                fraction=torch.from_numpy(flat.reshape(size)),
                origin_mm=torch.from_numpy(table["origins"][row]),
                centre_mm=torch.from_numpy(table["centres"][row]),
                volume_ml=float(table["volumes"][row]),
            )
        )
    return shapes


def sample_shape(shape: LesionShape, *, points_mm: Tensor) -> Tensor:
    """Lesion fraction at MNI positions, (x, y, z), 0 outside the mask's box.

    Args:
        shape: the lesion.
        points_mm: (3, x, y, z) MNI coordinates.
    """
    device = points_mm.device
    size = torch.tensor(shape.fraction.shape, dtype=torch.float32, device=device).view(3, 1, 1, 1)
    cells = (points_mm - shape.origin_mm.to(device).view(3, 1, 1, 1)) / CELL_MM
    unit = (2.0 * cells + 1.0) / size - 1.0  # grid_sample's range for align_corners=False
    grid = unit.flip(0).permute(1, 2, 3, 0)[None]  # it wants the last axis first
    mask = shape.fraction.to(device)[None, None]
    values = functional.grid_sample(
        mask, grid, mode="bilinear", padding_mode="zeros", align_corners=False
    )
    return values[0, 0]
