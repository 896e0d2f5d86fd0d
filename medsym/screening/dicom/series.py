"""The series in a folder of DICOM files, which of them are scans of a head, and what to call them.

Nothing personal is kept: a series is named after the folder that the user gave, its number and its
modality. A folder that is itself named after the patient lends no name; a hash of the study's
identifier takes its place.
"""

import hashlib
import re
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass, replace
from pathlib import Path

from medsym.errors import ScanError
from medsym.screening.dicom.headers import Header, read_headers
from medsym.screening.dicom.rules import problem_of
from medsym.screening.inputs import visible_files
from medsym.screening.naming import CaseName, clean_label

_ENDINGS = frozenset({"", ".dcm", ".ima", ".dicom"})
#: Shorter parts of a person's name count only as a whole word of a folder's name.
_SHORTEST = 3


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


def find_series(folder: Path, *, with_study: bool = False) -> tuple[DicomSeries, ...]:
    """Every DICOM series below a folder; those that are no scan of a head carry a refusal.

    Args:
        folder: searched with all folders in it, hidden ones excepted.
        with_study: names carry a hash of the study even if there is one only, so that folders of
            equal names are told apart.

    Raises:
        ConfigError: MS-545 there are DICOM files and no packages to read them.
    """
    files = sorted(path for path in visible_files(folder) if _looks_like_dicom(path))
    if not files:
        return ()
    groups, unreadable = read_headers(files)
    everyone = {image.person for images in groups.values() for image in images}
    stem = _stem(folder, everyone)
    studies = {image.study for images in groups.values() for image in images}
    several = with_study or len(studies) > 1
    found = [_series(images, stem=stem, several=several) for images in groups.values()]
    found = _apart(found, uids=list(groups))
    if unreadable:
        found.append(_unreadable(unreadable, label=_label(stem, study=min(studies, default=""))))
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


def _series(images: Sequence[Header], *, stem: str | None, several: bool) -> DicomSeries:
    head = images[0]
    label = _label(stem, study=head.study, several=several)
    kind = clean_label(head.modality or "DICOM")
    case = f"sub-{label}_acq-series{head.number or 0}_{kind}"
    problem = problem_of(images)
    refusal = None
    if problem:
        fix = "if it is a scan of a head all the same, convert it with dcm2niix and screen the file"
        refusal = ScanError(code="MS-544", subject=case, cause=problem, fix=fix)
    return DicomSeries(
        name=CaseName(case=case, subject=label, session=None, subject_stated=False, given=stem),
        files=tuple(image.path for image in images),
        refusal=refusal,
    )


def _stem(folder: Path, everyone: set[tuple[str, ...]]) -> str | None:
    """The folder's name, unless it names anybody whose images are in it."""
    name = folder.resolve().name
    words = set(re.findall(r"[^\W_]+", name.casefold()))
    plain = "".join(re.findall(r"[^\W_]+", name.casefold()))
    parts: set[str] = set()
    for text in (text for person in everyone for text in person):
        parts |= {*re.findall(r"[^\W_]+", text), "".join(re.findall(r"[^\W_]+", text))} - {""}
    named = parts & words or any(len(part) >= _SHORTEST and part in plain for part in parts)
    return None if named else name


def _label(stem: str | None, *, study: str, several: bool = False) -> str:
    """Subject label: the folder's name or "dicom"; then, or of several studies, with a hash."""
    label = "dicom" if stem is None else clean_label(stem)
    if stem is not None and not several:
        return label
    return label + hashlib.sha256(study.encode()).hexdigest()[:8]


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


def _unreadable(files: Sequence[Path], *, label: str) -> DicomSeries:
    name = CaseName(case=f"sub-{label}_acq-unreadable_DICOM", subject=label, session=None)
    refusal = ScanError(
        code="MS-547",
        subject=name.case,
        cause=f"{len(files)} files are called DICOM files and cannot be read as such",
        fix="copy them again, or take them out of the folder",
    )
    return DicomSeries(name=name, files=tuple(files), refusal=refusal)
