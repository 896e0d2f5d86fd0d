"""Which files a user means: a folder stands for its scans, the two files of a pair for one."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medsym.volumes.stored_scan import scan_files

Identity = tuple[int, int]

_SCAN = re.compile(r"\.(nii|nii\.gz|hdr)$", re.IGNORECASE)
#: BIDS suffixes of images that are no scans: masks, labels and maps, medsym's own among them.
_NO_SCAN = re.compile(r"_(mask|dseg|probseg|statmap)\.(nii|nii\.gz)$", re.IGNORECASE)


def expand_scans(inputs: Iterable[Path], *, unopened: list[Path] | None = None) -> list[Path]:
    """Files as given; a folder stands for the NIfTI scans below it; masks, labels and maps are not.

    Hidden files and folders (.git, "._" copies of macOS) are not searched. A link that leads
    nowhere is kept: its scan is refused by name instead of being missing from the tables.

    Args:
        inputs: files and folders.
        unopened: gets the folders that cannot be opened.
    """
    scans: list[Path] = []
    for path in inputs:
        is_folder = os.path.isdir(path)  # noqa: PTH112 - never raises
        scans += _below(path, unopened) if is_folder else [_header_of(path)]
    return list(dict.fromkeys(scans))


def _header_of(path: Path) -> Path:
    header = scan_files(path)[0]
    return header if os.path.isfile(header) else path  # noqa: PTH113 - never raises


def _below(root: Path, unopened: list[Path] | None) -> list[Path]:
    return sorted(
        path
        for path in visible_files(root, unopened=unopened)
        if _SCAN.search(path.name) and not _NO_SCAN.search(path.name)
    )


def visible_files(root: Path, *, unopened: list[Path] | None = None) -> Iterator[Path]:
    """Every file below a folder; hidden files and folders are not searched.

    A link to a folder is followed unless it leads to a folder that was searched already, or back to
    one that holds the link. No folder is searched twice.

    Args:
        root: where to begin.
        unopened: gets the folders that cannot be opened.
    """
    seen = {_identity(folder) for folder in root.resolve().parents}
    roots = [root]
    while roots:
        links: list[Path] = []
        for start in roots:
            yield from _walk(start, seen=seen, links=links, unopened=unopened)
        roots = sorted(links)


def _walk(
    start: Path, *, seen: set[Identity], links: list[Path], unopened: list[Path] | None
) -> Iterator[Path]:
    """Files below one folder without following links, which are collected for later."""

    def note(error: OSError) -> None:
        if unopened is not None:
            unopened.append(Path(error.filename))

    for folder, below, names in os.walk(start, onerror=note):
        identity = _identity(Path(folder))
        if identity in seen:
            below.clear()
            continue
        seen.add(identity)
        visible = [Path(folder, name) for name in below if not name.startswith(".")]
        linked = [path for path in visible if os.path.islink(path)]  # noqa: PTH114 - never raises
        links += linked
        below[:] = [path.name for path in visible if path not in linked]
        files = [Path(folder, name) for name in names if not name.startswith(".")]
        if unopened is not None:
            unopened += [path for path in files if leads_to_no_folder(path)]
        yield from files


def leads_to_no_folder(path: Path) -> bool:
    """Whether a path is a link to what cannot be reached, by its name a folder."""
    return not path.suffix and os.path.islink(path) and not os.path.exists(path)  # noqa: PTH110, PTH114


def _identity(folder: Path) -> Identity:
    """What a folder is, whatever path leads to it."""
    status = folder.stat()
    return status.st_dev, status.st_ino
