"""Prepared samples on disk, found by the content of the files they were made from.

The name of an entry is a hash of the scan's bytes, the mask's bytes, what was asked for and the
version of the preparation, so a file that changes is prepared again and one that is moved is not.
Entries are written whole or not at all; any number of processes may read and write at once, and the
worst that can happen is that two of them do the same work. Nothing is unpickled.
"""

import hashlib
import io
import json
import logging
import zipfile
from collections.abc import Mapping
from dataclasses import asdict, dataclass
from functools import lru_cache
from importlib.metadata import version
from pathlib import Path
from typing import Any

import numpy as np

from medsym.datasets.prepare import PreparedSample, prepare_sample
from medsym.datasets.visit import VisitScan
from medsym.errors import ConfigError, MedsymError, ScanError
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.output_file import write_atomically
from medsym.volumes.stored_scan import scan_files

logger = logging.getLogger(__name__)

CACHE_VERSION = 2  # raise it when prepare_sample gives other numbers or refuses more
_IMAGES = ("head", "window")  # stored as float16: 0.001 of their range
_MASKS = ("brain", "view", "lesion")
_DAMAGED = (OSError, ValueError, TypeError, KeyError, AttributeError, EOFError, zipfile.BadZipFile)


@dataclass(frozen=True, kw_only=True, slots=True)
class Request:
    """What is to be prepared and how.

    Attributes:
        scan: files.
        grid: lattice.
        labels: values of the mask that are lesion.
        stated_side: side on which the data set says that every lesion lies.
        restored: masks were rightly stored in another order than their scans.
    """

    scan: VisitScan
    grid: SymmetricGrid
    labels: tuple[int, ...]
    stated_side: str | None
    restored: bool = False


@dataclass(frozen=True, kw_only=True, slots=True)
class SampleFacts:
    """What an entry says of its sample without its volumes.

    Attributes:
        has_mask, was_stripped, lesion_ml, notes: as in `PreparedSample`.
        left_ml: volume of the lesion in the patient's left half of the grid, ml.
        right_ml: the same on the right.
    """

    has_mask: bool
    was_stripped: bool
    lesion_ml: float
    left_ml: float
    right_ml: float
    notes: tuple[str, ...]


def open_cache(folder: Path) -> None:
    """Make the folder when it is missing and see that it can be written.

    Raises:
        ConfigError: MS-358.
    """
    try:
        folder.mkdir(parents=True, exist_ok=True)
        write_atomically(folder / "readme.txt", b"Prepared scans of medsym; may be deleted.\n")
    except (OSError, MedsymError) as error:
        raise ConfigError(
            code="MS-358",
            subject=str(folder),
            cause=f"cannot be used as data.cache ({error})",
            fix="Name a folder that can be written, outside the data set",
        ) from None


def content_hash(scan: VisitScan) -> tuple[str, str]:
    """SHA-256 of the files of a scan and of its mask ("" without one).

    Raises:
        ScanError: MS-101 a file cannot be read.
    """
    return _hash_files(scan.path), _hash_files(scan.mask) if scan.mask is not None else ""


def _hash_files(path: Path) -> str:
    """Hash of a file, or of both files of a pair, remembered while they do not change."""
    try:
        states = [(file, file.stat()) for file in scan_files(path)]
        known = tuple((file, state.st_size, state.st_mtime_ns) for file, state in states)
        return _hash_unchanged(known)
    except OSError as error:
        raise ScanError(
            code="MS-101",
            subject=str(path),
            cause=f"cannot be read ({error.strerror})",
            fix="Check that the file is there; links of git-annex need datalad get first",
        ) from None


@lru_cache(maxsize=100_000)
def _hash_unchanged(files: tuple[tuple[Path, int, int], ...]) -> str:
    digest = hashlib.sha256()
    for path, _size, _time in files:
        with path.open("rb") as stream:
            while block := stream.read(2**20):
                digest.update(block)
    return digest.hexdigest()


