"""calibrate: what healthy people look like at a site, for screen --calibration."""

import argparse
from dataclasses import replace
from pathlib import Path
from typing import TYPE_CHECKING, Any

from medsym.commands.console import (
    EXIT_OK,
    EXIT_REFUSED,
    EXIT_UNFINISHED,
    ProgressLine,
    complain,
    say,
    show,
    stoppable,
)
from medsym.commands.scaling import fleet_of, model_device
from medsym.commands.screening import say_columns, say_passed_over, screen_options
from medsym.errors import ConfigError

if TYPE_CHECKING:
    from medsym.calibration.calibration import Calibration
    from medsym.calibration.checks import CalibrationSettings
    from medsym.models.store import LoadedModel
    from medsym.screening.calibrating import Measured
    from medsym.screening.entry import ScanEntry
    from medsym.screening.runner import ScreenOptions


def calibrate(arguments: argparse.Namespace) -> int:
    """Measure healthy scans, calibrate on them, and say how well it holds."""
    from medsym.calibration.building import build_calibration
    from medsym.calibration.checks import check_people
    from medsym.calibration.store import save_calibration
    from medsym.models.store import load_model
    from medsym.screening.calibrating import calibration_folder, people_of
    from medsym.screening.measured_scan import remove_passing
    from medsym.screening.records import model_identity

    settings = _settings(arguments)
    entries = _entries(arguments)
    check_people(people_of(entries), settings, folds=arguments.cross_validate)
    say_passed_over(arguments.scans)
    say_columns(entries)
    options = screen_options(arguments)
    model = load_model(arguments.model, device=model_device(arguments, num_scans=len(entries)))
    with stoppable(), calibration_folder(arguments.out) as passing:
        measured = _measured(entries, passing, model=model, options=options, arguments=arguments)
        if measured.failed:
            return _say_failed(measured, num_scans=len(entries))
        made = build_calibration(
            measured.scans,
            settings,
            model=model_identity(model),
            left_out=len(measured.left_out),
            options=options.fingerprint(),
        )
        judged = _cross_validated(made, measured, folds=arguments.cross_validate, settings=settings)
        written = save_calibration(arguments.out, judged)
        try:
            remove_passing(arguments.out)
        finally:
            _report(written, arguments=arguments)
    say(f"calibration in {arguments.out}: medsym screen SCANS --calibration {arguments.out}")
    return EXIT_REFUSED if measured.left_out else EXIT_OK


def _measured(
    entries: "tuple[ScanEntry, ...]",
    passing: Path,
    *,
    model: "LoadedModel",
    options: "ScreenOptions",
    arguments: argparse.Namespace,
) -> "Measured":
    """What was measured by the workers that were asked for; says what is left out."""
    from medsym.screening.calibrating import measure_healthy

    progress = ProgressLine()
    with fleet_of(arguments, passing, num_scans=len(entries), progress=progress) as fleet:
        measured = measure_healthy(
            entries, passing, model=model, options=options, progress=progress, fleet=fleet
        )
    for case, sentence in measured.left_out:
        complain(f"left out: {case}: {sentence}")
    return measured


def _say_failed(measured: "Measured", *, num_scans: int) -> int:
    """Say that people would be left out by chance, so that there is no calibration yet."""
    for case, sentence in measured.failed:
        complain(f"not measured: {case}: {sentence}")
    complain(
        f"no calibration was written: {len(measured.failed)} of {num_scans} scans failed for "
        "reasons that are not theirs. What was measured is kept: run the same command again, or "
        "leave out by name what fails every time"
    )
    return EXIT_UNFINISHED


def _settings(arguments: argparse.Namespace) -> "CalibrationSettings":
    from medsym.calibration.checks import CalibrationSettings
    from medsym.calibration.groups import GroupColumn

    return CalibrationSettings(
        name=arguments.name or f"healthy scans ({arguments.out.name})",
        group_by=tuple(GroupColumn.parse(text) for text in arguments.group_by),
        adjust=tuple(arguments.adjust),
        minus_mean=arguments.minus_mean,
    )


def _cross_validated(
    made: "Calibration", measured: "Measured", *, folds: int | None, settings: "CalibrationSettings"
) -> "Calibration":
    """The calibration with how often its people are flagged when they are left out, if asked."""
    from medsym.calibration.cross_validation import cross_validate

    if folds is None:
        return made
    try:
        found = cross_validate(measured.scans, settings, folds=folds, model=made.model)
    except ConfigError as error:  # scans that were left out may leave too few people
        complain(f"no cross-validation, the calibration is written all the same: {error}")
        return made
    return replace(made, cross_validation=found)


def _report(calibration: "Calibration", *, arguments: argparse.Namespace) -> None:
    """Tables on the terminal, the same numbers in a file if one was asked for."""
    from medsym.calibration.table import cross_validation_table, threshold_table

    numbers: dict[str, Any] = {"calibration": _summary(calibration)}
    tables = [threshold_table(calibration)]
    if calibration.cross_validation is not None:
        numbers["cross_validation"] = calibration.cross_validation
        tables.append(cross_validation_table(calibration.cross_validation))
    show("\n\n".join(tables), numbers=numbers, path=arguments.json)


def _entries(arguments: argparse.Namespace) -> "tuple[ScanEntry, ...]":
    from medsym.screening.manifest import entries_of
    from medsym.screening.participants import with_table

    entries = entries_of(arguments.scans)
    if not entries:
        raise ConfigError(
            code="MS-503",
            subject=", ".join(str(path) for path in arguments.scans),
            cause="no NIfTI scan was found there",
            fix="name scan files, a folder that holds them, or a table with the column 'scan'",
        )
    return with_table(entries, arguments.participants)


def _summary(calibration: "Calibration") -> dict[str, Any]:
    return {
        "name": calibration.name,
        "sha256": calibration.sha256,
        "model": dict(calibration.model),
        "counts": dict(calibration.counts),
        "minus_mean": calibration.minus_mean,
        "mean_p_value": calibration.mean_p_value,
        "thresholds": calibration.thresholds(),
    }
