"""Scans inside archives: found by a look into a scratch folder, unpacked again when one is read.

Nothing stays unpacked between the two, so a run over many archives needs the room of one, and a
worker on another machine needs the archive only.
"""

from collections.abc import Callable, Iterator
from contextlib import contextmanager
from dataclasses import dataclass, replace
from pathlib import Path, PurePosixPath
from typing import TYPE_CHECKING

from medsym.errors import MedsymError, ScanError
from medsym.screening.archives import unpack
from medsym.screening.dicom.convert import read_series, series_sha256
from medsym.screening.dicom.series import DicomSeries, find_series
from medsym.screening.inputs import expand_scans
from medsym.screening.records import scan_sha256
from medsym.screening.scratch import scratch_folder
from medsym.volumes.stored_scan import scan_files
from medsym.volumes.volume import Volume

if TYPE_CHECKING:
    from medsym.screening.entry import ScanEntry


@dataclass(frozen=True, kw_only=True, slots=True)
class Packed:
    """Where the files of one scan are packed.

    Attributes:
        archive: ZIP file.
        members: names of its files; the first is the scan, or the header of a pair.
    """

    archive: Path
    members: tuple[PurePosixPath, ...]


@dataclass(frozen=True, kw_only=True, slots=True)
class Contents:
    """Scans of an archive.

    Attributes:
        files: scan files, by a path that lies in the archive as if it were a folder.
        series: DICOM series; their files are named as in the archive.
    """

    files: dict[Path, Packed]
    series: tuple[DicomSeries, ...]


def look_into(archive: Path, *, with_study: bool = False) -> Contents:
    """Find the scans of an archive, by the rules for a folder of the archive's name.

    Args:
        archive: ZIP file.
        with_study: see ``find_series``.

    Raises:
        ScanError: MS-680 to MS-684 as ``unpack``, MS-685 it holds no scan.
        ConfigError: MS-545 it holds DICOM files and there are no packages to read them.
    """
    with scratch_folder() as scratch:
        called = archive.stem if archive.stem not in (".", "..") else "archive"
        folder = scratch / "in" / called
        folder.mkdir(parents=True)
        unpack(archive, folder)
        files = {}
        for path in expand_scans([folder]):
            members = tuple(_member(part, folder) for part in scan_files(path) if part.is_file())
            files[archive / members[0]] = Packed(archive=archive, members=members)
        series = tuple(
            replace(found, files=tuple(Path(_member(path, folder)) for path in found.files))
            for found in find_series(folder, with_study=with_study)
        )
    if not (files or series):
        raise ScanError(
            code="MS-685",
            subject=archive.name,
            cause="there is no NIfTI scan and no DICOM series in it",
            fix="pack the scan files (.nii, .nii.gz) or the folder of one examination",
        )
    return Contents(files=files, series=series)


def _member(path: Path, folder: Path) -> PurePosixPath:
    return PurePosixPath(path.relative_to(folder).as_posix())


@contextmanager
def within_reach(entry: "ScanEntry") -> "Iterator[ScanEntry]":
    """The entry with its files on disk; what is unpacked for it is removed at the end.

    Raises:
        ScanError: MS-680 to MS-684 as ``unpack``.
    """
    if entry.packed is None:
        yield entry
        return
    with scratch_folder() as scratch:
        folder = scratch / "in"
        folder.mkdir()
        unpack(entry.packed.archive, folder, only=entry.packed.members)
        places = tuple(folder / member for member in entry.packed.members)
        series = entry.series and replace(entry.series, files=places)
        path = places[0] if series is None else entry.path
        yield replace(entry, path=path, series=series, packed=None)


def read_scan_of(entry: "ScanEntry", *, read: Callable[[Path], Volume]) -> Volume:
    """Read the scan of an entry, wherever it is: a file, a DICOM series, or packed.

    Args:
        entry: what to read.
        read: ``read_scan`` with the options of the run.

    Raises:
        ScanError: it cannot be used; the error names the file and not where it was unpacked.
    """
    with within_reach(entry) as near:
        if near.series is not None:
            return read_series(near.series, read=read)
        if entry.packed is None:
            return read(near.path)
        try:
            return replace(read(near.path), path=entry.path)
        except MedsymError as error:
            where, shown = str(near.path.parent), str(entry.path.parent)
            words = {key: getattr(error, key) for key in ("subject", "cause", "fix")}
            clean = {key: text.replace(where, shown) for key, text in words.items()}
            raise type(error)(code=error.code, **clean) from None


def scan_sha256_of(entry: "ScanEntry") -> str | None:
    """Hash of the files of an entry's scan, as its record has it; None if it cannot be read."""
    try:
        with within_reach(entry) as near:
            if near.series is not None:
                return series_sha256(near.series)
            return scan_sha256(near.path)
    except ScanError:
        return None


def read_from_archive(
    entries: "tuple[ScanEntry, ...]", *, sha256: str, read: Callable[[Path], Volume]
) -> Volume | None:
    """The scan with this hash among packed ones, or None."""
    found = (entry for entry in entries if entry.refusal is None)
    chosen = next((entry for entry in found if scan_sha256_of(entry) == sha256), None)
    return None if chosen is None else read_scan_of(chosen, read=read)
