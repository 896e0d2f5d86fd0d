"""Volumes of a case for the browser: read, checked against the record, on one display grid."""

import functools
import hashlib
from collections.abc import Callable, Mapping
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.results import Case, changed_file, map_path, recorded_hash
from app.viewer.encoding import EncodedVolume, Rounding, encode, encode_labels
from app.viewer.grid import DisplayGrid, content_grid, resample
from app.viewer.grid import scan_grid as grid_of_scan
from app.viewer.threads import over_kinds
from app.viewer.zones import keep_peaks, pair_bound
from medsym.errors import OutputError, ScanError
from medsym.screening.archives import is_archive
from medsym.screening.manifest import entries_of
from medsym.screening.packed import read_from_archive
from medsym.volumes.nifti import read_label_map, read_scan
from medsym.volumes.volume import Volume

MAPS = ("deviation", "asymmetry", "bound", "pathology")
ROUNDING: Mapping[str, Rounding] = {"bound": "up", "asymmetry": "inwards"}
MAP_SHARE = 0.5  # spacing of the maps shown, of that of the grid the network works on
OLD_GRID_MM = 3.0  # cases written before their record named the grid
CONSTANT_IMAGE = "MS-121"
MAX_GIB = 8.0  # whatever limit the screening ran under, the scan was accepted there


@dataclass(frozen=True, slots=True)
class CaseFiles:
    """Hashable address of a case's files, with what makes a copy in memory stale."""

    scan: Path
    scan_stamp: int
    scan_hash: str
    assume_orientation: str | None
    volume_index: int | None
    allow_shear: bool
    grid_mm: float
    mirror_world: tuple[tuple[float, ...], ...]
    maps: tuple[tuple[str, Path, str], ...]  # kind, file, its SHA-256 as the record has it
    peaks: tuple[tuple[float, float, float, float], ...]

    @property
    def name(self) -> str:
        """SHA-256 of all this, hexadecimal: what stands for the case's volumes while they wait."""
        return hashlib.sha256(repr(self).encode()).hexdigest()


def case_files(case: Case) -> CaseFiles | None:
    """Where the volumes of a case are; None where its scan is not on this machine any more.

    Maps of a case that is not assessable are left out: there is no number to show.

    Raises:
        OutputError: a map is missing or is not the one that was written.
    """
    if case.scan_path is None:
        return None
    wanted = (*MAPS, "anatomy") if case.assessable else ()
    paths = [(kind, map_path(case, kind)) for kind in wanted]
    options = case.record.get("options", {})
    return CaseFiles(
        scan=case.scan_path,
        scan_stamp=case.scan_path.stat().st_mtime_ns,
        scan_hash=str(case.record.get("scan", {}).get("sha256", "")),
        assume_orientation=options.get("assume_orientation"),
        volume_index=options.get("volume_index"),
        allow_shear=bool(options.get("allow_shear")),
        grid_mm=float(case.record.get("grid", {}).get("spacing_mm", OLD_GRID_MM)),
        mirror_world=tuple(tuple(row) for row in case.record.get("mirror_world") or ()),
        maps=tuple((kind, path, recorded_hash(case, kind)) for kind, path in paths if path),
        peaks=_peaks(case.record),
    )


def _peaks(record: Mapping[str, Any]) -> tuple[tuple[float, float, float, float], ...]:
    """(x, y, z, deviation) of the findings and of the largest deviation, mm and SD."""
    summary = record.get("summary", {})
    known = [(found.get("peak_mm"), found.get("deviation")) for found in record.get("findings", [])]
    known.append((summary.get("deviation_max_mm"), summary.get("deviation_max")))
    return tuple(
        (float(place[0]), float(place[1]), float(place[2]), float(value))
        for place, value in known
        if place and value is not None
    )


