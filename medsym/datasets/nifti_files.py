"""Which NIfTI files a data set holds: every visible one, named once."""

import os
import re
from collections.abc import Iterator
from pathlib import Path

from medsym.errors import ConfigError

_SCAN = re.compile(r"\.(nii|nii\.gz|hdr)$", re.IGNORECASE)
_ENDING = re.compile(r"\.(nii|nii\.gz|hdr|img|mgz|mgh)$", re.IGNORECASE)


def scan_stem(path: Path) -> str:
    """File name without the ending of a scan format.

    Example:
        >>> scan_stem(Path("a/sub-1_T1w.nii.gz"))
        'sub-1_T1w'
    """
    return _ENDING.sub("", path.name)


def nifti_files(root: Path) -> tuple[Path, ...]:
    """All scans below a folder, sorted by their place in it; hidden files are not looked at.

    A link that leads nowhere is kept: reading it gives an error that names it.

    Raises:
        ConfigError: MS-343 the folder is not there or holds no scan, MS-359 one file is there
            twice, compressed and not.
    """
    if not root.is_dir():
        raise _no_scans(root, "is not a folder", "Give the root folder of the data set")
    found = sorted(
        (path for path in _visible(root) if _SCAN.search(path.name)),
        key=lambda path: path.relative_to(root).parts,
    )
    if not found:
        cause = "holds no .nii, .nii.gz or .hdr file"
        raise _no_scans(root, cause, "Give the root folder of the data set, unpacked")
    seen: dict[Path, Path] = {}
    for path in found:
        first = seen.setdefault(path.with_name(scan_stem(path)), path)
        if first != path:
            raise ConfigError(
                code="MS-359",
                subject=str(path),
                cause=f"the folder also holds {first.name}, and nothing says which one counts",
                fix="Remove one of the two",
            )
    return tuple(found)


def _visible(root: Path) -> Iterator[Path]:
    for folder, below, names in os.walk(root):
        below[:] = sorted(name for name in below if not name.startswith("."))
        yield from (Path(folder, name) for name in names if not name.startswith("."))


def _no_scans(root: Path, cause: str, fix: str) -> ConfigError:
    return ConfigError(code="MS-343", subject=str(root), cause=cause, fix=fix)
