"""Which case a scan file is: BIDS entities if its name has them, else a cleaned-up name.

Everything written for a case begins with its identifier, so identifiers hold ASCII letters, digits,
"-" and "_" only, are unique whatever the upper and lower case, and cannot leave the output folder.
"""

import hashlib
import re
import unicodedata
from collections import Counter
from collections.abc import Sequence
from dataclasses import dataclass
from pathlib import Path, PurePath

from medsym.datasets.nifti_files import scan_stem
from medsym.errors import OutputError

_BIDS = re.compile(
    r"^sub-(?P<subject>[A-Za-z0-9]+)(?:_ses-(?P<session>[A-Za-z0-9]+))?"
    r"(?:_[a-z]+-[A-Za-z0-9]+)*_[A-Za-z0-9]+$"
)
#: Entities after which no space can be stated, or not a second time.
_DERIVED = re.compile(r"_(space|desc|res|den|label|seg|atlas|chunk)-")
#: Longer identifiers are cut and given a hash: file systems allow 255 bytes per name.
MAX_LENGTH = 100
_CLEAN = re.compile(r"[A-Za-z0-9]+")


@dataclass(frozen=True, kw_only=True, slots=True)
class CaseName:
    """Identity of a case.

    Attributes:
        case: identifier that every file of the case begins with, such as "sub-01_T1w".
        subject: BIDS subject label, such as "01".
        session: BIDS session label or None.
        subject_stated: False if the subject is only the file's own name, which need not be whose
            it is.
        given: name of the folder or archive that was given for a DICOM series, unless it names the
            patient; None for a scan file.
    """

    case: str
    subject: str
    session: str | None
    subject_stated: bool = True
    given: str | None = None

    @property
    def folder(self) -> tuple[str, ...]:
        """Path parts of the case's folder below the output folder."""
        session = (f"ses-{self.session}",) if self.session else ()
        return (f"sub-{self.subject}", *session, "anat")


def map_stem(case: str) -> str:
    """What the names of a case's maps begin with: in BIDS, a suffix stands only at the end.

    The maps of sub-01_T1w lie in the space of that scan: sub-01_space-T1w_desc-..., unless the
    scan's own name says something about space or processing already.

    Example:
        >>> map_stem("sub-01_run-2_T1w"), map_stem("sub-patient7")
        ('sub-01_run-2_space-T1w', 'sub-patient7')
    """
    stem, _, suffix = case.rpartition("_")
    if not stem or "-" in suffix or _DERIVED.search(stem):
        return case
    return f"{stem}_space-{suffix}"


def clean_label(text: str) -> str:
    """ASCII letters and digits of a text; where that is not all of it, with a hash of the text.

    Without the hash "p1_11" and "p11_1" would be one case.

    Example:
        >>> clean_label("T1"), clean_label("M" + chr(252) + "ller T1 (2)")
        ('T1', 'MullerT12ed6952e4')
    """
    if _CLEAN.fullmatch(text) and len(text) <= MAX_LENGTH:
        return text
    plain = unicodedata.normalize("NFKD", text).encode("ascii", "ignore").decode("ascii")
    label = "".join(_CLEAN.findall(plain))[:MAX_LENGTH]
    return (label or "scan") + _short_hash(unicodedata.normalize("NFC", text))


def _short_hash(text: str) -> str:
    return hashlib.sha256(text.encode("utf-8", "surrogateescape")).hexdigest()[:8]


def name_of(path: Path, *, prefix: str = "") -> CaseName:
    """Case of one file, regardless of the others.

    Args:
        path: scan file; only its name is looked at.
        prefix: folder name that tells equal file names apart.
    """
    stem = scan_stem(path)
    return stated_name(f"{prefix}/{stem}" if prefix else stem)


def stated_name(text: str) -> CaseName:
    """Case that a text names, all of it: P01.1 and P01.2 are two.

    Example:
        >>> stated_name("sub-1_ses-2_T1w").session, stated_name("p1").case
        ('2', 'sub-p1')
    """
    match = _BIDS.match(text)
    if match and len(text) <= MAX_LENGTH:
        return CaseName(case=text, subject=match["subject"], session=match["session"])
    return _named(clean_label(text))


def place_name(place: PurePath) -> CaseName:
    """Case of what is refused for its name or place: no other place gives the same one.

    Args:
        place: path, from where the user can tell it; all of it counts.
    """
    return _named(clean_label(place.name) + _short_hash(place.as_posix()))


def _named(label: str) -> CaseName:
    return CaseName(case=f"sub-{label}", subject=label, session=None, subject_stated=False)


def name_cases(paths: Sequence[Path]) -> dict[Path, CaseName]:
    """Cases of all files of a run, made unique by the parent folder's name where needed.

    Raises:
        OutputError: MS-150 if two files still have the same identifier.
    """
    names = told_apart(paths)
    clashes = _clashing(names)
    if clashes:
        first = names[clashes[0]].case
        same = [path for path in clashes if names[path].case.casefold() == first.casefold()]
        shown = ", ".join(map(str, same[:4])) + ", ..." * (len(same) > 4)
        raise OutputError(
            code="MS-150",
            subject=clashes[0].name,
            cause=f"{len(clashes)} scans have a name that another one has, too; {first}: {shown}",
            fix="name a smaller folder, rename the scans (sub-01_T1w.nii.gz), or list them in a "
            "table with the columns scan and case",
        )
    return names


def told_apart(paths: Sequence[Path]) -> dict[Path, CaseName]:
    """As ``name_cases``; names that are still the same are the caller's to refuse."""
    names = {path: name_of(path) for path in dict.fromkeys(paths)}
    for path in _clashing(names):
        names[path] = name_of(path, prefix=path.absolute().parent.name)
    return names


def _clashing(names: dict[Path, CaseName]) -> list[Path]:
    counts = Counter(name.case.casefold() for name in names.values())
    return [path for path, name in names.items() if counts[name.case.casefold()] > 1]
