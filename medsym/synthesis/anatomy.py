"""Anatomies to synthesise from: folders of label maps, brought onto the symmetric frame once.

Left and right come from the map's affine and from its left and right labels; the two must agree,
or the map is refused. The frame is the one of the symmetric grid: x grows to the patient's right,
x = 0 is the mid-sagittal plane, mm.
"""

import logging
import os
from dataclasses import dataclass, replace
from pathlib import Path

import numpy as np
import torch
from numpy.typing import NDArray
from scipy import ndimage
from torch import Tensor

from medsym.errors import AnatomyError
from medsym.models.structures import STRUCTURES
from medsym.synthesis.labelframe import label_frame
from medsym.synthesis.tissues import (
    CLASS_LABELS,
    UNSIDED_WHITE,
    class_structures,
    classes_named,
)

logger = logging.getLogger(__name__)

FINE_MM = 1.0  # lattice of the stored classes; label maps are rarely finer
LATTICE = (216, 264, 240)  # mm: the symmetric grid and room to move
RIM_STEPS_PER_MM = 20.0
RIM_NONE = 255  # not cortex
CACHE_VERSION = 3


@dataclass(frozen=True, kw_only=True, slots=True)
class Anatomy:
    """One head as tissue classes on the symmetric frame.

    Attributes:
        name: file name without its extension, or the template's name.
        classes: (216, 264, 240) uint8, positions in `tissues.CLASS_LABELS`; 1 mm, the frame's
            origin at the centre of the array.
        rim: (216, 264, 240) uint8, depth of cortex below its surface in steps of 1/20 mm, 255
            elsewhere; what atrophy takes away first.
        missing: titles of the structures that this anatomy does not know.
    """

    name: str
    classes: Tensor
    rim: Tensor
    missing: tuple[str, ...] = ()

    @classmethod
    def of_classes(cls, name: str, classes: NDArray[np.uint8]) -> "Anatomy":
        """Work out rim and missing structures of tissue classes on the lattice."""
        return cls(
            name=name,
            classes=torch.from_numpy(classes),
            rim=torch.from_numpy(_rim(classes)),
            missing=missing_structures(classes),
        )

    def to(self, device: torch.device) -> "Anatomy":
        """The same anatomy on a device."""
        return replace(self, classes=self.classes.to(device), rim=self.rim.to(device))


def lattice_points() -> tuple[NDArray[np.float64], ...]:
    """Frame coordinates (mm) of the lattice's planes along x, y and z."""
    return tuple((np.arange(n, dtype=np.float64) - 0.5 * (n - 1)) * FINE_MM for n in LATTICE)


def classes_on_frame(
    labels: NDArray[np.int32], *, affine: NDArray[np.float64], name: str
) -> NDArray[np.uint8]:
    """Resample a label map (nearest) onto the symmetric lattice and number its classes.

    Args:
        labels: (x, y, z) FreeSurfer-style labels in any storage order.
        affine: (4, 4) voxel to world (RAS+, mm).
        name: of the map, for messages.

    Raises:
        AnatomyError: on labels that no tissue claims, or when left and right contradict the affine.
    """
    _refuse_unknown(labels, name=name)
    try:
        frame = label_frame(labels, affine=affine)
    except ValueError as error:
        raise AnatomyError(
            code="MS-170",
            subject=name,
            cause=f"{error}.",
            fix="Give FreeSurfer-style labels, for instance 2 and 41 for white matter.",
        ) from error
    to_voxel = np.linalg.inv(affine) @ frame
    planes = lattice_points()
    voxels = [
        sum(
            (
                to_voxel[row, k] * planes[k].reshape([-1 if i == k else 1 for i in range(3)])
                for k in range(3)
            ),
            start=np.float64(to_voxel[row, 3]),
        )
        for row in range(3)
    ]
    nearest = [np.rint(v).astype(np.int32) for v in voxels]
    inside = np.ones(LATTICE, dtype=bool)
    for index, size in zip(nearest, labels.shape, strict=True):
        inside &= (index >= 0) & (index < size)
        np.clip(index, 0, size - 1, out=index)
    sampled = np.where(inside, labels[tuple(nearest)], 0)
    return _number(_fold(sampled), name=name)


def _refuse_unknown(labels: NDArray[np.int32], *, name: str) -> None:
    """Refuse labels that no tissue claims."""
    present = np.unique(labels)
    parcels = (present >= 1000) & (present < 3000) | (present >= 11000) & (present < 13000)
    known = {*CLASS_LABELS, *UNSIDED_WHITE}
    unknown = sorted(set(present[~parcels].tolist()) - known)
    if unknown:
        raise AnatomyError(
            code="MS-171",
            subject=name,
            cause=f"labels {unknown[:8]} belong to no tissue class.",
            fix="Use FreeSurfer or SynthSeg label numbers, or set these voxels to 0.",
        )