def entry_of(request: Request, *, folder: Path) -> Path:
    """File in which a prepared sample is kept.

    Raises:
        ScanError: MS-101 the scan or the mask cannot be read.
    """
    scan, mask = content_hash(request.scan)
    asked = {
        "version": [version("medsym"), CACHE_VERSION],
        "scan": scan,
        "volume": request.scan.volume_index,
        "mask": mask,
        "drawn_on": request.scan.drawn_on,
        "labels": sorted(request.labels),
        "side": request.stated_side,
        "restored": request.restored,
        "grid": [request.grid.shape, request.grid.spacing_mm],
    }
    text = json.dumps(asked, sort_keys=True)
    return folder / f"{hashlib.sha256(text.encode('ascii')).hexdigest()}.npz"


def prepared(request: Request, *, folder: Path) -> PreparedSample:
    """A prepared sample, from the cache when it is there; the numbers are the same either way.

    Raises:
        ScanError: as `prepare_sample`.
        OutputError: the entry cannot be written.
    """
    entry = entry_of(request, folder=folder)
    if entry.is_file():
        try:
            return _unpack(entry.read_bytes(), grid=request.grid)
        except _DAMAGED as error:
            logger.warning("%s is damaged (%s) and is made again", entry, error)
    sample = prepare_sample(
        request.scan,
        grid=request.grid,
        labels=request.labels,
        stated_side=request.stated_side,
        restored=request.restored,
    )
    data = _pack(sample, grid=request.grid)
    write_atomically(entry, data)
    return _unpack(data, grid=request.grid)


def is_cached(request: Request, *, folder: Path) -> bool:
    """Whether a sample is there, without reading it."""
    return entry_of(request, folder=folder).is_file()


def facts(request: Request, *, folder: Path) -> SampleFacts:
    """What is known of a prepared sample; prepares it when the entry is not there."""
    entry = entry_of(request, folder=folder)
    for _ in range(2):
        try:
            with entry.open("rb") as stream, np.load(stream, allow_pickle=False) as archive:
                return _facts(archive)
        except _DAMAGED:
            prepared(request, folder=folder)
    raise _lost(entry)


def _lost(entry: Path) -> ConfigError:
    return ConfigError(
        code="MS-358",
        subject=str(entry),
        cause="was written and cannot be read back",
        fix="Check the disk of data.cache, or name another folder",
    )


def _facts(archive: Mapping[str, Any]) -> SampleFacts:
    about = json.loads(str(archive["about"]))
    return SampleFacts(**{**about, "notes": tuple(about["notes"])})


def _pack(sample: PreparedSample, *, grid: SymmetricGrid) -> bytes:
    """A sample as a compressed archive."""
    half, ml = grid.shape[0] // 2, grid.spacing_mm**3 / 1000.0
    about = SampleFacts(
        has_mask=sample.has_mask,
        was_stripped=sample.was_stripped,
        lesion_ml=sample.lesion_ml,
        left_ml=float(sample.lesion[:half].sum()) * ml,  # x grows to the patient's right
        right_ml=float(sample.lesion[half:].sum()) * ml,
        notes=sample.notes,
    )
    arrays: dict[str, Any] = {
        "about": np.array(json.dumps(asdict(about))),
        "grid_to_world": sample.grid_to_world,
        **{name: getattr(sample, name).astype(np.float16) for name in _IMAGES},
        **{name: np.packbits(getattr(sample, name)) for name in _MASKS},
    }
    buffer = io.BytesIO()
    np.savez_compressed(buffer, **arrays)
    return buffer.getvalue()


def _unpack(data: bytes, *, grid: SymmetricGrid) -> PreparedSample:
    """Read what `_pack` wrote.

    Raises:
        ValueError: the content is not what was written; or another of `_DAMAGED`.
    """
    size = int(np.prod(grid.shape))
    with np.load(io.BytesIO(data), allow_pickle=False) as archive:
        about = _facts(archive)
        affine = np.asarray(archive["grid_to_world"], dtype=np.float64)
        arrays: dict[str, Any] = {
            name: archive[name].astype(np.float32).reshape(grid.shape) for name in _IMAGES
        }
        for name in _MASKS:
            bits = np.unpackbits(archive[name], count=size)
            arrays[name] = bits.astype(np.bool_).reshape(grid.shape)
    return PreparedSample(
        **arrays,
        grid_to_world=affine,
        has_mask=about.has_mask,
        was_stripped=about.was_stripped,
        lesion_ml=about.lesion_ml,
        notes=about.notes,
    )
