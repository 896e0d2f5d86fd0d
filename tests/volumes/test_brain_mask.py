"""The brain is found under the skull without weights, and stripped scans keep their own outline."""

from pathlib import Path

import numpy as np
import pytest

from medsym.volumes.brain_mask import estimate_brain_mask, is_stripped
from medsym.volumes.brain_shape import icosphere, mean_radius
from medsym.volumes.brain_surface import fill_surface
from medsym.volumes.intensity import foreground_mask
from tests.builders_head import BRAIN_RADII_MM, head_points, make_head

GRID = {"shape": (64, 80, 64), "spacing": (3.0, 3.0, 3.0)}


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


def true_brain() -> np.ndarray:
    points = head_points(make_head(**GRID), to_world=np.eye(4))
    return ((points / BRAIN_RADII_MM.reshape(3, 1, 1, 1)) ** 2).sum(axis=0) < 1


def test_brain_of_a_head_is_found_and_mirrors_with_it() -> None:
    image = make_head(**GRID).voxels
    mask = estimate_brain_mask(image, spacing_mm=3.0)
    assert dice(mask, true_brain()) > 0.85  # the phantom is an ellipsoid, the prior is a brain
    mirrored = estimate_brain_mask(image[::-1].copy(), spacing_mm=3.0)
    assert dice(mirrored[::-1], mask) > 0.995


@pytest.mark.parametrize("background", [0.0, -3.6])
def test_stripped_scan_keeps_its_own_outline(background: float) -> None:
    image = make_head(**GRID, stripped=True, background=background).voxels
    foreground = foreground_mask(image)
    assert is_stripped(image, foreground=foreground, spacing_mm=3.0)
    assert dice(estimate_brain_mask(image, spacing_mm=3.0), true_brain()) > 0.97


def test_head_and_cropped_head_are_not_taken_for_stripped() -> None:
    image = make_head(**GRID, noise=0.0).voxels
    assert not is_stripped(image, foreground=foreground_mask(image), spacing_mm=3.0)
    view = np.zeros(image.shape, dtype=bool)
    view[:30, :, 20:] = True  # less than a hemisphere: brain-sized, but cut
    cropped = np.where(view, image, 0.0)
    foreground = foreground_mask(cropped)
    assert not is_stripped(cropped, foreground=foreground, spacing_mm=3.0, view=view)


def test_average_outline_is_symmetric_and_brain_sized() -> None:
    directions, faces = icosphere(3)
    assert (len(directions), len(faces)) == (642, 1280)
    radii = mean_radius(directions)
    np.testing.assert_allclose(mean_radius(directions * [-1, 1, 1]), radii)
    assert 1000 < 4 / 3 * np.pi * float((radii**3).mean()) / 1000 < 1700  # ml
    behind, front = mean_radius(np.array([[0.0, -1.0, 0.0], [0.0, 1.0, 0.0]]))
    assert behind > 70
    assert front > 70


def test_filled_sphere_has_the_volume_of_a_ball() -> None:
    directions, _ = icosphere(3)
    centre = np.array([3.0, -6.0, 9.0])
    mask = fill_surface(
        centre + 40.0 * directions, centre_mm=centre, shape=(64, 80, 64), spacing_mm=3.0
    )
    assert mask.sum() * 27.0 == pytest.approx(4 / 3 * np.pi * 40.0**3, rel=0.03)
    assert mask[33, 37, 34]


@pytest.mark.slow
def test_glioma_masks_are_those_of_the_data_set(shared_data: Path) -> None:
    from medsym.volumes.grid import prepare_scan, resample
    from medsym.volumes.nifti import read_label_map, read_scan

    folder = shared_data / "cases" / "glioma-01"
    prepared = prepare_scan(read_scan(folder / "Flair_subtrMeanDivStd.nii.gz"))
    expert = resample(
        read_label_map(folder / "brainmask.nii.gz"),
        to_shape=prepared.grid.shape,
        affine_to=prepared.grid_to_world,
        order=0,
    )
    assert prepared.quality["stripped"] == 1.0
    assert dice(prepared.brain, expert > 0) > 0.95
