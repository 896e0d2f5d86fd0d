"""What the masks of a prepared data set hold, said before training starts.

A cohort whose lesions are nearly all on one side teaches a network that this side is the diseased
one, unless it is symmetric; a list of labels that fits no mask teaches it that nobody is ill.
"""

import re
from collections.abc import Callable, Sequence
from statistics import median

from medsym.datasets.cache import Request, facts
from medsym.datasets.settings import DataSettings
from medsym.errors import ConfigError

_SHOWN = 6
_NUMBER = re.compile(r"\d+(\.\d+)?")


def tell_contents(
    requests: Sequence[Request], *, settings: DataSettings, report: Callable[[str], None]
) -> None:
    """Report volumes, sides and remarks of the masks in use.

    Args:
        requests: prepared scans.
        settings: cache and labels.
        report: receives the lines.

    Raises:
        ConfigError: MS-357 no mask holds one of lesion_labels.
    """
    assert settings.cache is not None, "the settings demand a cache for every layout"
    known = [facts(request, folder=settings.cache) for request in requests]
    masks = [about for about in known if about.has_mask]
    lesions = [about for about in masks if about.lesion_ml > 0.0]
    if masks and not lesions and settings.lesion_labels:
        raise ConfigError(
            code="MS-357",
            subject="data.lesion_labels",
            cause=f"none of {len(masks)} masks holds one of {list(settings.lesion_labels)}",
            fix="Correct lesion_labels, or leave it empty to take everything above 0",
        )
    if lesions:
        left, right = (sum(getattr(a, f"{s}_ml") for a in lesions) for s in ("left", "right"))
        share = 100.0 * left / max(left + right, 1e-9)
        report(
            f"lesions in {len(lesions)} of {len(masks)} masks, median "
            f"{median(about.lesion_ml for about in lesions):.1f} ml, {share:.0f} % of the volume "
            "on the patients' left"
        )
    kinds: dict[str, list[str]] = {}
    for note in (note for about in known for note in about.notes):
        kinds.setdefault(_NUMBER.sub("#", note), []).append(note)
    for alike in sorted(kinds.values(), key=len, reverse=True)[:_SHOWN]:
        others = " and the like" if len(set(alike)) > 1 else ""
        report(f"{len(alike)} of {len(known)} scans: {alike[0]}{others}")
