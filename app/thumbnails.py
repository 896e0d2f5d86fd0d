"""The small picture of a case that screening wrote: read when the list shows it, never before."""

import functools
from pathlib import Path

from app.folder_files import read_bytes, read_case_record
from app.results import Case, case_file, map_path
from medsym.errors import OutputError

THUMBNAIL = "thumbnail"  # kind of the file in a case's record
CACHED = 200  # pictures of about 4 kB
MAX_BYTES = 1024**2


def thumbnail(root: Path, name: str) -> bytes | None:
    """JPEG bytes of the slice through a case's leading place, sides burned in.

    Args:
        root: result folder.
        name: case name.

    Returns:
        The bytes that were written with the case; None without a picture (a case that is not
        assessable has none), or if the file is not the one that its record names.
    """
    path = case_file(root, name)
    return None if path is None else _read(root, name, path, path.stat().st_mtime_ns)


def forget_thumbnails() -> None:
    """Drop the pictures kept in memory; those of cases that are gone must not stay there."""
    _read.cache_clear()


@functools.lru_cache(maxsize=CACHED)
def _read(root: Path, name: str, path: Path, mtime_ns: int) -> bytes | None:  # noqa: ARG001
    try:
        case = Case(name=name, record=read_case_record(path), root=root)
        found = map_path(case, THUMBNAIL) if case.assessable else None
        return None if found is None else read_bytes(found, longest=MAX_BYTES)
    except (OutputError, OSError):
        return None