def scan_volume(files: CaseFiles, *, max_gib: float = MAX_GIB) -> EncodedVolume:
    """The scan on the display grid, with the way back to its own voxels.

    Args:
        files: of the case.
        max_gib: largest scan read, GiB.

    Raises:
        OutputError: MS-165 the scan has changed since it was screened.
        ScanError: it cannot be read.
    """
    scan = _read_source(files, max_gib)
    grid = grid_of_scan(scan.affine, scan.voxels.shape)
    shown = resample(scan.voxels, affine=scan.affine, grid=grid, order=1)
    back = tuple(tuple(float(v) for v in row) for row in np.linalg.inv(scan.affine))
    return replace(encode(shown, grid=grid, symmetric=False), world_to_voxel=back)


def map_volumes(
    files: CaseFiles,
    *,
    scan_grid: DisplayGrid,
    go_on: Callable[[], None],
    max_gib: float = MAX_GIB,
) -> dict[str, EncodedVolume]:
    """Maps and anatomy of a case, on one grid of their own.

    Args:
        files: of the case.
        scan_grid: the grid of the scan.
        go_on: called between the steps; what it raises ends them.
        max_gib: largest map read, GiB.

    Raises:
        OutputError: MS-163 a map is not the one that its record names any more.
        ScanError: a map cannot be read.
    """
    maps = {kind: (path, sha256) for kind, path, sha256 in files.maps}
    if not maps:
        return {}

    def read(kind: str, file: tuple[Path, str]) -> Volume:
        go_on()
        path, sha256 = file
        found = _read_map(path, max_gib) if kind != "anatomy" else read_label_map(path)
        if found.sha256 != sha256:  # screened again since the page with the findings was drawn
            raise changed_file(path)
        return found

    sources = over_kinds(maps, read)
    spacing = max(scan_grid.spacing_mm, MAP_SHARE * files.grid_mm)
    common = _common_grid(sources, spacing_mm=spacing)
    go_on()
    values = over_kinds(
        sources,
        lambda kind, source: resample(
            source.voxels, affine=source.affine, grid=common, order=int(kind != "anatomy")
        ),
    )
    go_on()
    if "bound" in sources and files.mirror_world:
        pair_bound(sources["bound"], values, grid=common, mirror_world=files.mirror_world)
    else:
        values.pop("bound", None)  # of one side alone it says nothing about a difference
    if "deviation" in values:
        keep_peaks(
            values["deviation"], grid=common, peaks=files.peaks, mirror_world=files.mirror_world
        )
    return over_kinds(
        values,
        lambda kind, value: (
            encode_labels(value, grid=common)
            if kind == "anatomy"
            else encode(value, grid=common, symmetric=True, rounding=ROUNDING.get(kind, "nearest"))
        ),
    )


def _read_source(files: CaseFiles, max_gib: float) -> Volume:
    """The scan, read as it was when it was screened, and only if it is still that scan."""
    read = functools.partial(
        read_scan,
        max_gib=max_gib,
        assume_orientation=files.assume_orientation,
        volume_index=files.volume_index,
        allow_shear=files.allow_shear,
    )
    if is_archive(files.scan):
        scan = read_from_archive(entries_of([files.scan]), sha256=files.scan_hash, read=read)
    else:
        scan = read(files.scan)
    if scan is None or scan.sha256 != files.scan_hash:
        raise OutputError(
            code="MS-165",
            subject=files.scan.name,
            cause="the scan has changed since it was screened",
            fix="Screen the scan again, with --recompute",
        )
    return scan


def _read_map(path: Path, max_gib: float) -> Volume:
    """A map of the case; zero everywhere is a result, where a zero scan would be a mistake."""
    try:
        return read_scan(path, max_gib=max_gib, allow_shear=True)
    except ScanError as error:
        if error.code != CONSTANT_IMAGE:
            raise
        return read_label_map(path, max_gib=max_gib)


def _common_grid(sources: Mapping[str, Volume], *, spacing_mm: float) -> DisplayGrid:
    """One grid for all maps, around what is not zero in any of them."""
    first = next(iter(sources.values()))
    content = np.zeros(first.voxels.shape, dtype=bool)
    for source in sources.values():
        if source.voxels.shape == content.shape:
            content |= source.voxels != 0
        else:
            content[:] = True
    return content_grid(first.affine, content, spacing_mm=spacing_mm)
