"""verify: is a result, model or calibration folder still what was written?"""

import argparse
from pathlib import Path
from typing import Literal

from medsym.commands.console import EXIT_OK, EXIT_REFUSED, complain, say
from medsym.errors import OutputError


def verify(arguments: argparse.Namespace) -> int:
    """Hash every file of every case again, and every file of a model folder.

    Tables and index of the cohort are made again from the cases and compared.
    """
    from medsym.calibration.store import MANIFEST as CALIBRATION
    from medsym.calibration.store import is_unfinished
    from medsym.screening.conclusion import cases_beside_tables
    from medsym.screening.records import find_records

    folder: Path = arguments.folder
    if (folder / "manifest.json").is_file():
        from medsym.inference.case import reference_of
        from medsym.models.store import load_model

        model = load_model(folder)
        reference_of(model)
        say(f"model {model.manifest.get('name')}: hashes, tensors and self-test agree")
        return EXIT_OK
    if (folder / CALIBRATION).is_file() or is_unfinished(folder):
        return _verify_calibration(folder)
    paths = find_records(folder)
    if not paths:
        raise OutputError(
            code="MS-154",
            subject=str(folder),
            cause="holds no case, no model and no calibration",
            fix="name an output folder of 'medsym screen' or 'calibrate', or a model folder",
        )
    states = [_state(path, out=folder) for path in paths]
    lost, unlisted = cases_beside_tables(folder)
    for case in lost:
        complain(f"missing: the record of {case}, which the tables list")
    if unlisted:
        complain(
            f"the tables do not list {len(unlisted)} cases ({', '.join(unlisted[:3])}, ...): a run "
            "is going on, or was cut off; the same command again goes on and writes the tables "
            "(after 'medsym bids' with labels: the level 'group' does)"
        )
    if unread := states.count("unreadable"):
        complain(f"tables and index were not compared: {unread} records cannot be read")
    altered = not (unread or lost or unlisted) and _says_altered(folder)
    say(f"{states.count('intact')} of {len(paths) + len(lost)} cases are intact")
    is_bad = set(states) != {"intact"} or lost or unlisted or altered
    return EXIT_REFUSED if is_bad else EXIT_OK


def _verify_calibration(folder: Path) -> int:
    """Hash the tensors and the manifest of a calibration again."""
    from medsym.calibration.store import PASSING, is_unfinished, load_calibration

    if is_unfinished(folder):
        complain(f"{folder}: the calibration was cut off; the same command again goes on")
        return EXIT_REFUSED
    found = load_calibration(folder)
    people = found.counts.get("people")
    say(f"calibration {found.name} of {people} people: hashes and maps agree")
    if (folder / PASSING).is_dir():
        complain(f"{folder / PASSING} is left over and says how each scan deviates: remove it")
    return EXIT_OK


def _says_altered(folder: Path) -> bool:
    """Whether tables or index are not what the cases give; says which."""
    from medsym import __version__
    from medsym.screening.conclusion import altered_tables
    from medsym.screening.description import version_of

    made_by = version_of(folder)
    if made_by != __version__:
        say(f"tables and index were not compared: they are of medsym {made_by or 'unknown'}")
        return False
    names = altered_tables(folder)
    for name in names:
        complain(f"{name} is not what the cases give")
    if names:
        complain("screening into the folder again, or 'medsym bids ... group', writes them anew")
    return bool(names)


def _state(record: Path, *, out: Path) -> Literal["intact", "damaged", "unreadable"]:
    """Whether a case is as it was written; says what is wrong."""
    from medsym.screening.records import damaged_files, read_record

    try:
        wrong = damaged_files(read_record(record), out=out)
    except OutputError as error:
        complain(str(error))
        return "unreadable"
    for name in wrong:
        complain(f"damaged or missing: {name}")
    return "damaged" if wrong else "intact"
