"""BIDS folders: scans by contrast, lesion masks beside them or under derivatives.

Brain Imaging Data Structure, Gorgolewski et al., Scientific Data 3:160044 (2016),
doi:10.1038/sdata.2016.44.
"""

import difflib
import logging
from collections import defaultdict
from collections.abc import Sequence
from pathlib import Path

from medsym.datasets.bids_mask import (
    MASK_SUFFIXES,
    Content,
    content_of,
    mask_for,
    suggestion,
    unnamed_patient,
)
from medsym.datasets.bids_name import BidsName, Selector, parse_name, parse_selector
from medsym.datasets.nifti_files import nifti_files
from medsym.datasets.settings import DataSettings
from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError

logger = logging.getLogger(__name__)

#: What is taken when no contrast is named: one 3-D image of the head each.
KNOWN_CONTRASTS = frozenset({"T1w", "T2w", "PDw", "FLAIR", "T2starw", "CT", "ct"})
#: Folders of a data set that hold no raw scans.
NOT_RAW = frozenset({"derivatives", "sourcedata", "code"})
_Key = tuple[str, str | None]


def bids_visits(folder: Path, *, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of a BIDS folder.

    Args:
        folder: root; masks may lie anywhere below it.
        settings: contrasts (selectors such as "T1w" or "run-2_T1w"), masks, lesion_labels.

    Raises:
        ConfigError: MS-343 no scan, MS-344 a contrast that is not there, MS-345 two scans of one
            contrast, MS-346 and MS-347 masks that cannot be told apart or assigned.
    """
    files = nifti_files(folder)
    names = [name for path in files if (name := parse_name(path)) is not None]
    chosen = _selector(settings.masks, field="data.masks") if settings.masks else None
    labelled = bool(settings.lesion_labels)
    contents = {n.path: content_of(n, selector=chosen, labelled=labelled) for n in names}
    masks = [name for name in names if contents[name.path] is Content.LESION]
    taken = {mask.path for mask in masks}
    images = [n for n in names if n.suffix not in MASK_SUFFIXES and n.path not in taken]
    scans = _scans_by_visit(images, contrasts=settings.contrasts, root=folder)
    by_visit, orphans = _masks_by_visit(masks, visits=list(scans))
    doubtful = [name for name in names if contents[name.path] is Content.UNSURE]
    odd = {path: who for path in files if (who := unnamed_patient(path)) and path not in contents}
    ill = {name.subject for name in (*orphans, *doubtful)} | set(odd.values())
    _tell([name.path for name in orphans], "lesion masks belong to no scan in use")
    _tell(
        [name.path for name in doubtful], "masks do not say that they show lesions and are not used"
    )
    _tell(list(odd), "files look like masks, are not named as BIDS says and are not used")
    return tuple(
        _visit(key, scans[key], masks=by_visit[key], ill=key[0] in ill)
        for key in sorted(scans, key=lambda k: (k[0], k[1] or ""))
    )


def _tell(paths: Sequence[Path], what: str) -> None:
    """Report files that are left out; their subjects are not taken as healthy."""
    if paths:
        logger.warning(
            "%d %s; the subjects count as patients, the first file is %s",
            len(paths),
            what,
            paths[0],
        )


def _selector(text: str, *, field: str) -> Selector:
    selector = parse_selector(text)
    if selector is None:
        raise ConfigError(
            code="MS-344",
            subject=field,
            cause=f"{text!r} is no end of a BIDS name",
            fix="Write entities and suffix as in the file names, such as run-2_T1w",
        )
    return selector


def _scans_by_visit(
    images: Sequence[BidsName], *, contrasts: Sequence[str], root: Path
) -> dict[_Key, dict[str, BidsName]]:
    """Scans of every visit by contrast; one each, or an error."""
    raw = [n for n in images if not NOT_RAW & set(n.path.relative_to(root).parts)]
    chosen: dict[str, list[BidsName]] = {}
    if contrasts:
        for text in contrasts:
            selector = _selector(text, field="data.contrasts")
            pool = images if selector.folder else raw
            chosen[text] = [name for name in pool if selector.means_scan(name)]
    else:
        for name in raw:
            if name.suffix in KNOWN_CONTRASTS:
                chosen.setdefault(name.contrast, []).append(name)
    missing = [text for text, found in chosen.items() if not found]
    if missing or not chosen:
        raise _no_contrast(missing, root=root, present={name.contrast for name in raw})
    visits: dict[_Key, dict[str, BidsName]] = defaultdict(dict)
    for contrast, found in chosen.items():
        for name in found:
            other = visits[name.subject, name.session].setdefault(contrast, name)
            if other is not name:
                raise _two_scans(other, name, contrast=contrast)
    return visits


def _no_contrast(missing: Sequence[str], *, root: Path, present: set[str]) -> ConfigError:
    known = sorted(present)
    if not missing:
        cause = f"holds no {', '.join(sorted(KNOWN_CONTRASTS))} of a subject"
        return ConfigError(
            code="MS-343" if not known else "MS-344",
            subject=str(root),
            cause=cause,
            fix=f"Name the contrasts to use in data.contrasts; found: {', '.join(known) or 'none'}",
        )
    near = difflib.get_close_matches(missing[0], known, n=1, cutoff=0.0)
    return ConfigError(
        code="MS-344",
        subject=str(root),
        cause=f"no scan has the contrast {missing[0]}",
        fix=f"did you mean '{near[0]}'? Found: {', '.join(known)}" if near else "Check the folder",
    )


def _two_scans(first: BidsName, second: BidsName, *, contrast: str) -> ConfigError:
    return ConfigError(
        code="MS-345",
        subject=str(second.path),
        cause=f"this scan and {first.path.name} are both {contrast} of one session",
        fix=f"Say which one in data.contrasts: {suggestion([first, second])}",
    )


def _masks_by_visit(
    masks: Sequence[BidsName], *, visits: Sequence[_Key]
) -> tuple[dict[_Key, list[BidsName]], list[BidsName]]:
    """Masks of every visit, and those that belong to none of them.

    A mask that names no session belongs to the only one there is.
    """
    by_visit: dict[_Key, list[BidsName]] = defaultdict(list)
    orphans = []
    for mask in masks:
        own = [key for key in visits if key[0] == mask.subject]
        if (mask.subject, mask.session) in own:
            by_visit[mask.subject, mask.session].append(mask)
        elif mask.session is None and len(own) > 1:
            raise ConfigError(
                code="MS-347",
                subject=str(mask.path),
                cause=f"names no session, and sub-{mask.subject} has {len(own)}",
                fix="Add the session to the mask's name, as in sub-1_ses-2_desc-lesion_mask",
            )
        elif mask.session is None and own:
            by_visit[own[0]].append(mask)
        else:
            orphans.append(mask)
    return by_visit, orphans


def _visit(key: _Key, scans: dict[str, BidsName], *, masks: Sequence[BidsName], ill: bool) -> Visit:
    """One visit with the mask of each scan."""
    found = []
    for contrast, name in sorted(scans.items()):
        mask, drawn_on = mask_for(name, masks, visit=list(scans.values()))
        path = mask.path if mask is not None else None
        found.append(VisitScan(contrast=contrast, path=name.path, mask=path, drawn_on=drawn_on))
    session = f"ses-{key[1]}" if key[1] is not None else None
    return Visit(subject=f"sub-{key[0]}", session=session, scans=tuple(found), ill=ill)
