"""The series in a folder of DICOM files, which of them are scans of a head, and what to call them.

Nothing personal is kept: a series is named after the folder that the user gave, its number and its
modality. A folder that is itself named after the patient lends no name; a hash of the study's
identifier takes its place.
"""

import hashlib
import re
from collections import Counter, defaultdict
from collections.abc import Iterable, Sequence
from dataclasses import dataclass, replace
from pathlib import Path
from typing import TYPE_CHECKING

from medsym.errors import ConfigError, ScanError
from medsym.screening.inputs import visible_files
from medsym.screening.naming import CaseName, clean_label

if TYPE_CHECKING:
    from pydicom.dataset import Dataset

#: SOP classes of images that show a head in slices: MR, enhanced MR, CT, enhanced CT.
_SLICES = frozenset({"1.2.840.10008.5.1.4.1.1.4", "1.2.840.10008.5.1.4.1.1.2"})
_FRAMES = frozenset({"1.2.840.10008.5.1.4.1.1.4.1", "1.2.840.10008.5.1.4.1.1.2.1"})
_DIRECTORY = "1.2.840.10008.1.3.10"
#: Fewer images than this are a localizer, whatever they are called.
MIN_IMAGES = 8
_ENDINGS = frozenset({"", ".dcm", ".ima", ".dicom"})
#: Shortest part of a person's name or number that a folder's name is searched for.
_SHORTEST = 3
_TAGS = (
    *("SOPClassUID", "SeriesInstanceUID", "StudyInstanceUID", "SeriesNumber", "Modality"),
    *("ImageType", "SamplesPerPixel", "ImageOrientationPatient", "NumberOfFrames"),
    *("PatientName", "PatientID"),
)


@dataclass(frozen=True, kw_only=True, slots=True)
class DicomSeries:
    """One series.

    Attributes:
        name: identity of its case.
        files: its images, sorted by path.
        refusal: why it is no scan; None if it may be one.
    """

    name: CaseName
    files: tuple[Path, ...]
    refusal: ScanError | None = None


def find_series(folder: Path) -> tuple[DicomSeries, ...]:
    """Every DICOM series below a folder; those that are no scan of a head carry a refusal.

    Args:
        folder: searched with all folders in it, hidden ones excepted.

    Raises:
        ConfigError: MS-545 there are DICOM files and no packages to read them.
    """
    files = sorted(path for path in visible_files(folder) if _looks_like_dicom(path))
    if not files:
        return ()
    groups, unreadable = _grouped(files)
    heads = [images[0][1] for images in groups.values()]
    several = len({str(head.get("StudyInstanceUID", "")) for head in heads}) > 1
    found = [_series(images, folder=folder, several=several) for images in groups.values()]
    found = _apart(found, uids=list(groups))
    if unreadable:
        found.append(_unreadable(unreadable, folder=folder, heads=heads))
    return tuple(sorted(found, key=lambda series: series.name.case))


def _looks_like_dicom(path: Path) -> bool:
    """By its name, or for names that say nothing, by its first bytes."""
    ending = path.suffix.lower()
    if path.name.upper() == "DICOMDIR" or not (ending in _ENDINGS or ending[1:].isdecimal()):
        return False
    if ending in _ENDINGS - {""}:
        return True
    try:
        with path.open("rb") as stream:
            return stream.read(132)[128:] == b"DICM"
    except OSError:
        return False


def _grouped(
    files: Iterable[Path],
) -> tuple[dict[str, list[tuple[Path, "Dataset"]]], list[Path]]:
    """Headers by series, and the files that cannot be read."""
    try:
        from pydicom import dcmread
        from pydicom.errors import InvalidDicomError
    except ImportError:
        raise missing_extra() from None
    groups: dict[str, list[tuple[Path, Dataset]]] = defaultdict(list)
    unreadable = []
    for path in files:
        try:
            head = dcmread(path, stop_before_pixels=True, specific_tags=list(_TAGS))
            uid = str(head.get("SeriesInstanceUID", ""))
            kind = str(head.get("SOPClassUID", ""))
        except (OSError, InvalidDicomError, ValueError, KeyError, AttributeError, TypeError):
            unreadable.append(path)
            continue
        if kind != _DIRECTORY:
            groups[uid].append((path, head))
    return dict(groups), unreadable


def missing_extra() -> ConfigError:
    """There are DICOM files and no packages to read them."""
    return ConfigError(
        code="MS-545",
        subject="DICOM files",
        cause="the packages that read and convert them are not installed",
        fix="run: python -m pip install 'medsym[dicom]'",
    )


