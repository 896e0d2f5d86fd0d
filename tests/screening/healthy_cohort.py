"""Four healthy people whose scans are measured for a calibration, one of them in vain."""

from dataclasses import replace
from pathlib import Path

import pytest

from medsym.calibration.building import build_calibration
from medsym.calibration.calibration import Calibration
from medsym.calibration.checks import CalibrationSettings
from medsym.screening.calibrating import Measured, measure_healthy
from medsym.screening.entry import ScanEntry
from medsym.screening.manifest import entries_of
from medsym.screening.participants import read_participants, with_participants
from medsym.screening.runner import ScreenOptions
from tests.builders_case import FakeModel, fake_model, flat_reference
from tests.screening.quick_run import patch_known_plane, store

PLACES = ((30, 10, 10), (-35, -20, 10), (20, -30, 20))


Cohort = tuple[Measured, FakeModel, list[Path]]


@pytest.fixture(scope="module")
def cohort(tmp_path_factory: pytest.TempPathFactory) -> Cohort:
    """Four healthy people with a faint asymmetry each, one of whom was scanned half only."""
    tmp_path = tmp_path_factory.mktemp("cohort")
    scans = [
        store(tmp_path / "in" / f"sub-{i}_T1w.nii.gz", lesion_mm=place, radius_mm=4 + i)
        for i, place in enumerate(PLACES)
    ]
    scans.append(store(tmp_path / "in" / "sub-9_T1w.nii.gz", lesion_mm=None, scale=0.4))
    (tmp_path / "in" / "participants.tsv").write_text(
        "participant_id\tsite\tage\nsub-0\tA\t40\nsub-1\tA\t50\nsub-2\tB\t60\nsub-9\tB\tn/a\n"
    )
    model = fake_model(tmp_path)
    with pytest.MonkeyPatch.context() as patch:
        patch_known_plane(patch)
        patch.setattr("medsym.screening.calibrating.reference_of", lambda _: flat_reference())
        found = measure_healthy(
            entries_with_rows(scans), tmp_path / "passing", model=model, options=ScreenOptions()
        )
    return found, model, scans


def entries_with_rows(scans: list[Path]) -> list[ScanEntry]:
    table = scans[0].parent / "participants.tsv"
    return list(with_participants(entries_of(scans), read_participants(table), table=table))


def calibration_of(found: Measured, **settings: object) -> Calibration:
    identity = {"name": "fake", "version": "0", "sha256": "f" * 64}
    made = build_calibration(found.scans, CalibrationSettings(**settings), model=identity)
    return replace(made, sha256="c" * 64)
