"""Reading the names of BIDS files, and naming some of them by entities and suffix.

A name is ``sub-<label>[_ses-<label>][_<key>-<label>...]_<suffix>``; in derivatives a bare part in
the middle, as in ``sub-1_T2w_desc-lesion_mask``, is the suffix of the scan that the file was made
from. A selector is the end of such a name: ``T1w``, ``run-2_T1w``, ``desc-stroke_mask``.
"""

import re
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path

from medsym.datasets.nifti_files import scan_stem

_PART = re.compile(r"([A-Za-z0-9]+)-([A-Za-z0-9+.]+)")
_WORD = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class BidsName:
    """A file name taken apart.

    Attributes:
        path: the file.
        subject: label after ``sub-``.
        session: label after ``ses-``, or None.
        entities: the other key-label pairs.
        made_from: suffix of the scan that a derivative names in its middle, or None.
        suffix: last part, such as "T1w".
    """

    path: Path
    subject: str
    session: str | None
    entities: Mapping[str, str]
    made_from: str | None
    suffix: str

    @property
    def contrast(self) -> str:
        """The suffix, with the contrast agent where there is one: "T1w", "ce-gadolinium_T1w"."""
        agent = self.entities.get("ce")
        return f"ce-{agent}_{self.suffix}" if agent else self.suffix


@dataclass(frozen=True, kw_only=True, slots=True)
class Selector:
    """The end of a BIDS name, and perhaps a folder that the file must lie below.

    Attributes:
        folder: a folder name, or None.
        entities: pairs that the name must have.
        suffix: its last part.
    """

    folder: str | None
    entities: Mapping[str, str]
    suffix: str

    def matches(self, name: BidsName) -> bool:
        """Whether a file is meant; entities that the selector does not name may be anything."""
        if self.folder is not None and self.folder not in name.path.parts[:-1]:
            return False
        agrees = all(name.entities.get(key) == value for key, value in self.entities.items())
        return agrees and name.suffix.casefold() == self.suffix.casefold()

    def means_scan(self, name: BidsName) -> bool:
        """As `matches`, but an image with a contrast agent is only meant when that is named."""
        return self.matches(name) and ("ce" in name.entities) == ("ce" in self.entities)


def parse_name(path: Path) -> BidsName | None:
    """Take a name apart; None when it does not belong to a subject or is no BIDS name."""
    *parts, suffix = scan_stem(path).split("_")
    pairs: dict[str, str] = {}
    made_from = None
    for part in parts:
        match = _PART.fullmatch(part)
        if match and match[1] not in pairs:
            pairs[match[1]] = match[2]
        elif match is None and made_from is None and _WORD.fullmatch(part):
            made_from = part
        else:
            return None
    if "sub" not in pairs or not _WORD.fullmatch(suffix):
        return None
    subject, session = pairs.pop("sub"), pairs.pop("ses", None)
    return BidsName(
        path=path,
        subject=subject,
        session=session,
        entities=pairs,
        made_from=made_from,
        suffix=suffix,
    )


def parse_selector(text: str) -> Selector | None:
    """Read a selector such as "run-2_T1w" or "rater1/desc-lesion_mask"; None when it is none."""
    folder, _, end = text.rpartition("/")
    *parts, suffix = end.split("_")
    matches = [_PART.fullmatch(part) for part in parts]
    if not _WORD.fullmatch(suffix) or None in matches:
        return None
    entities = {match[1]: match[2] for match in matches if match is not None}
    return Selector(folder=folder or None, entities=entities, suffix=suffix)
