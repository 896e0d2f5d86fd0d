"""screen and demo."""

import argparse
from pathlib import Path
from typing import TYPE_CHECKING, Literal

import medsym
from medsym import RESEARCH_USE_ONLY
from medsym.commands.console import (
    EXIT_OK,
    EXIT_REFUSED,
    ProgressLine,
    complain,
    say,
    stoppable,
)
from medsym.commands.scaling import fleet_of, model_device, shard_option
from medsym.commands.viewing import show
from medsym.errors import ConfigError, ScanError

if TYPE_CHECKING:
    from collections.abc import Sequence

    from medsym.screening.conclusion import ScreenOutcome
    from medsym.screening.entry import ScanEntry
    from medsym.screening.runner import ScreenOptions
    from medsym.screening.shards import Shard

SAMPLES = Path(medsym.__file__).resolve().parents[1] / "data_samples"  # of a clone
#: Cases that are not assessable and are said to be so one by one.
_SHOWN = 5


def screen(arguments: argparse.Namespace) -> int:
    """Screen scans into a folder."""
    say(RESEARCH_USE_ONLY)  # at once: loading takes seconds
    from medsym.screening.manifest import entries_of
    from medsym.screening.participants import with_table

    options = screen_options(arguments)
    say_passed_over(arguments.scans)
    return run(
        with_table(entries_of(arguments.scans), arguments.participants),
        arguments.out,
        model=arguments.model,
        options=options,
        scaling=arguments,
    )


def screen_options(arguments: argparse.Namespace) -> "ScreenOptions":
    """What ``add_screening_options`` read, checked.

    Raises:
        ConfigError: MS-340 size limit, MS-341 orientation, MS-507 calibration.
    """
    from medsym.calibration.store import load_calibration
    from medsym.inference.case import FALSE_ALARM_RATE, Options
    from medsym.screening.runner import ScreenOptions

    folder = getattr(arguments, "calibration", None)
    rate = getattr(arguments, "false_alarm_rate", None)
    return ScreenOptions(
        assume_orientation=_orientation(arguments.assume_orientation),
        volume_index=arguments.volume,
        max_gib=_size_limit(arguments.max_gib),
        allow_shear=arguments.allow_shear,
        replace=_replaces(arguments),
        analysis=Options(
            measure_defect=not arguments.single_pass,
            false_alarm_rate=FALSE_ALARM_RATE if rate is None else rate,
        ),
        calibration=None if folder is None else load_calibration(folder),
        device=arguments.device,
    )


def _replaces(arguments: argparse.Namespace) -> "Literal['never', 'outdated', 'all']":
    """What happens to earlier results; 'calibrate' has none and no such options."""
    if getattr(arguments, "recompute", False):
        return "all"
    return "outdated" if getattr(arguments, "overwrite", False) else "never"


def _orientation(codes: str | None) -> str | None:
    from medsym.volumes.affine_rules import ORIENTATIONS

    if codes is None or codes.upper() in ORIENTATIONS:
        return codes and codes.upper()
    raise ConfigError(
        code="MS-341",
        subject="--assume-orientation",
        cause=f"'{codes}' is not one of the 48 axis codes",
        fix="give the directions in which the voxel axes grow, such as RAS, LAS or LPS",
    )


def _size_limit(gib: float) -> float:
    if gib > 0:  # also refuses NaN
        return gib
    raise ConfigError(
        code="MS-340",
        subject="--max-gib",
        cause=f"{gib:g} is not a size",
        fix="give the largest accepted scan in GiB, such as 2",
    )


def demo(arguments: argparse.Namespace) -> int:
    """Screen the sample heads, then open the viewer."""
    say(RESEARCH_USE_ONLY)
    from medsym.screening.runner import ScreenOptions

    scans = sorted(samples_folder(arguments.out / "logs" / "samples").glob("*.nii.gz"))
    options = ScreenOptions(replace="outdated")
    code = run(scans, arguments.out, model=arguments.model, options=options)
    say("three of the heads were drawn with a lesion; the faint one of sub-subtle may be missed")
    if code == EXIT_OK and not arguments.no_view:
        return show(arguments.out, port=arguments.port)
    return code


