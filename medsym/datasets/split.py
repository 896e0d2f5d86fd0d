"""Which subjects are for training, for calibration and for testing: a hash of the name decides.

A random split changes with every subject that is added, and a split of scans puts one person on
both sides. A hash of the subject's name does neither, and is the same on every machine.
"""

import hashlib
from collections.abc import Sequence

from medsym.datasets.settings import DataSettings
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError

SPLITS = ("train", "reference", "test")
_SALT = b"medsym split 1\0"  # another salt would be another split
_BITS = 64


def position(subject: str) -> float:
    """Fixed place of a subject in [0, 1), the same on every machine and in every data set.

    Example:
        >>> position("sub-01") == position("sub-01")
        True
    """
    digest = hashlib.sha256(_SALT + subject.encode("utf-8", "surrogateescape")).digest()
    return float(int.from_bytes(digest[: _BITS // 8], "big") >> 11) / 2.0 ** (_BITS - 11)


def split_of(subject: str, *, settings: DataSettings) -> str:
    """Split of one subject: "train", "reference" or "test"."""
    group = next((g for g in settings.together if subject in g), (subject,))
    place = position(min(group))
    if settings.test_subjects:
        if set(group) & set(settings.test_subjects):
            return "test"
        place = settings.test_share + (1.0 - settings.test_share) * place  # never in the test share
    if place < settings.test_share:
        return "test"
    return "reference" if place < settings.test_share + settings.reference_share else "train"


def visits_of(visits: Sequence[Visit], *, split: str, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of one split, in their order.

    Raises:
        ConfigError: MS-355 another split, a named subject that is not there, or an empty split.
    """
    if split not in SPLITS:
        raise _wrong("split", f"{split!r} is no split", f"Use {', '.join(SPLITS)}")
    subjects = {visit.subject for visit in visits}
    named = {*settings.test_subjects, *(name for group in settings.together for name in group)}
    if named - subjects:
        missing = ", ".join(sorted(named - subjects)[:5])
        cause = f"subjects named in the configuration are not in the data: {missing}"
        shown = ", ".join(sorted(subjects)[:5])
        raise _wrong(str(settings.folder), cause, f"Give names as the layout has them: {shown}")
    chosen = tuple(v for v in visits if split_of(v.subject, settings=settings) == split)
    if not chosen:
        cause = f"none of its {len(subjects)} subjects falls into the {split} split"
        fix = "Raise test_share or reference_share, or name test_subjects"
        raise _wrong(str(settings.folder), cause, fix)
    return chosen


def _wrong(subject: str, cause: str, fix: str) -> ConfigError:
    return ConfigError(code="MS-355", subject=subject, cause=cause, fix=fix)
