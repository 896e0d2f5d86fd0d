"""A DICOM series made from a volume: MR images whose columns, rows and slices are its axes."""

from collections.abc import Callable
from pathlib import Path

import numpy as np
import pydicom
from pydicom.dataset import Dataset, FileMetaDataset
from pydicom.uid import ExplicitVRLittleEndian, generate_uid

from medsym.volumes.volume import Volume
from tests.builders_case import head_phantom

MR_IMAGE = "1.2.840.10008.5.1.4.1.1.4"
PATIENT = "CANARY^PATIENT"
_TO_LPS = np.array([-1.0, -1.0, 1.0])


def write_series(folder: Path, volume: Volume, *, name: str = "a", leave_out: str = "") -> Path:
    """Write one image per slice, in an order of file names that is not that of the slices."""
    folder.mkdir(parents=True, exist_ok=True)
    affine, (columns, rows, slices) = volume.affine, volume.shape
    step = np.linalg.norm(affine[:3, :3], axis=0)
    unit = (affine[:3, :3] / step * _TO_LPS[:, None]).T
    for number in range(slices):
        image = Dataset()
        image.file_meta = FileMetaDataset()
        image.file_meta.TransferSyntaxUID = ExplicitVRLittleEndian
        image.file_meta.MediaStorageSOPClassUID = image.SOPClassUID = MR_IMAGE
        uid = generate_uid(entropy_srcs=[name, str(number)])
        image.file_meta.MediaStorageSOPInstanceUID = image.SOPInstanceUID = uid
        image.PatientName, image.PatientID = PATIENT, "CANARY-7"
        image.PatientBirthDate, image.PatientSex = "19500101", "O"
        image.StudyInstanceUID = generate_uid(entropy_srcs=[name, "study"])
        image.SeriesInstanceUID = generate_uid(entropy_srcs=[name, "series"])
        image.FrameOfReferenceUID = generate_uid(entropy_srcs=[name, "frame"])
        image.StudyDate, image.StudyTime, image.StudyID = "20200102", "030405", "1"
        image.AccessionNumber, image.ReferringPhysicianName = "A1", ""
        image.Modality, image.SeriesNumber, image.InstanceNumber = "MR", 3, number + 1
        image.PositionReferenceIndicator = ""
        image.ImageOrientationPatient = [*map(float, unit[0]), *map(float, unit[1])]
        origin = affine[:3, :3] @ (0, 0, number) + affine[:3, 3]
        image.ImagePositionPatient = [float(v) for v in origin * _TO_LPS]
        image.PixelSpacing = [float(step[1]), float(step[0])]
        image.SliceThickness = float(step[2])
        image.Rows, image.Columns = rows, columns
        image.SamplesPerPixel, image.PhotometricInterpretation = 1, "MONOCHROME2"
        image.BitsAllocated = image.BitsStored = 16
        image.HighBit, image.PixelRepresentation = 15, 0
        image.PixelData = volume.voxels[:, :, number].T.astype(np.uint16).tobytes()
        if leave_out:
            delattr(image, leave_out)
        image.save_as(
            folder / f"{(7 * number) % 1000:03d}_{number:03d}.dcm", enforce_file_format=True
        )
    return folder


def few_slices() -> Volume:
    """A head in 28 axial slices."""
    return head_phantom(codes="LPS", spacing=6.0, world_shape=(30, 36, 28))


def change(folder: Path, edit: Callable[[pydicom.Dataset], None]) -> None:
    """Edit every image below a folder."""
    for path in folder.rglob("*.dcm"):
        image = pydicom.dcmread(path)
        edit(image)
        image.save_as(path)
