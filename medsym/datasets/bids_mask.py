"""Which files of a BIDS data set are lesion masks, and which mask belongs to which scan.

A mask beside a brain mask, in another space or of another run is a common way to train on nonsense,
so a mask is taken only when the names leave one answer; otherwise the files are named in an error.
"""

import enum
import re
from collections.abc import Iterable, Sequence
from pathlib import Path

from medsym.datasets.bids_name import BidsName, Selector
from medsym.datasets.nifti_files import scan_stem
from medsym.errors import ConfigError

#: Suffixes of label images; none of them is ever taken for a scan.
MASK_SUFFIXES = frozenset({"mask", "roi", "dseg", "lesion", "lesionmask", "msk"})
_WORDS = (
    "lesion|tumou?r|stroke|infarct|haemorrhage|hemorrhage|haematoma|hematoma|wmh|fcd|dysplasia"
    "|patholog"
)
_LESION = re.compile(f"{_WORDS}|^roi$", re.IGNORECASE)
#: What is not the lesion but lies beside it, opposite it, or is all the rest.
_NOT_LESION = re.compile(
    rf"(?:^|(?<=[a-z0-9])(?=[A-Z]))(?i:non?|not|without|peri|contra|anti|mirror(?:ed)?)"
    rf"(?i:{_WORDS}|roi$)"
)
#: Names of masks that say lesion without another word.
_LESION_SUFFIXES = frozenset({"roi", "lesion", "lesionmask"})
#: Suffixes of scans, as a mask may name the scan that it was drawn on.
_SCANS = re.compile(
    "t1w|t2w|pdw|flair|t2starw|ct|t1|t2|t1c|t1ce|t1gd|dwi|adc|swi|swan|bold|angio|uni|unit1|t1map"
    "|t2map|pet|asl|inplanet1|inplanet2|pdt2|megre|sbref|epi|b0|trace",
    re.IGNORECASE,
)
#: A file whose name is no BIDS name and still speaks of a mask of a subject.
_SUBJECT = re.compile(r"sub-([A-Za-z0-9]+)")
_MASK_WORD = re.compile(
    rf"mask|(?<![a-z])roi(?![a-z])|(?<![a-z])seg(?![a-z])|{_WORDS}", re.IGNORECASE
)
_ANATOMY = re.compile(
    r"brain|skull|head|tissue|ventricle|gm(?![a-z])|wm(?![a-z])|csf|aseg|aparc", re.IGNORECASE
)
_ABOUT = ("label", "desc")
#: Spaces in which a scan was taken; any other space is a template.
_NATIVE = frozenset({"orig", "native", "individual", "scanner", "raw"})
_NAMES_A_SCAN = ("acq", "ce", "rec", "dir", "run", "echo", "inv", "part", "chunk")
_SAME_SCAN, _UNSTATED, _OTHER_SCAN = range(3)


class Content(enum.Enum):
    """What a file shows, by its name: a lesion, perhaps a lesion, or something else."""

    LESION = enum.auto()
    UNSURE = enum.auto()
    OTHER = enum.auto()


def content_of(name: BidsName, *, selector: Selector | None, labelled: bool) -> Content:
    """Whether a file is a lesion mask.

    Args:
        name: the file.
        selector: what the user calls the lesion masks; None decides by the name: a word for a
            lesion, not negated, in ``label-``, ``desc-`` or the name itself.
        labelled: the user gave the lesion's label values, so a plain dseg can be read.

    Returns:
        UNSURE is never used as a lesion, and its subject is never used as healthy.
    """
    if selector is not None and selector.matches(name):
        return Content.LESION
    if name.suffix not in MASK_SUFFIXES:
        return Content.OTHER
    about = [name.entities[key] for key in _ABOUT if key in name.entities]
    if name.made_from is not None and not _SCANS.fullmatch(name.made_from):
        about.append(name.made_from)
    says = any(_LESION.search(text) for text in about)
    plain = not about and name.suffix in _LESION_SUFFIXES
    meant = plain or (not about and labelled and name.suffix == "dseg")
    if selector is None and not any(_NOT_LESION.search(text) for text in about) and (says or meant):
        return Content.LESION
    unsaid = selector is None and not about and name.suffix != "dseg"
    return Content.UNSURE if says or unsaid else Content.OTHER


def unnamed_patient(path: Path) -> str | None:
    """Subject of a file that speaks of a mask or a lesion; None when it speaks of neither."""
    stem = scan_stem(path)
    subject = _SUBJECT.search(stem)
    if subject is None:
        return None
    rest = stem[subject.end() :]
    speaks = _MASK_WORD.search(rest) is not None
    anatomy = _ANATOMY.search(rest) is not None and re.search(_WORDS, rest, re.IGNORECASE) is None
    return subject[1] if speaks and not anatomy else None


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


def _source(mask: BidsName, *, words: set[str]) -> str | None:
    """Scan that the middle of a mask's name names; a word such as "lesion" names none."""
    middle = mask.made_from
    if middle is None or not (middle.casefold() in words or _SCANS.fullmatch(middle)):
        return None
    return middle


def _rank(scan: BidsName, mask: BidsName, *, words: set[str]) -> int:
    """How well a mask fits a scan; lower is better."""
    source = _source(mask, words=words)
    stated = [source] if source is not None else []
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
    named = _source(mask, words=words) or (space if space.casefold() in words else None)
    return "_".join([*pairs, named] if named else pairs)
