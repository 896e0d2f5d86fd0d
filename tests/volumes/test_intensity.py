"""Intensities are scaled by the head alone, and the head is told from any background."""

from dataclasses import replace

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.grid import prepare_scan
from medsym.volumes.intensity import (
    background_level,
    foreground_mask,
    normalise,
    without_padding,
)
from medsym.volumes.midplane import MidPlane
from medsym.volumes.volume import Volume
from tests.builders_head import make_head

CIRCLE_MM = 106.0  # just around the head of make_head


def test_percentiles_1_and_99_of_the_mask_become_0_and_1_and_outside_is_0() -> None:
    image = np.random.default_rng(0).normal(40.0, 5.0, (20, 20, 20))
    mask = np.zeros(image.shape, dtype=bool)
    mask[4:16, 4:16, 4:16] = True
    scaled = normalise(image, mask)
    assert scaled.dtype == np.float32
    np.testing.assert_allclose(np.percentile(scaled[mask], [1, 99]), [0, 1], atol=1e-3)
    assert not scaled[~mask].any()


def test_result_does_not_depend_on_unit_and_is_clipped() -> None:
    image = np.random.default_rng(1).normal(0.0, 1.0, (16, 16, 16))
    image[8, 8, 8], image[7, 7, 7] = 1e6, -1e6
    mask = np.ones(image.shape, dtype=bool)
    scaled = normalise(image, mask)
    np.testing.assert_allclose(normalise(250.0 * image - 3.0, mask), scaled, atol=1e-5)
    assert scaled.min() == -0.5
    assert scaled.max() == 1.5


@pytest.mark.parametrize("mask_value", [True, False])
def test_constant_or_empty_head_is_refused(mask_value: bool) -> None:
    with pytest.raises(ScanError, match=r"MS-121 a\.nii"):
        normalise(np.ones((4, 4, 4)), np.full((4, 4, 4), mask_value), subject="a.nii")


def test_noisy_air_is_background_and_the_head_is_one_solid_piece() -> None:
    head = make_head(noise=0.03)
    mask = foreground_mask(head.voxels)
    truth = make_head(noise=0.0).voxels > 0.02
    dice = 2 * (mask & truth).sum() / (mask.sum() + truth.sum())
    assert dice > 0.95
    assert mask[30, 34, 30]  # the middle of the brain
    assert not mask[0].any()


@pytest.mark.parametrize("background", [0.0, -3.6, 0.7, 5.0])
def test_constant_background_may_have_any_value(background: float) -> None:
    scan = make_head(stripped=True, background=background, lesion=False)
    level, constant = background_level(scan.voxels)
    assert constant
    assert level == pytest.approx(background, abs=1e-3)
    truth = make_head(stripped=True, background=-100.0).voxels > -50
    mask = foreground_mask(scan.voxels)
    assert 2 * (mask & truth).sum() / (mask.sum() + truth.sum()) > 0.97


def make_ct(*, padding: float | None) -> Volume:
    """A head in Hounsfield units; outside the circle of the scan air, or what a scanner writes."""
    head = make_head()
    ct = -1000.0 + 1100.0 * head.voxels
    x, y = (
        np.indices(head.shape[:2]) * 3.5 - 0.5 * 3.5 * (np.array(head.shape[:2]) - 1)[:, None, None]
    )
    if padding is not None:
        ct[np.hypot(x, y) > CIRCLE_MM] = padding
    return replace(head, voxels=ct)


@pytest.mark.parametrize("padding", [-2000.0, -3024.0])
def test_padding_of_a_ct_does_not_change_its_head(padding: float) -> None:
    plain, padded = make_ct(padding=None).voxels, make_ct(padding=padding).voxels
    assert background_level(padded)[0] == pytest.approx(background_level(plain)[0], abs=30.0)
    one, other = foreground_mask(plain), foreground_mask(padded)
    assert one.mean() < 0.6
    assert (one ^ other).sum() < 0.002 * one.sum()


def test_padding_of_a_ct_is_replaced_for_the_analysis_and_kept_in_the_scan() -> None:
    plane = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=1.0)
    scan = make_ct(padding=-3024.0)
    padded = prepare_scan(scan, plane=plane)
    plain = prepare_scan(make_ct(padding=None), plane=plane)
    assert padded.scan is scan
    assert scan.voxels.min() == -3024.0
    assert padded.raw.min() > -1100.0
    assert (padded.foreground ^ plain.foreground).sum() < 0.01 * plain.foreground.sum()
    both = padded.foreground & plain.foreground
    np.testing.assert_allclose(padded.image[both], plain.image[both], atol=0.06)


def test_very_negative_values_without_air_are_no_padding() -> None:
    offset = 40.0 * make_head().voxels - 3000.0
    assert without_padding(offset) is offset
    scores = make_head(stripped=True, background=-3.6).voxels
    assert without_padding(scores) is scores
