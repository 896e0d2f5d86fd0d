"""The files behind an entry: reading scan and masks, and the hashes that tell whether they changed.

A mask goes through world coordinates, like its scan. A mask with its scan's number of voxels that
lies elsewhere, or is stored in another order, lost its header on the way: it is refused, because a
header that mirrors the mask looks the same.
"""

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from medsym.datasets.lesion_mask import check_same_place, read_mask
from medsym.screening.dicom.convert import CONVERTER, converter_version
from medsym.screening.entry import ScanEntry
from medsym.screening.packed import read_scan_of, scan_sha256_of
from medsym.screening.records import scan_sha256
from medsym.volumes.volume import Volume


@dataclass(frozen=True, kw_only=True, slots=True)
class Source:
    """What was read for an entry.

    Attributes:
        scan: the scan.
        brain_mask: float32, 1 inside; or None. The same for exclusion.
    """

    scan: Volume
    brain_mask: Volume | None = None
    exclusion: Volume | None = None


def read_source(entry: ScanEntry, *, read: Callable[[Path], Volume]) -> Source:
    """Read the scan of an entry and its masks.

    Args:
        entry: what to read.
        read: ``read_scan`` with the options of the run.

    Raises:
        ScanError: the scan or a mask cannot be used; MS-351 a mask that lost its header.
    """
    scan = read_scan_of(entry, read=read)
    masks = {}
    for kind, path in (("brain_mask", entry.brain_mask), ("exclusion", entry.exclusion_mask)):
        if path is not None:
            masks[kind] = read_mask(path, labels=())
            check_same_place(
                masks[kind],
                scan=scan,
                fix_order="Look at both together and store the mask in the order of its scan",
            )
    return Source(scan=scan, **masks)


def source_hashes(entry: ScanEntry) -> tuple[str | None, dict[str, str | None]]:
    """Hash of the scan, and of each mask by kind, as case.json has them."""
    stated = (("brain", entry.brain_mask), ("exclusion", entry.exclusion_mask))
    masks = {kind: scan_sha256(path) for kind, path in stated if path is not None}
    return scan_sha256_of(entry), masks


def source_options(entry: ScanEntry) -> dict[str, str]:
    """How the scan was made ready to be read, which decides its result: the converter's version."""
    return {} if entry.series is None else {CONVERTER: converter_version()}
