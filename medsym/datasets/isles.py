"""The layout of ISLES'22: acute strokes with DWI, ADC and FLAIR, masks under derivatives.

Hernandez Petzsche et al., ISLES 2022, Scientific Data 9:762 (2022), doi:10.1038/s41597-022-01875-5.
The masks were drawn on the diffusion images. The FLAIR is another grid and was not registered to
them, so a mask reaches it through the scanner's coordinates only.
"""

import re
from collections import defaultdict
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

_MASK = "msk"
_DRAWN_ON = ("dwi", "adc")  # one acquisition, one grid
_FILE = re.compile(
    r"(?P<subject>sub-stroke[A-Za-z]*\d+)_(?P<session>ses-\d+)_(?P<what>dwi|adc|flair|msk)",
    re.IGNORECASE,
)


def isles_visits(folder: Path, *, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of an ISLES'22 folder.

    Args:
        folder: the folder with sub-strokecase0001 and so on, or any folder above it.
        settings: contrasts: dwi, adc, flair.

    Raises:
        ConfigError: MS-343 no file of ISLES, MS-344 a contrast that is not there, MS-345 two files
            of one contrast.
    """
    visits: dict[tuple[str, str], dict[str, Path]] = defaultdict(dict)
    for path in nifti_files(folder):
        match = _FILE.fullmatch(scan_stem(path))
        if match is not None:
            key = (match["subject"], match["session"])
            what = match["what"].lower()
            add_once(visits[key], contrast=what, path=path, visit=" ".join(key))
    present = {what for files in visits.values() for what in files} - {_MASK}
    if not present:
        example = "sub-strokecase0001/ses-0001/dwi/sub-strokecase0001_ses-0001_dwi.nii.gz"
        raise nothing_found(folder, layout="ISLES'22", example=example)
    contrasts = chosen_contrasts(present, wanted=settings.contrasts, folder=folder)
    found = []
    for (subject, session), files in sorted(visits.items()):
        mask = files.get(_MASK)
        visit = build_visit(
            subject, session, files=files, contrasts=contrasts, mask=mask, drawn_on=_DRAWN_ON
        )
        found.append(visit)
    return tuple(found)
