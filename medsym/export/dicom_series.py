"""A DICOM series from its folder, and where its pixels lie; pixel values are not read."""

import warnings
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

import numpy as np
from numpy.typing import NDArray

from medsym.errors import ScanError
from medsym.screening.dicom.series import find_series as dicom_series_in
from medsym.volumes.volume import Volume

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: A pixel of the series may lie this far from a voxel of the scan, in voxels. A converter copies
#: the pixels; positions that differ by more than rounding are of another series.
SAME_GRID = 0.05
#: Tags of an image whose pixels have a place in the patient.
PLACED = (
    *("SeriesInstanceUID", "SOPInstanceUID", "ImageOrientationPatient", "ImagePositionPatient"),
    *("PixelSpacing", "Rows", "Columns"),
)
#: Tags that a derived object repeats: without a value it would belong to nothing.
NEEDED = ("StudyInstanceUID", "FrameOfReferenceUID", "SOPClassUID", "Modality")
#: Tags that it repeats even if they are empty (type 2 of the standard).
MAY_BE_EMPTY = (
    *("PatientName", "PatientID", "PatientBirthDate", "PatientSex"),
    *("StudyDate", "StudyTime", "StudyID", "AccessionNumber"),
)
#: DICOM counts x to the patient's left and y to the back, medsym to the right and to the front.
_TO_RAS = np.diag([-1.0, -1.0, 1.0])


@dataclass(frozen=True, kw_only=True, slots=True)
class Series:
    """One series of single-frame images, from one end of the stack to the other.

    Attributes:
        images: headers, without pixels.
        folder: where they are.
    """

    images: tuple["Dataset", ...]
    folder: Path

    def positions(self, number: int) -> tuple[NDArray[np.float64], NDArray[np.float64]]:
        """(3, 2) steps per row and per column, (3,) centre of the first pixel; world mm, RAS."""
        image = self.images[number]
        cosines = np.array(image.ImageOrientationPatient, dtype=np.float64)
        between_rows, between_columns = (float(v) for v in image.PixelSpacing)
        steps = np.stack([cosines[3:] * between_rows, cosines[:3] * between_columns], axis=1)
        first = np.array(image.ImagePositionPatient, dtype=np.float64)
        return _TO_RAS @ steps, _TO_RAS @ first

    @property
    def slice_step_mm(self) -> float:
        """Distance of neighbouring slices, mm; 1 for a single one."""
        if len(self.images) < 2:
            return 1.0
        first, last = (self.positions(number)[1] for number in (0, -1))
        return float(np.linalg.norm(last - first)) / (len(self.images) - 1)

    def indices(self, number: int, *, like: Volume) -> NDArray[np.float64]:
        """(rows, columns, 3) fractional voxel of a volume at every pixel of one image."""
        steps, first = self.positions(number)
        image = self.images[number]
        pixels = np.stack(
            np.meshgrid(np.arange(image.Rows), np.arange(image.Columns), indexing="ij"), axis=-1
        )
        to_voxel = np.linalg.inv(like.affine)
        world = pixels @ steps.T + first
        return np.asarray(world @ to_voxel[:3, :3].T + to_voxel[:3, 3])

    def is_grid_of(self, volume: Volume) -> bool:
        """True if the pixels are the voxels of a volume, in whatever order."""
        image = self.images[0]
        if image.Rows * image.Columns * len(self.images) != volume.voxels.size:
            return False
        for number in (0, len(self.images) - 1):
            corners = self.indices(number, like=volume)[:: image.Rows - 1, :: image.Columns - 1]
            away = np.abs(corners - np.rint(corners)).max()
            inside = (corners > -0.5).all() and (corners < np.array(volume.shape) - 0.5).all()
            if away > SAME_GRID or not inside:
                return False
        return True

    def cut(self, labels: Volume) -> NDArray[np.uint16]:
        """(images, rows, columns) labels of a volume whose grid the series is, 0 to 65535."""
        found = []
        for number in range(len(self.images)):
            x, y, z = np.moveaxis(np.rint(self.indices(number, like=labels)).astype(int), -1, 0)
            found.append(labels.voxels[x, y, z])
        return np.asarray(found).astype(np.uint16)


def find_series(folder: Path, *, like: Volume) -> Series:
    """The one series below a folder whose pixels are the voxels of a volume.

    Raises:
        ScanError: MS-591 no usable series, MS-593 none or several that fit.
    """
    found = _all_series(folder)
    if not found:
        raise ScanError(
            code="MS-591",
            subject=str(folder),
            cause="no series of single-frame DICOM images with positions was found there",
            fix="name the folder of the series that was screened; multi-frame files do not work",
        )
    fitting = [series for series in found if series.is_grid_of(like)]
    if len(fitting) != 1:
        raise ScanError(
            code="MS-593",
            subject=str(folder),
            cause=f"{len(fitting)} of {len(found)} series there have the voxels of this case",
            fix="name the folder that holds the series that was screened, and it alone",
        )
    return _completed(fitting[0])


def _completed(series: Series) -> Series:
    """The series with empty tags where the standard allows them to be empty and they are absent.

    Raises:
        ScanError: MS-592 a tag is absent that may not be.
    """
    for image in series.images:
        absent = [name for name in NEEDED if not image.get(name)]
        if absent:
            raise ScanError(
                code="MS-592",
                subject=str(series.folder),
                cause=f"the images lack {', '.join(absent)}",
                fix="use the series as the scanner sent it",
            )
        for name in MAY_BE_EMPTY:
            if name not in image:
                setattr(image, name, None)
        if not image.get("SliceThickness"):
            image.SliceThickness = series.slice_step_mm
    return series


def _all_series(folder: Path) -> list[Series]:
    from pydicom import dcmread
    from pydicom.errors import InvalidDicomError

    found = []
    for series in dicom_series_in(folder):
        try:
            with warnings.catch_warnings():
                warnings.simplefilter("ignore")  # of headers that are not quite to the standard
                heads = [dcmread(path, stop_before_pixels=True) for path in series.files]
        except (InvalidDicomError, OSError, ValueError, AttributeError):
            continue  # files that only look like DICOM
        images = {str(head.get("SOPInstanceUID")): head for head in heads}  # copies count once
        if images and all(head.get(name) is not None for head in heads for name in PLACED):
            found.append(Series(images=tuple(sorted(images.values(), key=_depth)), folder=folder))
    return found


def _depth(image: Any) -> tuple[float, str]:
    """Along the normal of the slices, feet or back or left first; ties by identity."""
    cosines = np.array(image.ImageOrientationPatient, dtype=np.float64)
    normal = np.cross(cosines[:3], cosines[3:])
    depth = float(normal @ np.array(image.ImagePositionPatient, dtype=np.float64))
    return depth, str(image.SOPInstanceUID)
