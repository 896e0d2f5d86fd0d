"""A quick screening run: phantoms with a known mid-plane, so that no search is needed."""

from functools import partial
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.inference import case
from medsym.screening.batch import ScreenOutcome, screen
from medsym.volumes.grid import MidPlane, prepare_scan
from tests.builders_case import fake_model, flat_reference, head_phantom


@pytest.fixture
def known_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    patch_known_plane(monkeypatch)


def patch_known_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=0.9)
    monkeypatch.setattr(case, "prepare_scan", partial(prepare_scan, plane=plane))
    monkeypatch.setattr(case, "refine", lambda prepared, _brain: prepared)


def store(path: Path, **phantom: object) -> Path:
    volume = head_phantom(**phantom)
    image = nibabel.Nifti1Image(volume.voxels, volume.affine)
    image.set_sform(volume.affine, code=1)
    image.set_qform(volume.affine, code=1)
    path.parent.mkdir(parents=True, exist_ok=True)
    nibabel.save(image, path)
    return path


def run(
    scans: list[Path], out: Path, folder: Path, *, spacing_mm: float = 3.0, **more: object
) -> ScreenOutcome:
    folder.mkdir(exist_ok=True)
    model = fake_model(folder, spacing_mm=spacing_mm)
    return screen(scans, out, model=model, reference=flat_reference(), **more)
