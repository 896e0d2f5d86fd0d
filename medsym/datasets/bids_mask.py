"""Which files of a BIDS data set are lesion masks, and which mask belongs to which scan.

A mask beside a brain mask, in another space or of another run is a common way to train on nonsense,
so a mask is taken only when the names leave one answer; otherwise the files are named in an error.
"""

import re
from collections.abc import Iterable, Sequence

from medsym.datasets.bids_name import BidsName, Selector
from medsym.errors import ConfigError

#: Suffixes of label images; none of them is ever taken for a scan.
MASK_SUFFIXES = frozenset({"mask", "roi", "dseg", "lesion", "lesionmask", "msk"})
_LESION = re.compile(
    r"lesion|tumou?r|stroke|infarct|haemorrhage|hemorrhage|haematoma|hematoma|wmh|fcd|dysplasia",
    re.IGNORECASE,
)
_ABOUT = ("label", "desc")
#: Spaces in which a scan was taken; any other space is a template.
_NATIVE = frozenset({"orig", "native", "individual", "scanner", "raw"})
_NAMES_A_SCAN = ("acq", "ce", "rec", "dir", "run", "echo", "inv", "part", "chunk")
_SAME_SCAN, _UNSTATED, _OTHER_SCAN = range(3)


def is_lesion_mask(name: BidsName, *, selector: Selector | None, labelled: bool) -> bool:
    """Whether a file is a lesion mask.

    Args:
        name: the file.
        selector: what the user calls the lesion masks; None decides by the name: a word for a
            lesion in ``label-`` or ``desc-``, or a mask that says nothing of its content.
        labelled: the user gave the lesion's label values, so a plain dseg can be read.
    """
    if selector is not None:
        return selector.matches(name)
    if name.suffix not in MASK_SUFFIXES:
        return False
    about = [name.entities[key] for key in _ABOUT if key in name.entities]
    if any(_LESION.search(text) for text in about):
        return True
    return not about and (name.suffix != "dseg" or labelled)


def mask_for(
    scan: BidsName, masks: Sequence[BidsName], *, visit: Sequence[BidsName]
) -> tuple[BidsName | None, str | None]:
    """The one lesion mask of a scan.

    Args:
        scan: the scan.
        masks: lesion masks of the same subject and session.
        visit: all scans of the same subject and session.

    Returns:
        Mask and, when its name says that it was drawn on another scan of the visit, that scan.

    Raises:
        ConfigError: MS-346 several masks fit equally well, MS-347 none lies in the scan's space.
    """
    words = {word for other in visit for word in _words(other)}
    fitting = [mask for mask in masks if _space(mask, words=words) == _space(scan, words=words)]
    if masks and not fitting:
        first = masks[0]
        raise ConfigError(
            code="MS-347",
            subject=str(first.path),
            cause=f"lies in space {first.entities.get('space')}, the scan {scan.path.name} does "
            "not",
            fix="Give a mask in the scan's own space, or name scans of that space in contrasts",
        )
    if not fitting:
        return None, None
    ranks = [_rank(scan, mask, words=words) for mask in fitting]
    best = [mask for mask, rank in zip(fitting, ranks, strict=True) if rank == min(ranks)]
    if len(best) > 1:
        raise ConfigError(
            code="MS-346",
            subject=str(best[1].path),
            cause=f"this mask and {best[0].path} fit the scan {scan.path.name} equally well",
            fix="Name the lesion masks in data.masks, for instance "
            f"{suggestion(best)}; a folder may stand before it, as in rater1/desc-lesion_mask",
        )
    drawn_on = _stated_scan(best[0], words=words) if min(ranks) == _OTHER_SCAN else None
    return best[0], drawn_on


def suggestion(names: Sequence[BidsName]) -> str:
    """Selectors that tell files apart by the entities in which they differ."""
    texts = []
    for name in names:
        others = [other.entities for other in names if other is not name]
        own = [
            f"{key}-{value}"
            for key, value in name.entities.items()
            if any(entities.get(key) != value for entities in others)
        ]
        texts.append("_".join([*own, name.suffix]))
    return " or ".join(dict.fromkeys(texts))


def _words(scan: BidsName) -> Iterable[str]:
    """Words by which a derivative may refer to a scan."""
    yield scan.suffix.casefold()
    yield from (scan.entities[k].casefold() for k in ("rec", "acq") if k in scan.entities)


def _space(name: BidsName, *, words: set[str]) -> str | None:
    """Template in which a file lies; None for the space in which the scan was taken."""
    space = name.entities.get("space")
    native = space is None or space.casefold() in _NATIVE or space.casefold() in words
    return None if native else space


def _rank(scan: BidsName, mask: BidsName, *, words: set[str]) -> int:
    """How well a mask fits a scan; lower is better."""
    stated = [mask.made_from] if mask.made_from else []
    space = mask.entities.get("space", "")
    stated += [space] if space.casefold() in words else []
    own = set(_words(scan))
    differs = any(
        key in mask.entities and mask.entities[key] != scan.entities.get(key)
        for key in _NAMES_A_SCAN
    )
    if differs or any(word.casefold() not in own for word in stated):
        return _OTHER_SCAN
    agrees = any(key in mask.entities for key in _NAMES_A_SCAN)
    return _SAME_SCAN if stated or agrees else _UNSTATED


def _stated_scan(mask: BidsName, *, words: set[str]) -> str:
    """The scan that a mask's name refers to."""
    pairs = [f"{key}-{mask.entities[key]}" for key in _NAMES_A_SCAN if key in mask.entities]
    space = mask.entities.get("space", "")
    named = mask.made_from or (space if space.casefold() in words else None)
    return "_".join([*pairs, named] if named else pairs)
