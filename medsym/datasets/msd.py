"""The layout of the Medical Segmentation Decathlon: a dataset.json that lists images and labels.

Antonelli et al., The Medical Segmentation Decathlon, Nature Communications 13:4128 (2022),
doi:10.1038/s41467-022-30695-9. MONAI reads the list. One image file may hold several contrasts as
volumes of a 4-D array, which ``modality`` names; nnU-Net's variant, where they are files of their
own with ``_0000``, ``_0001`` at the end, is read too.
"""

import difflib
import json
from collections import Counter
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

from monai.data import load_decathlon_datalist

from medsym.datasets.nifti_files import scan_stem
from medsym.datasets.settings import DataSettings
from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError

LIST_FILE = "dataset.json"
_KEY = "training"


def msd_visits(folder: Path, *, settings: DataSettings) -> tuple[Visit, ...]:
    """Visits of a Decathlon folder: the entries of ``training``, sorted by file name.

    Every entry is one subject, since the format knows no persons: name those that belong to one
    person in ``data.together``. The entry may hold ``subject`` to say it itself.

    Args:
        folder: holds dataset.json.
        settings: contrasts (values of ``modality``, or its numbers).

    Raises:
        ConfigError: MS-344 a contrast that is not there, MS-350 dataset.json cannot be used.
    """
    source = folder / LIST_FILE
    try:
        content = json.loads(source.read_text(encoding="utf-8"))
        entries = load_decathlon_datalist(source, data_list_key=_KEY)
    except OSError as error:
        raise _unusable(source, f"cannot be read ({error.strerror})") from None
    except (ValueError, TypeError, AttributeError) as error:
        raise _unusable(source, f"is no list of training images ({error})") from None
    channels = _channels(content, source=source, contrasts=settings.contrasts)
    visits = [_visit(entry, channels=channels, source=source) for entry in entries]
    if not visits:
        raise _unusable(source, f"its list {_KEY!r} is empty")
    counts = Counter((visit.subject, visit.session) for visit in visits)
    twice = [subject for (subject, _), count in counts.items() if count > 1]
    if twice:
        raise _unusable(source, f"lists {twice[0]} more than once")
    return tuple(sorted(visits, key=lambda visit: (visit.subject, visit.session or "")))


def _unusable(source: Path, cause: str) -> ConfigError:
    return ConfigError(
        code="MS-350",
        subject=str(source),
        cause=cause,
        fix="Give a Decathlon dataset.json: training, a list of image and label, and modality",
    )


def _channels(
    content: Mapping[str, Any], *, source: Path, contrasts: Sequence[str]
) -> dict[str, int | None]:
    """Chosen contrasts and the volume of the image that each of them is; None: the only one."""
    modality = content.get("modality") or content.get("channel_names") or {"0": "scan"}
    if not isinstance(modality, dict) or not all(key.isdigit() for key in modality):
        raise _unusable(source, "modality does not map channel numbers to names")
    known: dict[str, int | None] = {str(name): int(key) for key, name in modality.items()}
    if len(known) < len(modality):
        raise _unusable(source, "modality gives two channels one name")
    if len(known) == 1:
        known = dict.fromkeys(known)  # an image of several volumes is then refused by its reader
    by_key = known | {key: known[str(name)] for key, name in modality.items()}
    for wanted in contrasts:
        if wanted not in by_key:
            near = difflib.get_close_matches(wanted, list(known), n=1, cutoff=0.0)[0]
            raise ConfigError(
                code="MS-344",
                subject=str(source),
                cause=f"no channel is called {wanted}",
                fix=f"did you mean '{near}'? Found: {', '.join(known)}",
            )
    return {wanted: by_key[wanted] for wanted in contrasts} if contrasts else known


def _visit(entry: Mapping[str, Any], *, channels: Mapping[str, int | None], source: Path) -> Visit:
    """One entry of the list."""
    image, label, subject = (entry.get(key) for key in ("image", "label", "subject"))
    if not isinstance(image, str) or not (label is None or isinstance(label, str)):
        cause = f"an entry names the image {image!r} and the label {label!r}, not one file each"
        raise _unusable(source, cause)
    path, mask = Path(image), Path(label) if label is not None else None
    if mask is not None and not mask.is_file():
        raise _unusable(source, f"lists {mask}, which is not there")
    scans = tuple(
        _scan(path, contrast=contrast, index=index, mask=mask, source=source)
        for contrast, index in sorted(channels.items())
    )
    stem = scan_stem(path)
    if isinstance(subject, str):
        return Visit(subject=subject, session=stem, scans=scans)
    return Visit(subject=stem, session=None, scans=scans)


def _scan(
    path: Path, *, contrast: str, index: int | None, mask: Path | None, source: Path
) -> VisitScan:
    """One contrast: a volume of the listed file, or nnU-Net's file of its own."""
    if path.is_file():
        return VisitScan(contrast=contrast, path=path, volume_index=index, mask=mask)
    stem = scan_stem(path)
    single = path.with_name(f"{stem}_{index or 0:04d}{path.name.removeprefix(stem)}")
    if not single.is_file():
        raise _unusable(source, f"lists {path}, which is not there")
    return VisitScan(contrast=contrast, path=single, mask=mask)
