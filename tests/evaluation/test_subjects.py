"""Who is drawn: the same people in every condition, another scanner in the second session."""

import numpy as np
import pytest
from pydantic import ValidationError

from medsym.evaluation.subjects import (
    CONDITIONS,
    HEALTHY,
    IMAGES,
    LESIONS,
    RETEST,
    THRESHOLDS,
    changed,
    condition_groups,
    torque_region,
)
from medsym.synthesis.settings import SourceConfig, SynthesisConfig
from tests.evaluation.builders import small_source
from tests.synthesis.heads import PLAIN

NOISY = changed(PLAIN, {"degradation": {"noise_sd": (0.02, 0.05), "blur_mm": (0.0, 2.0)}})


def test_unknown_settings_are_refused_and_known_ones_kept() -> None:
    changed_only = changed(PLAIN, {"lesions": {"present": 0.25}})
    assert changed_only.lesions.present == 0.25
    assert changed_only.deformation == PLAIN.deformation
    with pytest.raises(ValidationError):
        changed(PLAIN, {"lesions": {"presence": 0.25}})


def test_every_condition_is_a_change_that_the_synthesis_knows() -> None:
    for changes in CONDITIONS.values():
        assert changed(SynthesisConfig(), changes) != SynthesisConfig()


def test_scans_are_drawn_without_skull_and_with_lesions_as_the_group_says(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = small_source(monkeypatch)
    diseased, healthy = source.draw(LESIONS, 0), source.draw(HEALTHY, 0)
    assert diseased.lesion.any()
    assert diseased.contrast_sd > 1.0
    assert not healthy.lesion.any()
    assert np.isnan(healthy.contrast_sd)
    assert healthy.scan.coverage.all()
    far = np.zeros_like(healthy.scan.brain)
    far[:, :3] = far[:, -3:] = True
    assert np.abs(healthy.scan.image[far]).max() == 0.0


def test_groups_share_no_draw_unless_they_mean_to(monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source(monkeypatch, config=NOISY)
    images = [source.draw(g, 0).scan.image for g in (LESIONS, HEALTHY, IMAGES, THRESHOLDS)]
    for i, first in enumerate(images):
        for second in images[:i]:
            assert not np.array_equal(first, second)
    np.testing.assert_array_equal(source.draw(LESIONS, 0).scan.image, images[0])


def test_condition_changes_the_scan_and_keeps_the_person(monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source(monkeypatch, config=NOISY)
    standard = source.draw(LESIONS, 1)
    groups = {g.name: g for g in condition_groups() if g.lesions}
    for name in ("one-sided bias 30-40 %", "noise 8-12 %", "slices 6 mm"):
        subject = source.draw(groups[f"{name}, lesions"], 1)
        np.testing.assert_array_equal(subject.lesion, standard.lesion)
        np.testing.assert_array_equal(subject.structures, standard.structures)
        assert subject.scan.kind == standard.scan.kind
        assert not np.array_equal(subject.scan.image, standard.scan.image)
    cropped = source.draw(groups["crop 20-30 mm, lesions"], 1)
    assert not cropped.scan.coverage.all()
    assert (cropped.lesion <= standard.lesion).all()


def test_sessions_differ_in_the_scanner_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source(monkeypatch, config=NOISY)
    first, second = source.sessions(RETEST, 0)
    np.testing.assert_array_equal(first.lesion, second.lesion)
    np.testing.assert_array_equal(first.scan.brain, second.scan.brain)
    brain = first.scan.brain
    pair = np.corrcoef(first.scan.image[brain], second.scan.image[brain])
    assert 0.5 < pair[0, 1] < 0.9999
    again = source.sessions(RETEST, 0)
    np.testing.assert_array_equal(again[1].scan.image, second.scan.image)


def test_without_reference_subjects_the_training_anatomies_calibrate(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    source = small_source(monkeypatch)
    assert source.split_of(THRESHOLDS) == "train"
    assert source.split_of(LESIONS) == "test"
    named = SourceConfig(reference_subjects=("c",))
    other = small_source(monkeypatch, config=PLAIN.model_copy(update={"source": named}))
    assert other.split_of(THRESHOLDS) == "reference"


def test_torque_region_is_where_the_torque_is_largest_on_both_sides() -> None:
    brain = np.ones((8, 10, 4), dtype=bool)
    torque = np.zeros((3, 8, 10, 4))
    torque[1, 6, 8] = 4.0  # right front
    torque[1, 1, 1] = -3.0  # left back
    torque[1, 3, 3] = 1.9
    found = torque_region(torque, brain=brain)
    np.testing.assert_array_equal(found, found[::-1])
    assert sorted(zip(*np.nonzero(found[:, :, 0]), strict=True)) == [(1, 1), (1, 8), (6, 1), (6, 8)]
    assert not torque_region(0.0 * torque, brain=brain).any()


def test_strong_torque_has_its_region_at_the_poles(monkeypatch: pytest.MonkeyPatch) -> None:
    source = small_source(monkeypatch)
    group = next(g for g in condition_groups() if g.name == "torque 3-6 mm, healthy")
    subject = source.draw(group, 0)
    front_and_back = np.abs(np.arange(subject.scan.brain.shape[1]) - 19.5) * 6.0
    share = subject.torque_region.sum(axis=(0, 2)) / np.maximum(
        subject.scan.brain.sum(axis=(0, 2)), 1
    )
    assert share[front_and_back < 15.0].max() < 0.05
    assert 0.1 < subject.torque_region.sum() / subject.scan.brain.sum() < 0.6