def _series(
    images: Sequence[tuple[Path, "Dataset"]], *, folder: Path, several: bool
) -> DicomSeries:
    head = images[0][1]
    label = _label(folder, [head], several=several)
    number = re.sub(r"[^0-9]", "", str(head.get("SeriesNumber", ""))) or "0"
    kind = clean_label(str(head.get("Modality", "")) or "DICOM")
    case = f"sub-{label}_acq-series{number}_{kind}"
    problem = _problem([image for _, image in images])
    refusal = None
    if problem:
        fix = "if it is a scan of a head all the same, convert it with dcm2niix and screen the file"
        refusal = ScanError(code="MS-544", subject=case, cause=problem, fix=fix)
    return DicomSeries(
        name=CaseName(case=case, subject=label, session=None, subject_stated=False),
        files=tuple(path for path, _ in images),
        refusal=refusal,
    )


def _label(folder: Path, heads: Sequence["Dataset"], *, several: bool) -> str:
    """Subject label: the folder's name unless it names the patient; of several studies, a hash."""
    stem = folder.resolve().name
    plain = "".join(re.findall(r"[a-z0-9]+", stem.casefold()))
    personal = any(word in plain for head in heads for word in _personal(head))
    label = "dicom" if personal else clean_label(stem)
    if not (personal or several):
        return label
    study = str(heads[0].get("StudyInstanceUID", "")) if heads else ""
    return label + hashlib.sha256(study.encode()).hexdigest()[:8]


def _personal(head: "Dataset") -> set[str]:
    """Parts of the patient's name and number, small letters and digits only."""
    text = f"{head.get('PatientName', '')} {head.get('PatientID', '')}".casefold()
    words = set(re.findall(r"[a-z0-9]+", text))
    words.add("".join(re.findall(r"[a-z0-9]+", str(head.get("PatientID", "")).casefold())))
    return {word for word in words if len(word) >= _SHORTEST}


def _problem(heads: Sequence["Dataset"]) -> str:
    """Why a series is no scan of a head in one piece; nothing if it may be one."""
    kinds = {str(head.get("SOPClassUID", "")) for head in heads}
    modality = str(heads[0].get("Modality", "")) or "none stated"
    if not kinds <= _SLICES | _FRAMES:
        return f"holds no MR or CT images (modality {modality})"
    if any(int(head.get("SamplesPerPixel", 1) or 1) != 1 for head in heads):
        return "is in colour"
    return _what_it_shows(heads)


def _what_it_shows(heads: Sequence["Dataset"]) -> str:
    types = {str(word).upper() for head in heads for word in _words(head.get("ImageType"))}
    if "LOCALIZER" in types or "SCOUT" in types:
        return "is a localizer"
    if "DERIVED" in types:
        return "was derived from other images"
    turns = {
        tuple(round(float(v), 2) for v in head.get("ImageOrientationPatient") or ())
        for head in heads
    }
    if len(turns) > 1:
        return f"its slices lie in {len(turns)} directions, as in a localizer"
    images = sum(int(head.get("NumberOfFrames", 1) or 1) for head in heads)
    if images < MIN_IMAGES:
        return f"has only {images} images"
    return ""


def _words(value: object) -> Iterable[object]:
    if value is None:
        return ()
    return (value,) if isinstance(value, str) or not isinstance(value, Iterable) else value


def _apart(found: Sequence[DicomSeries], *, uids: Sequence[str]) -> list[DicomSeries]:
    """Series of one number get a hash of their identifier."""
    counts = Counter(series.name.case.casefold() for series in found)
    apart = []
    for series, uid in zip(found, uids, strict=True):
        name = series.name
        if counts[name.case.casefold()] > 1:
            start, _, kind = name.case.rpartition("_")
            digest = hashlib.sha256(uid.encode()).hexdigest()[:8]
            name = replace(name, case=f"{start}x{digest}_{kind}")
        apart.append(replace(series, name=name))
    return apart


def _unreadable(files: Sequence[Path], *, folder: Path, heads: Sequence["Dataset"]) -> DicomSeries:
    label = _label(folder, heads, several=False)
    name = CaseName(case=f"sub-{label}_acq-unreadable_DICOM", subject=label, session=None)
    refusal = ScanError(
        code="MS-547",
        subject=name.case,
        cause=f"{len(files)} files are called DICOM files and cannot be read as such",
        fix="copy them again, or take them out of the folder",
    )
    return DicomSeries(name=name, files=tuple(files), refusal=refusal)
