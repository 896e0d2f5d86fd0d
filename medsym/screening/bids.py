"""The scans of a BIDS data set as entries, with the columns of its tables as covariates.

Only raw scans of the head count: T1w, T2w, PDw, FLAIR, T2starw and CT below a folder sub-<label>.
Masks and labels among them are passed over, whatever else their names say. Hidden folders,
derivatives, sourcedata and code are not searched. BIDS: Gorgolewski et al., Scientific Data
3:160044 (2016), doi:10.1038/sdata.2016.44.
"""

import difflib
import os
from collections import Counter
from collections.abc import Callable, Iterable, Sequence
from dataclasses import replace
from pathlib import Path

from medsym.datasets.bids import KNOWN_CONTRASTS, NOT_RAW
from medsym.datasets.bids_mask import MASK_SUFFIXES
from medsym.datasets.bids_name import BidsName, parse_name
from medsym.datasets.nifti_files import scan_stem
from medsym.errors import ConfigError, ScanError
from medsym.screening.entry import ScanEntry
from medsym.screening.inputs import expand_scans, leads_to_no_folder
from medsym.screening.manifest import unopened_entry
from medsym.screening.naming import name_of, stated_name
from medsym.screening.participants import Covariates, read_participants

#: Parts of a complex image that show no anatomy by themselves.
_MAGNITUDE = frozenset({None, "mag"})
_SUFFIXES = frozenset(suffix.casefold() for suffix in KNOWN_CONTRASTS)
#: Other suffixes of images in the folders anat of BIDS 1.10: named rightly, and not screened.
_OTHER_SUFFIXES = frozenset(
    "2PE angio BF BlockfaceImage Chimap CONF CARS DF FLASH FLUO inplaneT1 inplaneT2 IRT1 "
    "M0map MEGRE MESE MP2RAGE MPE MPM MTR MTRmap MTS MTsat MTVmap MWFmap NLO OCT PC PD PDmap "
    "PDT2 PLI R1map R2map R2starmap RB1map S0map SEM SPIM SR T1map T1rho T2map T2star "
    "T2starmap TB1map TEM UNIT1 uCT VFA defacemask".casefold().split()
)


def bids_entries(
    root: Path,
    *,
    participants: Sequence[str] = (),
    sessions: Sequence[str] = (),
    bad_table: Callable[[ConfigError], None] | None = None,
) -> tuple[ScanEntry, ...]:
    """Scans of the chosen participants and sessions; all of them if none is named.

    A file that is named as no scan can be, or as another participant's, is an entry with a refusal.

    Args:
        root: folder that holds sub-<label> folders.
        participants: labels, with or without "sub-".
        sessions: labels, with or without "ses-".
        bad_table: told about participants.tsv or a table of sessions that cannot be used; nothing
            is known from it then. By default that is an error.

    Raises:
        ConfigError: MS-550 no BIDS data set, MS-551 a label that is not there, MS-552 a chosen
            participant without a scan, MS-509 a table that cannot be used.
    """
    folders = {folder.name: folder for folder in _subjects(root)}
    chosen = _chosen(participants, there=folders, prefix="sub-", root=root)
    found = {name: _scans(folders[name], root=root) for name in chosen}
    wanted = {name.removeprefix("ses-") for name in sessions}
    if wanted:
        there = {f"ses-{n.session}" for names, _ in found.values() for n in names if n.session}
        _chosen(sessions, there=there, prefix="ses-", root=root)
    known = _known(root / "participants.tsv", prefix="sub-", bad_table=bad_table)
    entries: list[ScanEntry] = []
    for label, (names, refused) in found.items():
        taken = [name for name in names if not wanted or name.session in wanted]
        if participants and not taken and not refused:
            raise ConfigError(
                code="MS-552",
                subject=str(folders[label]),
                cause="holds no scan that was asked for",
                fix=f"choose another participant; scans end in {', '.join(sorted(_shown()))}",
            )
        table = folders[label] / f"{label}_sessions.tsv"
        of_visits = _known(table, prefix="ses-", bad_table=bad_table)
        about = known.get(label.removeprefix("sub-"), {})
        of_label = [_entry(n, about=about, of_visits=of_visits) for n in taken] + refused
        entries += [replace(entry, origin=folders[label]) for entry in of_label]
    return tuple(entries)


def _known(
    table: Path, *, prefix: str, bad_table: Callable[[ConfigError], None] | None
) -> dict[str, Covariates]:
    """What a table says, if it is there."""
    if not os.path.isfile(table):  # noqa: PTH113 - never raises
        return {}
    try:
        return read_participants(table, prefix=prefix)
    except ConfigError as error:
        if bad_table is None:
            raise
        bad_table(error)
        return {}


def _shown() -> set[str]:
    return {suffix for suffix in KNOWN_CONTRASTS if suffix != "CT"}


