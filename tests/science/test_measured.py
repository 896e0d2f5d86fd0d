"""A study kept beside weights: for these weights alone, without single subjects, sides true."""

import json

import numpy as np
import pytest
from safetensors.numpy import save_file

from medsym.calibration.brain_coordinates import REFERENCE_SHAPE
from medsym.models.store import SHIPPED
from medsym.science.drawing.tolerance import draw_tolerance
from medsym.science.measured import (
    DRAWN_HEADS,
    FALSE_ALARMS,
    MEASURED,
    PEOPLE,
    keep_study,
    read_measured,
)

SHA256 = "a" * 64


@pytest.fixture
def study(tmp_path):
    """A folder as `medsym science --out` writes it."""
    curve = {"subjects": 2, "peaks": [1.0, 2.0], "calibration_cases": 3, "points": []}
    numbers = {
        key: {} for key in ("alpha", "medsym", "synthetic", "tolerance", "softness", "reliability")
    } | {
        "model": {"sha256": SHA256, "name": "m"},
        "false_alarms": curve,
        "cases": {"healthy": curve | {"scans": 3}, "shown": [{"case": "somebody"}]},
        "subjects": [{"case": "synthetic 1"}],
    }
    folder = tmp_path / "study"
    folder.mkdir()
    (folder / "science.json").write_text(json.dumps(numbers))
    tolerance = np.random.default_rng(0).random(REFERENCE_SHAPE, dtype=np.float32)
    brain = (tolerance > 0.2).astype(np.float32)
    save_file({"tolerance": tolerance, "brain": brain}, folder / "atlas.safetensors")
    return folder, tolerance


def test_what_is_kept_comes_back_for_its_weights_and_for_no_others(study, tmp_path) -> None:
    folder, tolerance = study
    keep_study(folder, tmp_path)
    measured = read_measured(tmp_path, sha256=SHA256)
    assert measured is not None
    assert np.array_equal(measured.tolerance, tolerance)
    assert np.array_equal(measured.brain, tolerance > 0.2)
    assert [name for name, _ in measured.numbers[FALSE_ALARMS]] == [DRAWN_HEADS, PEOPLE]
    assert read_measured(tmp_path, sha256="b" * 64) is None
    assert read_measured(folder, sha256=SHA256) is None


def test_single_subjects_and_scans_are_not_kept(study, tmp_path) -> None:
    keep_study(study[0], tmp_path)
    text = (tmp_path / MEASURED).read_text()
    assert "somebody" not in text
    assert "synthetic 1" not in text
    assert "peaks" not in text


def test_a_damaged_study_is_no_study(study, tmp_path) -> None:
    keep_study(study[0], tmp_path)
    (tmp_path / "tolerance_atlas.safetensors").write_bytes(b"cut")
    assert read_measured(tmp_path, sha256=SHA256) is None


def test_the_shipped_study_belongs_to_the_shipped_weights() -> None:
    sha256 = json.loads((SHIPPED / "manifest.json").read_text())["sha256"]
    measured = read_measured(SHIPPED, sha256=sha256)
    assert measured is not None
    inside = measured.tolerance[measured.brain]
    assert inside.min() >= 0.0
    assert inside.max() == pytest.approx(measured.numbers["tolerance"]["largest_of_mean_map"])


@pytest.mark.parametrize("side", ["left", "right"])
def test_a_tolerance_on_the_patients_right_is_drawn_beside_the_letter_r(side: str) -> None:
    tolerance = np.zeros(REFERENCE_SHAPE, np.float32)
    x = REFERENCE_SHAPE[0] - 8 if side == "right" else 7
    tolerance[x, 20, 16] = 1.0
    figure = draw_tolerance(tolerance, np.ones(REFERENCE_SHAPE, bool), title="")
    for axes in figure.axes[:2]:
        picture = np.asarray(axes.images[-1].get_array())
        across = int(np.unravel_index(int(np.nanargmax(picture)), picture.shape)[1])
        on_the_left_hand = across < picture.shape[1] / 2
        letters = [text for text in axes.texts if text.get_text() == "R"]
        assert letters[0].get_position()[0] < 0.5
        assert on_the_left_hand == (side == "right")
