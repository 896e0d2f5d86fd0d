"""The output folder: whose it is, that it can be written, and where its scans came from."""

from collections.abc import Mapping
from contextlib import suppress
from pathlib import Path

from medsym.errors import OutputError
from medsym.screening.description import DESCRIPTION, read_object
from medsym.screening.lock import CASE_LOCKS, CASE_SUFFIX, STALE_SECONDS, age_s, case_lock
from medsym.screening.records import find_records
from medsym.screening.table import TOP_FILES
from medsym.volumes.output_file import TEMPORARY, writable_folder
from medsym.volumes.writer import write_json


def open_folder(out: Path) -> Path:
    """Make an output folder if it is missing; returns it with links resolved.

    Raises:
        OutputError: MS-140 it cannot be written, MS-156 it holds files of another program.
    """
    _refuse_foreign(out)
    for folder in (out, out / "logs"):
        writable_folder(folder)
    return out.resolve()


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder in which another program's tables, pages or data set would be replaced."""
    foreign = [name for name in TOP_FILES if (out / name).exists()]
    if (out / DESCRIPTION).exists():  # looked for last: runs that start together write it first
        foreign = [] if _names_medsym(out / DESCRIPTION) else [DESCRIPTION]
    if foreign and (foreign == [DESCRIPTION] or not find_records(out)):
        raise OutputError(
            code="MS-156",
            subject=str(out),
            cause=f"the folder holds {foreign[0]} that medsym did not write",
            fix="choose a new or empty folder with --out",
        )


def _names_medsym(path: Path) -> bool:
    described = read_object(path)
    makers = described.get("GeneratedBy")
    return isinstance(makers, list) and any(
        isinstance(maker, dict) and maker.get("Name") == "medsym" for maker in makers
    )


def remember_sources(out: Path, places: Mapping[str, str]) -> None:
    """Where scans lie, for the viewer on this site; never part of case.json.

    Args:
        out: output folder.
        places: case -> absolute path of its scan file.
    """
    sources = out / "logs" / "sources.json"
    known = read_object(sources)
    if any(known.get(case) != place for case, place in places.items()):
        write_json(sources, {**known, **places})


def remove_leftovers(out: Path) -> None:
    """Remove the passing files of writers that died.

    The caller holds the folder; workers whose run died may go on with a case (jobs of a cluster do)
    and keep its lock file and whatever belongs to its subject or lies at the top.
    """
    passing = list(out.rglob(TEMPORARY))  # before the locks: who is free then left it behind
    locks = out / "logs" / CASE_LOCKS
    busy = {path.stem for path in locks.glob(f"*{CASE_SUFFIX}") if _is_held(out, path.stem)}
    subjects = {case.partition("_")[0] for case in busy}
    for path in passing:
        top = path.relative_to(out).parts[0]
        if not busy or (top.startswith("sub-") and top not in subjects):
            path.unlink(missing_ok=True)
    for path in locks.glob("*.takeover"):  # held for a moment only
        with suppress(FileNotFoundError):
            if age_s(path) > STALE_SECONDS:
                path.unlink()


def _is_held(out: Path, case: str) -> bool:
    """Whether a worker has a case; the lock file of a dead one is removed."""
    try:
        with case_lock(out, case, wait_s=0.0):
            return False
    except OutputError:
        return True
