"""What the browser gets for one case: addresses of the volumes and the facts to print with them."""

import functools
from collections.abc import Mapping
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass, replace
from pathlib import Path
from typing import Any

import numpy as np

from app.results import Case, compared_with, map_path, seal_of
from app.viewer.encoding import EncodedVolume, Rounding, encode, encode_labels
from app.viewer.grid import DisplayGrid, content_grid, resample, scan_grid
from app.viewer.threads import over_kinds
from app.viewer.zones import keep_peaks, pair_bound
from medsym import RESEARCH_USE_ONLY
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
CACHED_CASES = 3
CONSTANT_IMAGE = "MS-121"
MAX_GIB = 8.0  # whatever limit the screening ran under, the scan was accepted there


@dataclass(frozen=True, slots=True)
class _Files:
    """Hashable address of a case's files, with what makes a cached copy stale."""

    scan: Path
    scan_stamp: int
    scan_hash: str
    assume_orientation: str | None
    volume_index: int | None
    allow_shear: bool
    grid_mm: float
    mirror_world: tuple[tuple[float, ...], ...]
    maps: tuple[tuple[str, Path, int], ...]
    peaks: tuple[tuple[float, float, float, float], ...]


def case_volumes(case: Case) -> Mapping[str, EncodedVolume]:
    """Scan, maps and anatomy of a case, resampled for display; cached for the last few cases.

    Maps of a case that is not assessable are left out: there is no number to show.

    Raises:
        OutputError: a map is missing or is not the one that was written.
        ScanError: the scan or a map cannot be read.
    """
    if case.scan_path is None:
        return {}
    wanted = (*MAPS, "anatomy") if case.assessable else ()
    paths = [(kind, map_path(case, kind)) for kind in wanted]
    options = case.record.get("options", {})
    return _load(
        _Files(
            scan=case.scan_path,
            scan_stamp=case.scan_path.stat().st_mtime_ns,
            scan_hash=str(case.record.get("scan", {}).get("sha256", "")),
            assume_orientation=options.get("assume_orientation"),
            volume_index=options.get("volume_index"),
            allow_shear=bool(options.get("allow_shear")),
            grid_mm=float(case.record.get("grid", {}).get("spacing_mm", OLD_GRID_MM)),
            mirror_world=tuple(tuple(row) for row in case.record.get("mirror_world") or ()),
            maps=tuple((kind, path, path.stat().st_mtime_ns) for kind, path in paths if path),
            peaks=_peaks(case.record),
        )
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


@functools.lru_cache(maxsize=CACHED_CASES)
def _load(files: _Files) -> Mapping[str, EncodedVolume]:
    paths = {kind: path for kind, path, _ in files.maps}
    with ThreadPoolExecutor(max_workers=1) as beside:
        scan = beside.submit(_scan_volume, files)
        sources = over_kinds(
            paths, lambda kind, path: read_label_map(path) if kind == "anatomy" else _read_map(path)
        )
        volumes = {"scan": scan.result()}
    if not sources:
        return volumes
    spacing = max(volumes["scan"].grid.spacing_mm, MAP_SHARE * files.grid_mm)
    common = _common_grid(sources, spacing_mm=spacing)
    values = over_kinds(
        sources,
        lambda kind, source: resample(
            source.voxels,
            affine=source.affine,
            grid=common,
            order=0 if kind == "anatomy" else 1,
        ),
    )
    if "bound" in sources and files.mirror_world:
        pair_bound(sources["bound"], values, grid=common, mirror_world=files.mirror_world)
    else:
        values.pop("bound", None)  # of one side alone it says nothing about a difference
    if "deviation" in values:
        keep_peaks(
            values["deviation"], grid=common, peaks=files.peaks, mirror_world=files.mirror_world
        )
    for kind, value in values.items():
        volumes[kind] = (
            encode_labels(value, grid=common)
            if kind == "anatomy"
            else encode(value, grid=common, symmetric=True, rounding=ROUNDING.get(kind, "nearest"))
        )
    return volumes


def forget_cases() -> None:
    """Drop the volumes kept in memory; cases whose files are gone must not stay there."""
    _load.cache_clear()


def _scan_volume(files: _Files) -> EncodedVolume:
    """The scan on the display grid, with the way back to its own voxels."""
    scan = _read_source(files)
    grid = scan_grid(scan.affine, scan.voxels.shape)
    shown = resample(scan.voxels, affine=scan.affine, grid=grid, order=1)
    back = tuple(tuple(float(v) for v in row) for row in np.linalg.inv(scan.affine))
    return replace(encode(shown, grid=grid, symmetric=False), world_to_voxel=back)


def _read_source(files: _Files) -> Volume:
    """The scan, read as it was when it was screened, and only if it is still that scan."""
    read = functools.partial(
        read_scan,
        max_gib=MAX_GIB,
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


def _read_map(path: Path) -> Volume:
    """A map of the case; zero everywhere is a result, where a zero scan would be a mistake."""
    try:
        return read_scan(path, max_gib=MAX_GIB, allow_shear=True)
    except ScanError as error:
        if error.code != CONSTANT_IMAGE:
            raise
        return read_label_map(path, max_gib=MAX_GIB)


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


def case_payload(
    case: Case, *, volumes: Mapping[str, Mapping[str, object]], web: str, finding: int | None
) -> dict[str, Any]:
    """JSON for the browser component.

    Args:
        case: the case.
        volumes: kind -> description with the address, as `EncodedVolume.describe` gives it.
        web: address of the folder of the browser modules.
        finding: rank of the finding at which the crosshair starts; None for the first.
    """
    record = case.record
    findings: list[Mapping[str, Any]] = [
        {key: value for key, value in found.items() if key != "basis"}  # of the panel Why alone
        for found in (record.get("findings", []) if case.assessable else [])
    ]
    largest = record.get("summary", {}).get("deviation_max_mm") if case.assessable else None
    return {
        "web": web,
        "case": case.name,
        "seal": seal_of(record),
        "assessable": case.assessable,
        "volumes": dict(volumes),
        "mirror_world": record.get("mirror_world"),
        "structures": {str(index): name for index, name in case.structures.items()},
        "reasons": [str(reason) for reason in record.get("reasons", [])],
        "findings": findings,
        "threshold": record.get("threshold", {}),
        "calibration": {
            key: (record.get("calibration") or {}).get(key)
            for key in ("name", "kind", "n", "group", "reason", "warning", "caution", "thresholds")
        },
        "compared_with": compared_with(record),
        "crosshair_mm": _start(findings, finding, largest=largest),
        "largest_mm": largest,
        "largest_values": {
            "deviation": record.get("summary", {}).get("deviation_max"),
            "p_value": record.get("summary", {}).get("p_value"),
        }
        if largest
        else None,
        "largest_bound": record.get("summary", {}).get("bound_max"),
        "measured_defect_max": record.get("summary", {}).get("measured_defect_max"),
        "scan": {
            key: record.get("scan", {}).get(key) for key in ("shape", "spacing_mm", "axcodes")
        },
        "model": record.get("model", {}),
        "software": record.get("software", {}),
        "research_use_only": record.get("research_use_only") or RESEARCH_USE_ONLY,
    }


def _start(
    findings: list[Mapping[str, Any]], rank: int | None, *, largest: list[float] | None
) -> list[float] | None:
    """Peak of the finding with this rank, else of the first, else the largest deviation, mm."""
    chosen = [found for found in findings if found.get("rank") == rank] or findings[:1]
    place = chosen[0]["peak_mm"] if chosen else largest
    return [float(value) for value in place] if place else None
