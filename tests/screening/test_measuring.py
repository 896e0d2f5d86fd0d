"""Measuring healthy scans: whoever does it, and however often it is cut off, the same comes out."""

import os
import signal
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path

import pytest

from medsym.calibration.store import (
    MANIFEST,
    PASSING,
    TENSORS,
    check_free,
    is_unfinished,
    save_calibration,
)
from medsym.inference.case import Options
from medsym.screening.calibrating import Measured, measure_healthy
from medsym.screening.entry import ScanEntry
from medsym.screening.measured_scan import (
    MeasuredScan,
    measured_path,
    read_measured,
    remove_passing,
    write_measured,
)
from medsym.screening.measuring import HealthyRunner
from medsym.screening.progress import Progress
from medsym.screening.runner import ScreenOptions
from medsym.screening.workers.pool import WorkerPool
from medsym.screening.workers.supervise import Fleet
from tests.builders_case import flat_reference
from tests.screening.healthy_cohort import Cohort, calibration_of, cohort, entries_with_rows
from tests.screening.workers.forked import forked
from tests.screening.workers.quick_work import quick_task

__all__ = ["cohort"]

pytestmark = pytest.mark.usefixtures("known_plane")


@pytest.mark.skipif(not hasattr(os, "fork"), reason="kills a forked process")
def test_a_killed_measurement_goes_on_with_workers_and_gives_the_same_calibration(
    cohort: Cohort, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    whole, model, scans = cohort
    monkeypatch.setattr("medsym.screening.calibrating.reference_of", lambda _: flat_reference())
    told: list[tuple[str, str]] = []

    def measure(tell: Callable[[Progress], None], fleet: Fleet | None = None) -> Measured:
        return measure_healthy(
            entries_with_rows(scans),
            tmp_path / PASSING,
            model=model,
            options=ScreenOptions(),
            progress=tell,
            fleet=fleet,
        )

    def die(progress: Progress) -> None:
        if (progress.name, progress.stage) == ("sub-1_T1w", "write"):
            os.kill(os.getpid(), signal.SIGKILL)

    assert forked(lambda: measure(die))
    assert is_unfinished(tmp_path)
    check_free(tmp_path)  # what was left behind is ours
    with WorkerPool(1) as pool:
        fleet = Fleet(executor=pool, work=quick_task, at_once=2)
        found = measure(lambda progress: told.append((progress.name, progress.stage)), fleet)
    assert ("sub-0_T1w", "resumed") in told
    assert ("sub-1_T1w", "done") in told
    assert found.left_out == whole.left_out
    saved = []
    for name, measured in (("one", whole), ("two", found)):
        save_calibration(tmp_path / name, calibration_of(measured))
        saved.append([(tmp_path / name / file).read_bytes() for file in (MANIFEST, TENSORS)])
    assert saved[0] == saved[1]
    remove_passing(tmp_path)
    assert not is_unfinished(tmp_path)


def test_what_was_measured_counts_only_for_the_same_scan_options_and_whole_files(
    cohort: Cohort, tmp_path: Path
) -> None:
    _, model, scans = cohort
    entry = entries_with_rows(scans)[0]
    runner = HealthyRunner(
        out=scans[0].parents[1] / "passing",
        model=model,
        options=ScreenOptions(),
        reference=flat_reference(),
        tell=lambda _: None,
    )

    def measured(by: HealthyRunner, of: ScanEntry) -> MeasuredScan | None:
        decides = by.all_that_decides(of)
        return read_measured(measured_path(by.out, of.name.case), decides=decides)

    kept = measured(runner, entry)
    assert kept is not None
    scan = kept.of(replace(entry, covariates={"age": 7.0}))
    assert scan is not None
    assert (scan.person, scan.covariates) == ("0", {"age": 7.0})
    assert measured(runner, replace(entry, path=scans[1])) is None
    assert measured(runner, replace(entry, brain_mask=scans[1])) is None
    other = replace(runner, options=ScreenOptions(analysis=Options(measure_defect=False)))
    assert measured(other, entry) is None
    weights = replace(model, manifest={**model.manifest, "sha256": "0" * 64})
    assert measured(replace(runner, model=weights), entry) is None
    copy = tmp_path / "a.measured"
    digest = write_measured(copy, kept)
    assert read_measured(copy, decides=kept.decides) is not None
    assert read_measured(copy, digest=digest) is not None
    assert read_measured(copy, digest="0" * 64) is None
    data = bytearray(copy.read_bytes())
    data[-1] ^= 1
    copy.write_bytes(data)
    assert read_measured(copy, decides=kept.decides) is None
