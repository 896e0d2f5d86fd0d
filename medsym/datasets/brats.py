"""The layouts of the brain tumour segmentation challenges, one folder per visit.

Menze et al., BraTS, IEEE TMI 34(10), 2015, doi:10.1109/TMI.2014.2377694; file names as released
from 2017 on: ``BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1c.nii.gz`` since 2023 and
``BraTS20_Training_001/BraTS20_Training_001_t1ce.nii`` before. The last number of a name of the
newer kind, and of 2017 to 2019, counts the visits of one patient.
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
from medsym.errors import ConfigError

_CONTRASTS = ("t1n", "t1c", "t2w", "t2f", "t1", "t1ce", "t2", "flair")
_MASK = "seg"
_FILE = re.compile(
    rf"(?P<visit>brats.+?)[-_](?P<what>{'|'.join((*_CONTRASTS, _MASK))})", re.IGNORECASE
)
_VISITS_COUNTED = re.compile(
    r"(?P<subject>BraTS-[A-Za-z]+-\d+|Brats1[789]_.+)[-_](?P<session>\d+)", re.IGNORECASE
)


def brats_visits(folder: Path, *, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of a BraTS folder, training and validation parts alike.

    The lesion is the whole tumour, every label above 0, unless ``lesion_labels`` says otherwise.

    Args:
        folder: holds the folders of the visits, directly or further below.
        settings: contrasts, such as t1c or flair.

    Raises:
        ConfigError: MS-343 no BraTS file, MS-344 a contrast that is not there, MS-345 two files of
            one contrast, MS-346 a mask under another name.
    """
    visits: dict[str, dict[str, Path]] = defaultdict(dict)
    strangers: dict[Path, Path] = {}
    for path in nifti_files(folder):
        match = _FILE.fullmatch(scan_stem(path))
        if match is None:
            strangers[path.parent] = path
        else:
            what = match["what"].lower()
            add_once(visits[match["visit"]], contrast=what, path=path, visit=match["visit"])
    if not visits:
        example = "BraTS-GLI-00000-000/BraTS-GLI-00000-000-t1c.nii.gz"
        raise nothing_found(folder, layout="BraTS", example=example)
    present = {what for files in visits.values() for what in files} - {_MASK}
    contrasts = chosen_contrasts(present, wanted=settings.contrasts, folder=folder)
    for name, files in visits.items():
        _refuse_misnamed(name, files, strangers)
    return tuple(
        build_visit(
            *_patient(name), files=visits[name], contrasts=contrasts, mask=visits[name].get(_MASK)
        )
        for name in sorted(visits)
    )


def _patient(visit: str) -> tuple[str, str | None]:
    """Patient and visit number of a folder's name.

    Example:
        >>> _patient("BraTS-GLI-00005-100"), _patient("BraTS20_Training_001")
        (('BraTS-GLI-00005', '100'), ('BraTS20_Training_001', None))
    """
    match = _VISITS_COUNTED.fullmatch(visit)
    return (match["subject"], match["session"]) if match else (visit, None)


def _refuse_misnamed(name: str, files: dict[str, Path], strangers: dict[Path, Path]) -> None:
    """A visit without mask beside a file of another name: BraTS20_Training_355 came like that."""
    stranger = strangers.get(next(iter(files.values())).parent)
    if _MASK in files or stranger is None:
        return
    raise ConfigError(
        code="MS-346",
        subject=str(stranger),
        cause=f"has no name of BraTS, and {name} has no mask",
        fix=f"If it is the mask, name it {name}_seg; else take it out of the folder",
    )
