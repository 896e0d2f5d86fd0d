"""Read NIfTI scans and label maps: the only door through which patient images enter medsym.

Order of the checks: name, header fields, declared size, all bytes to the end of the stream, affine,
physical size, voxel values. Nothing is allocated before the size is checked, nothing is believed
before the stream's checksum is, and no left or right is guessed.
"""

from pathlib import Path

from medsym.types import AffineMatrix, PathLikeString, VoxelArray
from medsym.volumes.affine_rules import choose_affine
from medsym.volumes.header import NiftiHeader
from medsym.volumes.stored_scan import load_stored
from medsym.volumes.volume import Volume
from medsym.volumes.voxel_rules import check_extent, to_intensities, to_labels

USUAL_GIB = 2.0  # of stored or of float32 voxels, where nobody names a limit


def read_scan(
    path: PathLikeString,
    *,
    max_gib: float = USUAL_GIB,
    assume_orientation: str | None = None,
    volume_index: int | None = None,
    allow_shear: bool = False,
) -> Volume:
    """Read one head scan, or refuse it with a reason.

    Args:
        path: .nii, .nii.gz, or either file of a .hdr/.img pair.
        max_gib: Largest scan accepted, GiB of stored or of float32 voxels.
        assume_orientation: Axis codes (such as "RAS") that the user vouches for; used only when
            the file itself states no orientation.
        volume_index: Which volume of a 4-D file, counted from 0.
        allow_shear: Accept voxel axes that are not perpendicular.

    Returns:
        Finite float32 voxels, axes in stored order, with the affine the file states.

    Raises:
        ScanError: MS-101 to MS-130, one line with file, cause and fix.
    """
    header, raw, digest = load_stored(Path(path), max_gib=max_gib, volume_index=volume_index)
    affine, source, notes = choose_affine(
        header, assume_orientation=assume_orientation, allow_shear=allow_shear
    )
    notes += check_extent(header, affine)
    voxels, voxel_notes = to_intensities(raw, header)
    return _volume(
        voxels, (affine, source, notes + voxel_notes), header=header, path=path, digest=digest
    )


def read_label_map(path: PathLikeString, *, max_gib: float = USUAL_GIB) -> Volume:
    """Read a label map or mask; the affine rules are those of scans, an empty map is fine.

    Args:
        path: As for ``read_scan``.
        max_gib: As for ``read_scan``.

    Returns:
        int32 voxels, axes in stored order.

    Raises:
        ScanError: As ``read_scan``; MS-126 if values are not whole numbers.
    """
    header, raw, digest = load_stored(Path(path), max_gib=max_gib, volume_index=None)
    affine, source, notes = choose_affine(header, assume_orientation=None, allow_shear=False)
    labels, label_notes = to_labels(raw, header)
    return _volume(
        labels, (affine, source, notes + label_notes), header=header, path=path, digest=digest
    )


def _volume(
    voxels: VoxelArray,
    place: tuple[AffineMatrix, str, tuple[str, ...]],
    *,
    header: NiftiHeader,
    path: PathLikeString,
    digest: str,
) -> Volume:
    """The volume of a file; place is its affine, where that came from, and the notes."""
    affine, source, notes = place
    return Volume(
        voxels=voxels,
        affine=affine,
        path=Path(path),
        affine_source=source,
        sform_code=header.sform_code,
        qform_code=header.qform_code,
        notes=notes,
        sha256=digest,
    )
