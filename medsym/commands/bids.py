"""bids: a BIDS App. Screens participants of a data set, then writes the pages of the group."""

import argparse
from pathlib import Path

from medsym import RESEARCH_USE_ONLY, __version__
from medsym.commands.arguments import add_screening_options
from medsym.commands.console import EXIT_OK, EXIT_REFUSED, complain, say
from medsym.commands.scaling import add_scaling
from medsym.commands.screening import run, screen_options
from medsym.errors import ConfigError, OutputError


def add_bids(parser: argparse.ArgumentParser) -> None:
    """Arguments of a BIDS App; labels with hyphens or, as in the specification, underscores."""
    version = f"medsym {__version__}"
    parser.add_argument("-v", "--version", action="version", version=version)
    parser.add_argument("bids_dir", type=Path, metavar="BIDS_DIR", help="root of the data set")
    parser.add_argument("output_dir", type=Path, metavar="OUT", help="folder of the derivatives")
    parser.add_argument(
        "analysis_level",
        choices=("participant", "group"),
        help="participant: screen scans; group: tables and page from what is in OUT, which a run "
        "with labels leaves to it, so that such runs may share OUT",
    )
    for what, prefix in (("participant", "sub-"), ("session", "ses-")):
        parser.add_argument(
            f"--{what}_label",
            f"--{what}-label",
            nargs="+",
            default=[],
            metavar="LABEL",
            help=f"only these {what}s, with or without {prefix}",
        )
    add_scaling(parser)
    add_screening_options(parser)


def bids(arguments: argparse.Namespace) -> int:
    """Screen a BIDS data set, or write what belongs to the whole group."""
    if arguments.analysis_level == "group":
        return _group(arguments)
    say(RESEARCH_USE_ONLY)
    from medsym.screening.bids import bids_entries
    from medsym.screening.participants import with_table

    root: Path = arguments.bids_dir
    options = screen_options(arguments)
    needs_tables = options.calibration is not None and options.calibration.columns
    entries = bids_entries(
        root,
        participants=arguments.participant_label,
        sessions=arguments.session_label,
        bad_table=None if needs_tables else lambda error: complain(f"warning: {error}"),
    )
    if not entries:
        raise ConfigError(
            code="MS-552",
            subject=str(root),
            cause="holds no scan that was asked for",
            fix="scans are files such as sub-01/anat/sub-01_T1w.nii.gz",
        )
    if arguments.output_dir.resolve() == root.resolve():
        raise ConfigError(
            code="MS-554",
            subject=str(arguments.output_dir),
            cause="is the data set itself",
            fix="choose another folder, such as derivatives/medsym in it",
        )
    is_part = bool(arguments.participant_label or arguments.session_label) and not arguments.shard
    _say_whose(arguments.output_dir, source=root, is_shared=is_part or bool(arguments.shard))
    return run(
        with_table(entries, arguments.participants),
        arguments.output_dir,
        model=arguments.model,
        options=options,
        scaling=arguments,
        is_part=is_part,
    )


def _say_whose(out: Path, *, source: Path, is_shared: bool) -> None:
    """Describe the output folder in its turn, so that no other run tidies what is half written."""
    from medsym.screening.description import write_description
    from medsym.screening.folder import open_folder
    from medsym.screening.shards import turn, whole_lock

    opened = open_folder(out)
    with turn(opened) if is_shared else whole_lock(opened):
        write_description(opened, source=source)


def _group(arguments: argparse.Namespace) -> int:
    from medsym.screening.conclusion import write_cohort
    from medsym.screening.folder import open_folder
    from medsym.screening.records import find_records
    from medsym.screening.shards import Tally, whole_lock

    if arguments.participant_label or arguments.session_label:
        raise ConfigError(
            code="MS-555",
            subject="--participant-label",
            cause="the group is everything in the folder",
            fix="leave labels out; they belong to the level 'participant'",
        )
    out: Path = arguments.output_dir
    if not find_records(out):
        raise OutputError(
            code="MS-154",
            subject=str(out),
            cause="holds no case",
            fix="run the level 'participant' first",
        )
    out = open_folder(out)
    with whole_lock(out):
        records, damaged = write_cohort(out, Tally(places={}, failures=[]))
    say(f"{len(records)} cases; open {out / 'index.html'}")
    for error in damaged:
        complain(str(error))
    return EXIT_REFUSED if damaged else EXIT_OK