def _subjects(root: Path) -> list[Path]:
    folders = sorted(root.glob("sub-*")) if root.is_dir() else []
    folders = [path for path in folders if path.is_dir() or leads_to_no_folder(path)]
    if not folders:
        raise ConfigError(
            code="MS-550",
            subject=str(root),
            cause="holds no folder sub-<label>" if root.is_dir() else "is not a folder",
            fix="give the root of a BIDS data set; plain files and folders go to 'medsym screen'",
        )
    return folders


def _chosen(labels: Sequence[str], *, there: Iterable[str], prefix: str, root: Path) -> list[str]:
    """Names with prefix of the labels, in the order given; all there are if none is given."""
    names = sorted(there)
    wanted = [prefix + label.removeprefix(prefix) for label in labels]
    missing = [name for name in wanted if name not in names]
    if missing:
        near = difflib.get_close_matches(missing[0], names, n=1, cutoff=0.0)
        raise ConfigError(
            code="MS-551",
            subject=str(root),
            cause=f"there is no {missing[0]}",
            fix=f"did you mean '{near[0].removeprefix(prefix)}'?" if near else "leave it out",
        )
    return list(dict.fromkeys(wanted)) or names


def _scans(folder: Path, *, root: Path) -> tuple[list[BidsName], list[ScanEntry]]:
    """Scans of one participant, and what looks like scans and is named wrongly or unreadable."""
    if leads_to_no_folder(folder):
        return [], [unopened_entry(folder, place=folder.relative_to(root))]
    good: list[BidsName] = []
    unopened: list[Path] = []
    refused: list[ScanEntry] = []
    for path in expand_scans([folder], unopened=unopened):
        inside = path.relative_to(folder).parts[:-1]
        if NOT_RAW & set(inside) or _is_mask(path):
            continue
        name = parse_name(path)
        problem = _problem(name, path=path, folder=folder)
        if problem:
            refused.append(_refused(path, problem, root=root))
        elif name is not None and _is_scan(name):
            good.append(name)
    counts = Counter(name_of(name.path).case.casefold() for name in good)
    clashing = [name for name in good if counts[name_of(name.path).case.casefold()] > 1]
    refused += [_refused(n.path, "another file has the same name", root=root) for n in clashing]
    refused += [unopened_entry(place, place=place.relative_to(root)) for place in unopened]
    return [name for name in good if name not in clashing], refused


def _is_mask(path: Path) -> bool:
    """Whether the end of a name, its suffix, says that the file is a mask or holds labels."""
    _, mark, suffix = scan_stem(path).rpartition("_")
    return bool(mark) and suffix.casefold() in MASK_SUFFIXES


def _is_scan(name: BidsName) -> bool:
    return name.suffix.casefold() in _SUFFIXES and name.entities.get("part") in _MAGNITUDE


def _problem(name: BidsName | None, *, path: Path, folder: Path) -> str:
    """What is wrong with the name of a scan; nothing for whatever is no scan at all."""
    place = path.parent.name
    is_expected = place in ("anat", folder.name) or place.startswith("ses-")  # not in dwi, func
    if name is None:
        return "its name is not as BIDS says" if is_expected else ""
    if name.made_from is not None and name.made_from.casefold() in _SUFFIXES:
        return f"the suffix {name.made_from} stands in the middle of its name"
    if not _is_scan(name):
        return _unknown(name.suffix) if is_expected else ""
    if f"sub-{name.subject}" != folder.name:
        return f"its name says sub-{name.subject}, its folder {folder.name}"
    visits = [part for part in path.relative_to(folder).parts[:-1] if part.startswith("ses-")]
    if visits != ([f"ses-{name.session}"] if name.session else []):
        return f"its name and its folder {'/'.join(visits) or folder.name} state other sessions"
    return "" if name_of(path).case.endswith(f"_{name.suffix}") else "its name is not as BIDS says"


def _unknown(suffix: str) -> str:
    """What is wrong with a suffix beside scans; nothing if BIDS knows it."""
    if suffix.casefold() in _OTHER_SUFFIXES | _SUFFIXES:
        return ""
    near = difflib.get_close_matches(suffix, sorted(_shown()), n=1)
    meant = f" (did you mean {near[0]}?)" if near else ""
    return f"BIDS knows no suffix {suffix} of an anatomical scan{meant}"


def _refused(path: Path, problem: str, *, root: Path) -> ScanEntry:
    place = path.relative_to(root)
    refusal = ScanError(
        code="MS-553",
        subject=str(place),
        cause=problem,
        fix="name it as in sub-01_ses-1_run-1_T1w.nii.gz; it was not screened",
    )
    return ScanEntry(path=path, name=stated_name(place.as_posix()), refusal=refusal)


def _entry(name: BidsName, *, about: Covariates, of_visits: dict[str, Covariates]) -> ScanEntry:
    """One scan; what is stated of the session goes before what is stated of the participant."""
    visit = of_visits.get(name.session or "", {})
    return ScanEntry(path=name.path, name=name_of(name.path), covariates={**about, **visit})
