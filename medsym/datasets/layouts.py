"""From the settings to the visits that are used: one reader per layout, one rule for health.

Nobody is healthy because a mask is missing: a visit without a mask is refused unless the settings
say what it means.
"""

import logging
from collections.abc import Callable, Sequence
from dataclasses import replace
from pathlib import Path

from medsym.datasets.atlas import atlas_visits
from medsym.datasets.bids import bids_visits
from medsym.datasets.brats import brats_visits
from medsym.datasets.isles import isles_visits
from medsym.datasets.msd import msd_visits
from medsym.datasets.settings import PATIENTS_ONLY, DataSettings
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError

logger = logging.getLogger(__name__)

READERS: dict[str, Callable[..., tuple[Visit, ...]]] = {
    "atlas": atlas_visits,
    "bids": bids_visits,
    "brats": brats_visits,
    "isles": isles_visits,
    "msd": msd_visits,
}
_SHOWN = 3


def list_visits(settings: DataSettings) -> tuple[Visit, ...]:
    """All visits that training may use, in an order that depends on their names alone.

    Scans are only listed here, not read.

    Args:
        settings: layout, folder and what a missing mask means.

    Raises:
        ConfigError: MS-343 to MS-347, MS-350 and MS-359 as the layout's reader says; MS-348 visits
            without a mask; MS-349 nothing is left.
    """
    assert settings.folder is not None, "the settings demand a folder for every layout"
    found = READERS[settings.layout](settings.folder, settings=settings)
    visits = tuple(visit for visit in found if visit.scans)
    _mention(len(found) - len(visits), "visits have none of the chosen contrasts")
    if settings.healthy_only:
        patients = {visit.subject for visit in found if visit.of_patient}
        return _healthy(visits, patients=patients, folder=settings.folder)
    bare = [visit for visit in visits if not _all_masked(visit)]
    if bare and settings.without_mask == "refuse":
        raise _no_mask(bare, of=len(visits), settings=settings)
    patients = {visit.subject for visit in found if visit.of_patient}
    if settings.without_mask == "healthy":  # who is ill on one visit is not healthy on another
        bare = [visit for visit in bare if visit.subject in patients]
    if bare:
        _mention(len(bare), "visits have a scan without a lesion mask, which is not used")
        visits = tuple(_masked_part(v) if v in bare else v for v in visits)
        visits = tuple(visit for visit in visits if visit.scans)
    if not visits:
        cause = "no visit has a lesion mask"
        raise _nothing_left(settings.folder, cause, "Check the names of the masks")
    return visits


def summary(visits: Sequence[Visit]) -> str:
    """What a list of visits holds, on one line."""
    scans = [scan for visit in visits for scan in visit.scans]
    subjects = len({visit.subject for visit in visits})
    contrasts = sorted({scan.contrast for scan in scans})
    each = ", ".join(f"{c} {sum(s.contrast == c for s in scans)}" for c in contrasts)
    masks = sum(scan.mask is not None for scan in scans)
    return f"{subjects} subjects, {len(visits)} visits, scans: {each}; {masks} with a lesion mask"


def _all_masked(visit: Visit) -> bool:
    return all(scan.mask is not None for scan in visit.scans)


def _masked_part(visit: Visit) -> Visit:
    return replace(visit, scans=tuple(scan for scan in visit.scans if scan.mask is not None))


def _healthy(visits: Sequence[Visit], *, patients: set[str], folder: Path) -> tuple[Visit, ...]:
    """Visits without any mask; the subjects of the others are left out whole."""
    _mention(len(patients), "subjects have a lesion mask and are not used as healthy")
    healthy = tuple(visit for visit in visits if visit.subject not in patients)
    if not healthy:
        cause = f"healthy_only, but all {len(patients)} subjects have a lesion mask"
        raise _nothing_left(folder, cause, "Leave out healthy_only, or add healthy subjects")
    return healthy


def _mention(count: int, what: str) -> None:
    if count:
        logger.warning("%d %s", count, what)


def _no_mask(bare: Sequence[Visit], *, of: int, settings: DataSettings) -> ConfigError:
    names = ", ".join(visit.name for visit in bare[:_SHOWN])
    ways = "without_mask: skip leaves them out"
    if settings.layout not in PATIENTS_ONLY:
        ways += "; without_mask: healthy states that these people have no lesion"
    if settings.layout == "bids":
        ways += "; masks are named like sub-1_desc-lesion_mask, or as data.masks says"
    return ConfigError(
        code="MS-348",
        subject=str(settings.folder),
        cause=f"{len(bare)} of {of} visits have a scan without a lesion mask: {names}",
        fix=f"Say what that means in data: {ways}",
    )


def _nothing_left(folder: Path, cause: str, fix: str) -> ConfigError:
    return ConfigError(code="MS-349", subject=str(folder), cause=cause, fix=fix)
