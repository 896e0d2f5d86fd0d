"""What the layouts of challenges share: files of one visit, chosen contrasts, one error each."""

import difflib
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path

from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError


def nothing_found(folder: Path, *, layout: str, example: str) -> ConfigError:
    """Error for a folder in which no file has the names of a layout."""
    return ConfigError(
        code="MS-343",
        subject=str(folder),
        cause=f"holds no scan with the names of {layout}",
        fix=f"Give the folder with files such as {example}, or another layout",
    )


def chosen_contrasts(
    present: Iterable[str], *, wanted: Sequence[str], folder: Path
) -> tuple[str, ...]:
    """Contrasts to use, in the spelling of the files; all that are present when none is wanted.

    Raises:
        ConfigError: MS-344 a wanted contrast is in no visit.
    """
    known = sorted(set(present))
    by_name = {name.casefold(): name for name in known}
    for name in wanted:
        if name.casefold() not in by_name:
            near = difflib.get_close_matches(name, known, n=1, cutoff=0.0)
            raise ConfigError(
                code="MS-344",
                subject=str(folder),
                cause=f"no scan has the contrast {name}",
                fix=f"did you mean '{near[0]}'? Found: {', '.join(known)}",
            )
    return tuple(by_name[name.casefold()] for name in wanted) if wanted else tuple(known)


def add_once(files: dict[str, Path], *, contrast: str, path: Path, visit: str) -> None:
    """Put a scan or mask among the files of a visit.

    Raises:
        ConfigError: MS-345 there is already one of this contrast.
    """
    first = files.setdefault(contrast, path)
    if first != path:
        raise ConfigError(
            code="MS-345",
            subject=str(path),
            cause=f"this file and {first} are both the {contrast} of {visit}",
            fix="Keep one of them in the folder of the data set",
        )


def build_visit(
    subject: str,
    session: str | None,
    *,
    files: Mapping[str, Path],
    contrasts: Sequence[str],
    mask: Path | None,
    drawn_on: tuple[str, ...] = (),
    stated_side: str | None = None,
) -> Visit:
    """A visit whose mask holds for all of its scans.

    Args:
        subject: who.
        session: which occasion.
        files: scan of each contrast.
        contrasts: those to use.
        mask: lesion mask.
        drawn_on: the contrasts that share the mask's grid, where others may lie differently.
        stated_side: as in `Visit`.
    """
    scans = tuple(
        VisitScan(
            contrast=contrast,
            path=files[contrast],
            mask=mask,
            drawn_on=drawn_on[0] if mask and drawn_on and contrast not in drawn_on else None,
        )
        for contrast in sorted(contrasts)
        if contrast in files
    )
    return Visit(subject=subject, session=session, scans=scans, stated_side=stated_side)
