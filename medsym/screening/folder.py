"""The output folder: whose it is, that it can be written, and where its scans came from."""

from collections.abc import Mapping
from pathlib import Path

from medsym.errors import OutputError
from medsym.screening.description import DESCRIPTION, read_object
from medsym.screening.lock import CASE_LOCKS
from medsym.screening.records import find_records
from medsym.screening.table import TOP_FILES
from medsym.volumes.output_file import TEMPORARY
from medsym.volumes.writer import write_json


def open_folder(out: Path) -> Path:
    """Make an output folder if it is missing; returns it with links resolved.

    Raises:
        OutputError: MS-140 it cannot be written, MS-156 it holds files of another program.
    """
    try:
        _refuse_foreign(out)
        for folder in (out, out / "logs"):
            folder.mkdir(parents=True, exist_ok=True)
            probe = folder / ".medsym-probe"
            probe.write_bytes(b"")
            probe.unlink()
    except OSError as error:
        raise OutputError(
            code="MS-140",
            subject=str(out),
            cause=f"the output folder cannot be written ({error.strerror})",
            fix="choose another folder with --out, or free its space and permissions",
        ) from error
    return out.resolve()


def _refuse_foreign(out: Path) -> None:
    """Refuse a folder in which another program's tables, pages or data set would be replaced."""
    if (out / DESCRIPTION).exists():
        foreign = [] if _names_medsym(out / DESCRIPTION) else [DESCRIPTION]
    else:
        foreign = [name for name in TOP_FILES if (out / name).exists()]
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
    """Remove the passing files of writers that died; nobody else may be writing."""
    for path in (*out.rglob(TEMPORARY), *(out / "logs" / CASE_LOCKS).glob("*")):
        path.unlink(missing_ok=True)
