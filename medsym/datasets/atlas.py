"""The layout of ATLAS v2.0: chronic strokes on T1w in a left-right symmetric template.

Liew et al., A large, curated, open-source stroke neuroimaging dataset, Scientific Data 9:320
(2022), doi:10.1038/s41597-022-01401-7. ``label-L`` in the mask's name means lesion, not left. The
table that comes with the images counts the lesions of each hemisphere; where all of them are in
one, the side of the mask is checked against it.
"""

import csv
import logging
import re
from collections import defaultdict
from collections.abc import Iterable, Mapping
from pathlib import Path

from medsym.datasets.challenge_folder import (
    add_once,
    build_visit,
    chosen_contrasts,
    nothing_found,
)
from medsym.datasets.nifti_files import nifti_files, scan_stem
from medsym.datasets.settings import DataSettings
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError

logger = logging.getLogger(__name__)

CONTRAST = "T1w"
_MASK = "mask"
_FILE = re.compile(
    r"sub-(?P<subject>r\d+s\d+)_ses-(?P<session>[A-Za-z0-9]+)(?P<middle>(?:_[a-z]+-[A-Za-z0-9]+)*)"
    r"_(?P<what>T1w|mask)"
)
_LESION = re.compile(r"_label-[A-Za-z0-9]+_desc-T1lesion")
_TABLE = "*MetaData*.csv"
_SIDES = {"lh": "left", "rh": "right"}
_Key = tuple[str, str]


def atlas_visits(folder: Path, *, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of an ATLAS v2.0 folder; those of its hidden test set have no mask.

    Args:
        folder: any folder above the ``sub-r...`` folders; the table is looked for in it.
        settings: contrasts: T1w.

    Raises:
        ConfigError: MS-343 no file of ATLAS, MS-344 another contrast than T1w, MS-345 two scans or
            masks of one session.
    """
    visits: dict[_Key, dict[str, Path]] = defaultdict(dict)
    for path in nifti_files(folder):
        match = _FILE.fullmatch(scan_stem(path))
        if match is None or (match["what"] == _MASK and not _LESION.search(match["middle"])):
            continue
        key = (f"sub-{match['subject']}", f"ses-{match['session']}")
        add_once(visits[key], contrast=match["what"], path=path, visit=" ".join(key))
    scans = {key: files for key, files in sorted(visits.items()) if CONTRAST in files}
    if not scans:
        example = "sub-r001s001_ses-1_space-MNI152NLin2009aSym_T1w.nii.gz"
        raise nothing_found(folder, layout="ATLAS v2.0", example=example)
    chosen = chosen_contrasts([CONTRAST], wanted=settings.contrasts, folder=folder)
    sides = _stated_sides(folder)
    if sides:
        logger.info("%s: one side stated for %d of %d visits", folder, len(sides), len(scans))
    return tuple(
        build_visit(
            *key,
            files=files,
            contrasts=chosen,
            mask=files.get(_MASK),
            stated_side=sides.get(key),
        )
        for key, files in scans.items()
    )


def _stated_sides(folder: Path) -> dict[_Key, str]:
    """Side of the visits all of whose lesions are in one hemisphere, from the table if there."""
    sides: dict[_Key, str] = {}
    for table in sorted(folder.glob(_TABLE)):
        try:
            with table.open(newline="", encoding="utf-8-sig") as file:
                rows = list(csv.DictReader(file))
        except (OSError, UnicodeDecodeError, csv.Error) as error:
            raise ConfigError(
                code="MS-350",
                subject=str(table),
                cause=f"cannot be read as a table ({error})",
                fix="Save it as CSV in UTF-8, or take it out of the folder",
            ) from None
        sides |= dict(_rows_with_one_side(rows))
    return sides


def _rows_with_one_side(rows: Iterable[Mapping[str, str]]) -> Iterable[tuple[_Key, str]]:
    for row in rows:
        columns = {name.strip().casefold(): value or "" for name, value in row.items() if name}
        subject, session = columns.get("subject id", ""), columns.get("session", "")
        counts = {"lh": 0.0, "rh": 0.0, "other": 0.0}
        for name, value in columns.items():
            place = next((p for p in counts if f"lesions {p} " in f"{name} "), None)
            if place is not None:
                counts[place] += float(value) if _is_number(value) else 0.0
        full = [place for place, count in counts.items() if count > 0.0]
        if len(full) == 1 and full[0] in _SIDES:
            key = (f"sub-{subject.removeprefix('sub-')}", f"ses-{session.removeprefix('ses-')}")
            yield key, _SIDES[full[0]]


def _is_number(text: str) -> bool:
    try:
        float(text)
    except ValueError:
        return False
    return True
