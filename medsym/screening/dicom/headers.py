"""What is taken from the header of a DICOM image, checked when it is read.

What names a person is kept only to make sure that it goes nowhere and that persons are not mixed.
"""

import re
import warnings
from collections import defaultdict
from collections.abc import Iterable
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.errors import ConfigError

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

_DIRECTORY = "1.2.840.10008.1.3.10"
_PERSONAL = ("PatientName", "PatientID", "PatientBirthDate", "AccessionNumber")
_TAGS = (
    *("SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber", "Modality"),
    *("ImageType", "SamplesPerPixel", "ImageOrientationPatient", "ImagePositionPatient"),
    *("NumberOfFrames", *_PERSONAL),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class Header:
    """Facts of one image.

    Attributes:
        path: its file.
        kind: SOP class.
        series: identifier of its series; "" if it states none. The same for study.
        number: digits of the series number, or "".
        modality: such as "MR", or "".
        image_type: words such as "ORIGINAL", in capitals.
        samples: values per pixel; 3 are colours.
        frames: images in the file.
        turn: direction of its rows and of its columns, 6 numbers, or () if it does not say.
        place: position of its first pixel, mm, or ().
        person: name, number, birth date and accession number in small letters.
    """

    path: Path
    kind: str
    series: str
    study: str
    number: str
    modality: str
    image_type: tuple[str, ...]
    samples: int
    frames: int
    turn: tuple[float, ...]
    place: tuple[float, ...]
    person: tuple[str, ...]


def read_headers(files: Iterable[Path]) -> tuple[dict[str, list[Header]], list[Path]]:
    """Headers by series, and the files that cannot be read.

    Raises:
        ConfigError: MS-545 the package that reads them is not installed.
    """
    try:
        from pydicom import dcmread
    except ImportError:
        raise missing_extra() from None
    groups: dict[str, list[Header]] = defaultdict(list)
    unreadable = []
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # warnings about odd values show the values
        for path in files:
            try:
                data = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
                header = _header(path, data)
            except Exception:  # a damaged header raises whatever its bytes lead to
                unreadable.append(path)
                continue
            if header.kind != _DIRECTORY:
                groups[header.series].append(header)
    return dict(groups), unreadable


def _header(path: Path, data: "Dataset") -> Header:
    turn, place = (
        tuple(float(v) for v in data.get(tag) or ())
        for tag in ("ImageOrientationPatient", "ImagePositionPatient")
    )
    if len(turn) not in (0, 6) or len(place) not in (0, 3):
        raise ValueError("no place in space")
    return Header(
        path=path,
        kind=str(data.get("SOPClassUID", "")),
        series=str(data.get("SeriesInstanceUID", "")),
        study=str(data.get("StudyInstanceUID", "")),
        number=re.sub(r"[^0-9]", "", str(data.get("SeriesNumber", ""))),
        modality=str(data.get("Modality", "") or ""),
        image_type=tuple(str(word).upper() for word in _words(data.get("ImageType"))),
        samples=int(data.get("SamplesPerPixel", 1) or 1),
        frames=int(data.get("NumberOfFrames", 1) or 1),
        turn=turn,
        place=place,
        person=tuple(str(data.get(tag, "") or "").casefold() for tag in _PERSONAL),
    )


def _words(value: Any) -> Iterable[Any]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value


def missing_extra() -> ConfigError:
    """There are DICOM files and no packages to read them."""
    return ConfigError(
        code="MS-545",
        subject="DICOM files",
        cause="the packages that read and convert them are not installed",
        fix="run: python -m pip install 'medsym[dicom]'",
    )
