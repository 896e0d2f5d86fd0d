"""The command calibrate on five tiny files; the analysis is a drawing of what it would find."""

import json
from collections.abc import Callable
from dataclasses import replace
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import nibabel
import numpy as np
import pytest

from medsym.calibration.people import HealthyScan
from medsym.calibration.store import MANIFEST, TENSORS
from medsym.cli import main
from medsym.screening import measuring
from medsym.screening.entry import ScanEntry
from tests.builders_case import fake_model, flat_reference
from tests.calibration.builders import draw, scan_of

PEOPLE = 5


class Calibrate:
    """Runs the command; ``before`` is called before each scan, ``seen`` are those analysed."""

    def __init__(self, folder: Path) -> None:
        self.folder, self.out = folder, folder / "calibration"
        self.before: Callable[[ScanEntry], object] = lambda _: None
        self.seen: list[str] = []

    def __call__(self, *options: str) -> int:
        self.seen.clear()
        scans, out = str(self.folder / "in"), str(self.out)
        return main(["calibrate", scans, "--out", out, "--workers", "0", *options])

    def analyse(self, entry: ScanEntry) -> Any:
        self.seen.append(str(entry.name.subject))
        sha256, _ = measuring.source_hashes(entry)
        self.before(entry)
        prepared = SimpleNamespace(scan=SimpleNamespace(sha256=sha256))
        return SimpleNamespace(is_assessable=True, reasons=(), prepared=prepared, entry=entry)

    def bytes(self) -> list[bytes]:
        return [(self.out / name).read_bytes() for name in (MANIFEST, TENSORS)]

    def people(self) -> int:
        return int(json.loads((self.out / MANIFEST).read_text())["counts"]["people"])


def kept_of(result: Any) -> HealthyScan:
    number = int(result.entry.name.subject)
    found = scan_of(draw(np.random.default_rng(number)), person="")
    sha256 = result.prepared.scan.sha256
    return replace(found, sha256=sha256, content_sha256=f"c{number}", features={"a": 1.0})


@pytest.fixture
def calibrate(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Calibrate:
    (tmp_path / "in").mkdir()
    rng = np.random.default_rng(0)
    for number in range(PEOPLE):
        image = nibabel.Nifti1Image(rng.random((4, 4, 4)).astype(np.float32), np.eye(4))
        nibabel.save(image, tmp_path / "in" / f"sub-{number}_T1w.nii.gz")
    command, model = Calibrate(tmp_path), fake_model(tmp_path)
    monkeypatch.setattr("medsym.models.store.load_model", lambda *_, **__: model)
    monkeypatch.setattr("medsym.screening.calibrating.reference_of", lambda _: flat_reference())
    monkeypatch.setattr(
        measuring.HealthyRunner, "analyse", lambda _, entry, **__: command.analyse(entry)
    )
    monkeypatch.setattr(measuring, "kept_of", kept_of)
    return command
