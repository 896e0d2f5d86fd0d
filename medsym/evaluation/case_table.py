"""The table of real cases: which scan, which mask, which contrast, whose."""

import csv
from dataclasses import dataclass
from pathlib import Path

import numpy as np
from numpy.typing import NDArray

from medsym.errors import ConfigError
from medsym.volumes.nifti import read_label_map
from medsym.volumes.volume import Volume

COLUMNS = ("case", "scan", "mask")
_AFFINE_TOLERANCE_MM = 1e-3


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseEntry:
    """One line of the table.

    Attributes:
        case: name.
        scan: file.
        mask: expert mask, positive inside the lesion; None for a healthy scan.
        brain: mask that limits the scored voxels; None is the brain that medsym finds.
        contrast: "T1", "T2", "FLAIR", "CT" or "" for unknown; chooses the healthy images that the
            z-scores compare with.
        person: whose scan it is; scans of one person are no independent draws.
    """

    case: str
    scan: Path
    mask: Path | None
    brain: Path | None
    contrast: str
    person: str


def read_case_table(path: Path) -> list[CaseEntry]:
    """Read a CSV file with columns case, scan, mask and optionally brain, contrast and person.

    Paths are relative to the file. An empty mask means a scan without a lesion, an empty person one
    that is called like the case.

    Raises:
        ConfigError: MS-330 the file cannot be read or lacks a column or a name.
    """
    try:
        with path.open(newline="", encoding="utf-8") as file:
            rows = list(csv.DictReader(file))
    except (OSError, UnicodeDecodeError) as error:
        reason = error.strerror if isinstance(error, OSError) else "it is not UTF-8 text"
        raise _refused(path, f"cannot be read ({reason})") from None
    if not rows or not set(COLUMNS) <= set(rows[0]):
        raise _refused(path, "has no rows or lacks a column")
    for number, row in enumerate(rows, start=2):
        if not (row["case"] and row["scan"]):
            raise _refused(path, f"line {number} names no case or no scan")
    folder = path.parent
    return [
        CaseEntry(
            case=row["case"],
            scan=folder / row["scan"],
            mask=folder / row["mask"] if row["mask"] else None,
            brain=folder / row["brain"] if row.get("brain") else None,
            contrast=row.get("contrast") or "",
            person=(row.get("person") or "").strip() or row["case"],
        )
        for row in rows
    ]


def _refused(path: Path, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-330",
        subject=str(path),
        cause=cause,
        fix=f"give a CSV file with the columns {', '.join(COLUMNS)} and one line per case; leave "
        "the mask of a healthy scan empty",
    )


def read_mask(path: Path, *, scan: Volume) -> NDArray[np.bool_]:
    """A mask on the grid of its scan.

    Raises:
        ConfigError: MS-331 mask and scan do not share a grid.
        ScanError: the file is refused.
    """
    mask = read_label_map(path)
    if mask.shape != scan.shape or not np.allclose(
        mask.affine, scan.affine, atol=_AFFINE_TOLERANCE_MM
    ):
        raise ConfigError(
            code="MS-331",
            subject=str(path),
            cause="does not lie on the grid of its scan",
            fix="resample the mask to the scan",
        )
    return np.asarray(mask.voxels > 0)
