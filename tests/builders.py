"""Heads and NIfTI files that tests build themselves, with a known left, front and top.

Nothing here uses the code under test to decide where left is: reordering is written out with
numpy, file headers are encoded by nibabel.
"""

import gzip
import itertools
from collections.abc import Mapping
from dataclasses import replace
from pathlib import Path
from typing import Any

import nibabel
import numpy as np

from medsym.volumes.volume import Volume

SHAPE = (20, 24, 18)  # RAS order, all different, so that exchanged axes show
SPACING_MM = (5.0, 5.0, 5.5)
MARKER_INDEX = (3, 20, 14)  # left, front, top in RAS order
MARKER_VALUE = 1000.0
AXCODES = tuple(
    "".join(letters)
    for pairs in itertools.permutations(("RL", "AP", "SI"))
    for letters in itertools.product(*pairs)
)


def make_image(*, shape: tuple[int, int, int] = SHAPE, seed: int = 0) -> np.ndarray:
    """Random textured ball in RAS order with one bright voxel at the left front top."""
    grid = np.stack(np.meshgrid(*(np.linspace(-1, 1, n) for n in shape), indexing="ij"))
    ball = np.where((grid**2).sum(axis=0) < 0.8, 100.0, 0.0)
    image = np.round(ball + np.random.default_rng(seed).uniform(0, 20, shape))
    image[MARKER_INDEX] = MARKER_VALUE
    return image.astype(np.float32)


def ras_affine(
    *, shape: tuple[int, ...] = SHAPE, spacing: tuple[float, ...] = SPACING_MM
) -> np.ndarray:
    """Affine of a RAS array whose centre is near, not at, the world's origin."""
    affine = np.diag([*spacing, 1.0])
    affine[:3, 3] = -affine[:3, :3] @ ((np.array(shape) - 1) / 2) + (1.5, -2.25, 3.0)
    return affine


def reordered(
    image: np.ndarray, affine: np.ndarray, *, axcodes: str
) -> tuple[np.ndarray, np.ndarray]:
    """Store a RAS array with other axes; every voxel keeps its world position."""
    letters = ("RL", "AP", "SI")
    for target, letter in enumerate(axcodes):
        source = next(i for i, pair in enumerate(letters) if letter in pair)
        image, affine, letters = _swap_axes(image, affine, letters, target, source)
        if letter != letters[target][0]:
            image = np.flip(image, axis=target)
            flip = np.eye(4)
            flip[target, target], flip[target, 3] = -1.0, image.shape[target] - 1
            affine = affine @ flip
    return np.ascontiguousarray(image), affine


def _swap_axes(
    image: np.ndarray, affine: np.ndarray, letters: tuple[str, ...], first: int, second: int
) -> tuple[np.ndarray, np.ndarray, tuple[str, ...]]:
    order = [0, 1, 2]
    order[first], order[second] = order[second], order[first]
    columns = [*order, 3]
    return image.transpose(order), affine[:, columns], tuple(letters[i] for i in order)


def make_volume(
    *,
    axcodes: str = "RAS",
    image: np.ndarray | None = None,
    spacing: tuple[float, float, float] = SPACING_MM,
    seed: int = 0,
) -> Volume:
    """The marker phantom in memory; ``image`` and ``spacing`` are given in RAS order."""
    ras = make_image(seed=seed) if image is None else image
    voxels, affine = reordered(ras, ras_affine(shape=ras.shape, spacing=spacing), axcodes=axcodes)
    return Volume(voxels=voxels, affine=affine, sform_code=1)


def rotated(volume: Volume, *, degrees: tuple[float, float, float]) -> Volume:
    """Turn a volume in the world about the x, y and z axes; voxels stay as they are."""
    turn = np.eye(4)
    for axis, angle in enumerate(np.radians(degrees)):
        i, j = [k for k in range(3) if k != axis]
        step = np.eye(4)
        step[i, i] = step[j, j] = np.cos(angle)
        step[i, j], step[j, i] = -np.sin(angle), np.sin(angle)
        turn = step @ turn
    return replace(volume, affine=turn @ volume.affine)


def in_ras(volume: Volume) -> np.ndarray:
    """Voxels reordered to RAS by the affine alone; only for axes along the world's axes."""
    directions = volume.affine[:3, :3] / np.linalg.norm(volume.affine[:3, :3], axis=0)
    order = [int(np.argmax(np.abs(directions[world]))) for world in range(3)]
    image = volume.voxels.transpose(order)
    backward = [world for world in range(3) if directions[world, order[world]] < 0]
    return np.flip(image, axis=backward)


def nifti_bytes(
    voxels: np.ndarray,
    affine: np.ndarray | None,
    *,
    sform_code: int = 1,
    qform_code: int = 0,
    qform: np.ndarray | None = None,
    version: int = 1,
    big_endian: bool = False,
    paired: bool = False,
    fields: Mapping[str, Any] | None = None,
) -> tuple[bytes, bytes]:
    """Encode a file as header part and voxel part; ``fields`` overrides raw header fields."""
    kind = {1: nibabel.Nifti1Header, 2: nibabel.Nifti2Header}[version]
    order = ">" if big_endian else "<"
    header = kind(endianness=order)
    stored = voxels.astype(voxels.dtype.newbyteorder(order))
    header.set_data_shape(voxels.shape)
    header.set_data_dtype(stored.dtype)
    if affine is not None:
        spacing = np.linalg.norm(affine[:3, :3], axis=0)
        header.set_zooms([*spacing, *[1.0] * (voxels.ndim - 3)][: voxels.ndim])
        if qform_code:
            header.set_qform(affine if qform is None else qform, code=qform_code)
        if sform_code:
            header.set_sform(affine, code=sform_code)
    header["magic"] = (b"ni%d" if paired else b"n+%d") % version
    header["vox_offset"] = 0 if paired else {1: 352, 2: 544}[version]
    for name, value in (fields or {}).items():
        header[name] = value
    head = header.binaryblock + (b"" if paired else b"\0\0\0\0")
    return head, stored.tobytes(order="F")


def write_nifti(
    path: Path, voxels: np.ndarray, affine: np.ndarray | None, *, tail: bytes = b"", **options: Any
) -> Path:
    """Write one file (or a .hdr/.img pair, by name) exactly as ``nifti_bytes`` encodes it."""
    compress = gzip.compress if path.name.endswith(".gz") else bytes
    if path.suffix in {".hdr", ".img"}:
        head, data = nifti_bytes(voxels, affine, paired=True, **options)
        path.with_suffix(".hdr").write_bytes(head)
        path.with_suffix(".img").write_bytes(data + tail)
        return path
    head, data = nifti_bytes(voxels, affine, **options)
    path.write_bytes(compress(head + data + tail))
    return path
