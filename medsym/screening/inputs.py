"""Which files a user means: a folder stands for its scans, the two files of a pair for one."""

import os
import re
from collections.abc import Iterable, Iterator
from pathlib import Path

from medsym.volumes.stored_scan import scan_files

_SCAN = re.compile(r"\.(nii|nii\.gz|hdr)$", re.IGNORECASE)
#: BIDS suffixes of images that are no scans: masks, labels and maps, medsym's own among them.
_NO_SCAN = re.compile(r"_(mask|dseg|probseg|statmap)\.(nii|nii\.gz)$", re.IGNORECASE)


def expand_scans(inputs: Iterable[Path]) -> list[Path]:
    """Files as given; a folder stands for the NIfTI scans below it; masks, labels and maps are not.

    Hidden files and folders (.git, "._" copies of macOS) are not searched. A link that leads
    nowhere is kept: its scan is refused by name instead of being missing from the tables.
    """
    scans: list[Path] = []
    for path in inputs:
        scans += _below(path) if path.is_dir() else [_header_of(path)]
    return list(dict.fromkeys(scans))


def _header_of(path: Path) -> Path:
    header = scan_files(path)[0]
    return header if header.is_file() else path


def _below(root: Path) -> list[Path]:
    return sorted(
        path
        for path in visible_files(root)
        if _SCAN.search(path.name) and not _NO_SCAN.search(path.name)
    )


def visible_files(root: Path) -> Iterator[Path]:
    """Every file below a folder; hidden files and folders are not searched."""
    for folder, below, names in os.walk(root):
        below[:] = [name for name in below if not name.startswith(".")]
        yield from (Path(folder, name) for name in names if not name.startswith("."))