def _fold(labels: NDArray[np.int32]) -> NDArray[np.int32]:
    """Replace cortical parcels by cortex, unsided white matter by that of the side it is on."""
    folded = labels.copy()
    folded[((labels >= 1000) & (labels < 2000)) | ((labels >= 11000) & (labels < 12000))] = 3
    folded[((labels >= 2000) & (labels < 3000)) | ((labels >= 12000) & (labels < 13000))] = 42
    unsided = np.isin(labels, UNSIDED_WHITE)
    on_left = (lattice_points()[0] < 0)[:, None, None]
    folded[unsided & on_left] = 2
    folded[unsided & ~on_left] = 41
    return folded


def _number(labels: NDArray[np.int32], *, name: str) -> NDArray[np.uint8]:
    """Class numbers of labels; refuses swapped sides."""
    table = np.zeros(max(CLASS_LABELS) + 1, dtype=np.uint8)
    table[list(CLASS_LABELS)] = np.arange(len(CLASS_LABELS), dtype=np.uint8)
    classes = table[labels]
    sides = np.array([{"left": -1, "right": 1}.get(s.side, 0) for s in STRUCTURES])
    side = sides[class_structures().numpy()][classes]
    lateral = float((side * np.sign(lattice_points()[0])[:, None, None]).sum())
    if lateral < 0.8 * float(np.abs(side).sum()):
        raise AnatomyError(
            code="MS-172",
            subject=name,
            cause="left labels do not lie on the left of the mid-plane that the affine gives.",
            fix="Correct the affine or the labels; nothing was mirrored.",
        )
    return classes


def missing_structures(classes: NDArray[np.uint8]) -> tuple[str, ...]:
    """Titles of the structures that have no voxel."""
    present = set(class_structures().numpy()[np.unique(classes)].tolist())
    return tuple(s.title for s in STRUCTURES if s.index not in present)


def _rim(classes: NDArray[np.uint8]) -> NDArray[np.uint8]:
    """Depth of every cortex voxel below what is outside the brain, in steps of 1/20 mm."""
    outside = (class_structures() == 0).numpy()[classes]
    cortex = classes_named("cortex").numpy()[classes]
    rim = np.full(LATTICE, RIM_NONE, dtype=np.uint8)
    if not cortex.any():
        return rim
    box = ndimage.find_objects(cortex.astype(np.int8))[0]
    depth = ndimage.distance_transform_edt(~outside[box]) - 0.5  # from the voxel's outer face
    steps = np.clip(np.rint(depth * FINE_MM * RIM_STEPS_PER_MM), 0, RIM_NONE - 1)
    rim[box] = np.where(cortex[box], steps, RIM_NONE).astype(np.uint8)
    return rim


def load_anatomy(path: Path, *, cache: Path | None = None) -> Anatomy:
    """Read one label map; the result is kept in the cache folder under the file's name and size.

    Args:
        path: .nii or .nii.gz label map.
        cache: folder for the resampled classes, made when absent; None keeps nothing.

    Raises:
        AnatomyError, ScanError: as `classes_on_frame` and the reader.
    """
    name = path.name.removesuffix(".gz").removesuffix(".nii")
    stored = cache / f"{name}-{path.stat().st_size}-v{CACHE_VERSION}.npz" if cache else None
    if stored is not None and stored.exists():
        with np.load(stored, allow_pickle=False) as archive:
            classes, rim = archive["classes"], archive["rim"]
        return Anatomy(
            name=name,
            classes=torch.from_numpy(classes),
            rim=torch.from_numpy(rim),
            missing=missing_structures(classes),
        )
    from medsym.volumes.nifti import read_label_map  # heavy reader, only when needed

    volume = read_label_map(path)
    classes = classes_on_frame(volume.voxels, affine=volume.affine, name=path.name)
    anatomy = Anatomy.of_classes(name, classes)
    logger.info("anatomy %s resampled onto the symmetric frame", name)
    if stored is not None:
        stored.parent.mkdir(parents=True, exist_ok=True)
        partial = stored.with_suffix(f".{os.getpid()}.npz")
        np.savez_compressed(partial, classes=classes, rim=anatomy.rim.numpy())
        partial.replace(stored)
    return anatomy


def load_folder(
    folder: Path, *, subjects: tuple[str, ...], cache: Path | None = None
) -> tuple[Anatomy, ...]:
    """Read the named subjects of a folder of label maps.

    Raises:
        AnatomyError: MS-790 there is no such folder, MS-173 a subject has no file there.
    """
    if not folder.is_dir():
        raise AnatomyError(
            code="MS-790",
            subject=str(folder),
            cause="the folder of label maps (label_maps in the configuration) is not there",
            fix="Get label maps (medsym/models/weights/README.md says where) and name their "
            "folder, or use configs/train_tiny.yaml, which needs none",
        )
    anatomies = []
    for subject in subjects:
        paths = [folder / f"{subject}{end}" for end in (".nii.gz", ".nii")]
        found = [path for path in paths if path.is_file()]
        if not found:
            raise AnatomyError(
                code="MS-173",
                subject=str(folder),
                cause=f"no label map named {subject}.nii.gz or {subject}.nii.",
                fix="Correct the list of subjects in the configuration.",
            )
        anatomies.append(load_anatomy(found[0], cache=cache))
    return tuple(anatomies)