def samples_folder(made_in: Path) -> Path:
    """Where the sample heads are: in the clone, or, without one, made in a folder."""
    if (SAMPLES / "CHECKSUMS.sha256").is_file():  # else it may be a folder of somebody else's
        return SAMPLES
    from medsym.synthesis.samples import write_samples

    say("making the sample heads")
    write_samples(made_in)
    return made_in


def run(
    inputs: "Sequence[Path | ScanEntry]",
    out: Path,
    *,
    model: Path | None,
    options: "ScreenOptions",
    scaling: argparse.Namespace | None = None,
    is_part: bool = False,
) -> int:
    """Screen entries, or what files, folders and tables hold; returns the exit code.

    Args:
        inputs: see ``entries_of_any``.
        out: output folder.
        model: model folder; by default the shipped one.
        options: what the user chose.
        scaling: with the options of ``add_scaling``; by default this process does it all.
        is_part: other runs may share the folder; see ``screen`` of the batch.
    """
    from medsym.models.store import load_model
    from medsym.screening.batch import screen as screen_scans
    from medsym.screening.manifest import entries_of_any

    entries = entries_of_any(inputs)
    if not entries:
        raise ScanError(
            code="MS-100",
            subject=", ".join(str(path) for path in inputs),
            cause="no scan was found there",
            fix="name scan files, a folder or ZIP file that holds *.nii or *.nii.gz, or a table",
        )
    shard = shard_option(scaling)
    mine = sum(1 for entry in entries if shard is None or shard.has(entry.name.case))
    say_columns(entries)
    progress = ProgressLine()
    device = options.device if scaling is None else model_device(scaling, num_scans=mine)
    with stoppable(), fleet_of(scaling, out, num_scans=mine, progress=progress) as fleet:
        outcome = screen_scans(
            entries,
            out,
            model=load_model(model, device=device),
            options=options,
            progress=progress,
            fleet=fleet,
            shard=shard,
            is_part=is_part,
        )
    return _say_how_it_went(outcome, out, shard=shard, tried=mine)


def say_passed_over(inputs: "Sequence[Path]") -> None:
    """How many ZIP files inside named folders are not read."""
    from medsym.screening.archives import is_archive
    from medsym.screening.inputs import visible_files

    folders = [path for path in inputs if path.is_dir()]
    passed = [path for folder in folders for path in visible_files(folder) if is_archive(path)]
    if passed:
        complain(
            f"{len(passed)} ZIP files in the named folders are not read ({passed[0].name}, ...): "
            "name them, too, if they hold scans"
        )


def say_columns(entries: "Sequence[ScanEntry]") -> None:
    """Which columns of the tables state something about the scans."""
    columns = sorted({column for entry in entries for column in entry.covariates})
    if columns:
        say(f"columns about the scans: {', '.join(columns)}")


def _say_how_it_went(
    outcome: "ScreenOutcome", out: Path, *, shard: "Shard | None", tried: int
) -> int:
    refused = f"{len(outcome.failures)} scans refused"
    if outcome.missing:
        others = ", ".join(map(str, outcome.missing[:10])) + ", ..." * (len(outcome.missing) > 10)
        say(
            f"shard {shard}: {tried} scans ({outcome.resumed} kept from before), {refused}; the "
            f"tables will be written when all shards are done (missing: {others})"
        )
    elif not outcome.has_tables:
        say(
            f"{tried} scans ({outcome.resumed} kept from before), {refused}; the level 'group' "
            "writes the tables"
        )
    elif outcome.failures and not outcome.records:
        say(f"no case in {out}, {refused}; {out / 'failures.tsv'} says why")
    else:
        withheld = [record for record in outcome.records if not record["assessable"]]
        for record in withheld[:_SHOWN]:
            say(f"not assessable: {record['case']}: {'; '.join(record['reasons'])}")
        say(
            f"{len(outcome.records)} cases in {out} ({outcome.resumed} kept from before, "
            f"{len(withheld)} not assessable), {refused}; open {out / 'index.html'}"
        )
    for error in outcome.damaged:
        complain(str(error))
    if outcome.twins:
        same = "; ".join(", ".join(cases) for cases in outcome.twins)
        complain(f"warning: the same scan was screened under several names: {same}")
    return EXIT_REFUSED if outcome.failures or outcome.damaged else EXIT_OK
