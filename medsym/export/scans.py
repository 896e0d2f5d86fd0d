"""Scans in and maps out as MONAI transforms, with medsym's strict reader and writer.

The tensors are MONAI's ``MetaTensor`` (1, x, y, z) in the scan's own storage order; the affine maps
their voxels to the patient's world in mm (RAS+), so a scan stored as LPS and the same one stored as
RAS are the same place.
"""

import logging
from collections.abc import Hashable, Mapping
from pathlib import Path
from typing import Any

import numpy as np
import torch
from monai.config.type_definitions import KeysCollection
from monai.data.meta_tensor import MetaTensor
from monai.transforms.transform import MapTransform

from medsym.errors import ScanError
from medsym.screening.inputs import expand_scans
from medsym.screening.map_kinds import ANATOMY, KINDS
from medsym.screening.naming import map_stem, name_cases
from medsym.types import PathLikeString
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume
from medsym.volumes.writer import safe_out, write_map

log = logging.getLogger(__name__)

#: The maps of a case, in the order of the channels of a prediction; the last one holds labels.
MAP_KINDS = (*KINDS, ANATOMY)
_KEPT = ("affine_source", "sform_code", "qform_code")  # of a Volume, beside the affine


def list_scans(source: PathLikeString) -> list[dict[str, str]]:
    """Data list of a bundle: one entry per scan, with the name that its maps get.

    Args:
        source: A NIfTI file, or a folder that holds some at any depth; masks, labels and maps in it
            are left out.

    Returns:
        Entries with ``image`` (path), ``case`` (identifier) and ``folder`` (below the output).

    Raises:
        ScanError: MS-365, no scan there.
        OutputError: MS-150, two scans would get the same name.
    """
    scans = [path for path in expand_scans([Path(source)]) if path.is_file()]
    if not scans:
        raise ScanError(
            code="MS-365",
            subject=str(source),
            cause="no NIfTI scan was found there",
            fix="set dataset_dir to a scan, or to a folder that holds *.nii or *.nii.gz",
        )
    names = name_cases(scans)
    return [
        {"image": str(path), "case": name.case, "folder": "/".join(name.folder)}
        for path, name in names.items()
    ]


def tensor_of(scan: Volume) -> MetaTensor:
    """A scan as (1, x, y, z) MetaTensor in its own storage order, with its own affine."""
    meta = {"filename_or_obj": str(scan.path or ""), **{key: getattr(scan, key) for key in _KEPT}}
    voxels, affine = torch.from_numpy(scan.voxels), torch.from_numpy(scan.affine)
    return MetaTensor(voxels[None], affine=affine, meta=meta)


def volume_of(image: torch.Tensor) -> Volume:
    """The scan behind a MetaTensor, whoever loaded it.

    Args:
        image: (1, x, y, z) with an affine to RAS+ world mm, as MONAI's ``LoadImage`` gives it too.

    Raises:
        ScanError: MS-367, a tensor that does not say where it is, or several channels.
    """
    if not isinstance(image, MetaTensor) or image.ndim != 4 or image.shape[0] != 1:
        raise ScanError(
            code="MS-367",
            subject="input of the bundle",
            cause=f"{type(image).__name__} of shape {tuple(image.shape)} is no scan",
            fix="give a MetaTensor (1, x, y, z) with its affine, as LoadScand makes it",
        )
    name = str(image.meta.get("filename_or_obj", ""))
    kept = {key: image.meta[key] for key in _KEPT if key in image.meta}
    return Volume(
        voxels=np.asarray(image.as_tensor().detach().cpu()[0], dtype=np.float32),
        affine=np.asarray(image.affine, dtype=np.float64),
        path=Path(name) if name else None,
        **kept,
    )


class LoadScand(MapTransform):
    """Path -> scan, (1, x, y, z) float32, by medsym's reader; nothing is reoriented.

    Args:
        keys: Where the paths are, and the scans go.
        assume_orientation: Axis codes for files that state no orientation, such as "RAS".
        volume_index: Which volume of a 4-D file, from 0.
        allow_shear: Accept voxel axes that are not perpendicular.
        max_gib: Largest scan accepted, GiB.
    """

    def __init__(
        self,
        keys: KeysCollection,
        *,
        assume_orientation: str | None = None,
        volume_index: int | None = None,
        allow_shear: bool = False,
        max_gib: float = 2.0,
    ) -> None:
        super().__init__(keys)
        self.options: dict[str, Any] = {
            "assume_orientation": assume_orientation,
            "volume_index": volume_index,
            "allow_shear": allow_shear,
            "max_gib": max_gib,
        }

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Read every key.

        Raises:
            ScanError: MS-101 to MS-130, a scan that cannot be used, with the reason.
        """
        done = dict(data)
        for key in self.key_iterator(done):
            scan = read_scan(done[key], **self.options)
            for note in scan.notes:
                log.info("%s: %s", done[key], note)
            done[key] = tensor_of(scan)
        return done


class SaveMapsd(MapTransform):
    """Write the maps of a case with medsym's writer, under the names that ``screen`` gives them.

    A case that is not assessable has no numbers: nothing is written for it, and what an earlier run
    wrote under its name is removed.

    Args:
        keys: Where the maps are: (map, x, y, z) as :class:`~medsym.export.inferer.MirrorInferer`
            returns them. ``case`` and ``folder`` of the data say how they are named.
        output_dir: Folder for the maps; created if missing.
    """

    def __init__(self, keys: KeysCollection, *, output_dir: PathLikeString) -> None:
        super().__init__(keys)
        self.out = Path(output_dir)

    def __call__(self, data: Mapping[Hashable, Any]) -> dict[Hashable, Any]:
        """Write every key; the data are returned as they are.

        Raises:
            OutputError: MS-140 to MS-144, a map that cannot be written.
        """
        for key in self.key_iterator(dict(data)):
            self._save(data[key], case=str(data["case"]), folder=str(data["folder"]))
        return dict(data)

    def _save(self, maps: MetaTensor, *, case: str, folder: str) -> None:
        like = volume_of(maps[:1])
        withheld = bool(torch.isnan(maps.as_tensor()).any())
        for kind, values in zip(MAP_KINDS, maps.as_tensor().cpu().numpy(), strict=True):
            name = f"{map_stem(case)}_desc-{kind.key}_{kind.suffix}.nii.gz"
            path = safe_out(self.out, folder, name)
            if withheld:
                path.unlink(missing_ok=True)
                continue
            path.parent.mkdir(parents=True, exist_ok=True)
            stored = values.astype(np.int16) if kind is ANATOMY else values
            write_map(path, stored, like=like, description=f"medsym {kind.key}")
