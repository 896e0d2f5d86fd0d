"""A head is the same head on grids of any spacing: masks, coverage, sides and the mid-plane."""

import numpy as np
import pytest

from medsym.volumes.frame import SymmetricGrid, voxel_steps
from medsym.volumes.grid import MidPlane, PreparedScan, prepare_scan
from medsym.volumes.resampling import resample
from medsym.volumes.volume import Volume
from tests.builders_head import LESION_MM, make_head

PLANE = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=1.0)


def prepare(spacing_mm: float, *, stripped: bool = False, noise: float = 0.01) -> PreparedScan:
    head = make_head(stripped=stripped, noise=noise)
    return prepare_scan(head, grid=SymmetricGrid.spanning(spacing_mm), plane=PLANE)


def on_grid_of(target: PreparedScan, mask: np.ndarray, source: PreparedScan) -> np.ndarray:
    soft = Volume(voxels=mask.astype(np.float32), affine=source.grid_to_world)
    share = resample(soft, to_shape=target.grid.shape, affine_to=target.grid_to_world)
    return np.asarray(share >= 0.5)


def dice(one: np.ndarray, other: np.ndarray) -> float:
    return float(2 * (one & other).sum() / (one.sum() + other.sum()))


@pytest.mark.parametrize(
    ("spacing", "shape"),
    [(3.0, (64, 80, 64)), (2.0, (96, 128, 96)), (1.0, (192, 240, 192)), (2.5, (80, 96, 80))],
)
def test_a_grid_spans_the_same_space_at_any_spacing(
    spacing: float, shape: tuple[int, int, int]
) -> None:
    grid = SymmetricGrid.spanning(spacing)
    assert grid.shape == shape
    extent = np.array(grid.shape) * spacing
    assert (extent >= (192, 240, 192)).all()
    centre = grid.frame_affine @ [*(np.array(grid.shape) - 1) / 2, 1.0]
    np.testing.assert_allclose(centre[:3], 0.0)


def test_a_length_is_the_nearest_number_of_steps_and_at_least_one() -> None:
    assert [voxel_steps(6.0, spacing_mm=s) for s in (1.0, 2.0, 3.0, 4.0, 20.0)] == [6, 3, 2, 2, 1]


@pytest.mark.parametrize("stripped", [False, True])
def test_masks_are_the_same_on_a_finer_grid(stripped: bool) -> None:
    coarse, fine = prepare(3.0, stripped=stripped), prepare(2.0, stripped=stripped)
    assert coarse.quality["stripped"] == fine.quality["stripped"] == float(stripped)
    for name in ("brain", "foreground", "coverage"):
        one, other = getattr(coarse, name), getattr(fine, name)
        assert dice(one, on_grid_of(coarse, other, fine)) > 0.985, name
        assert other.sum() * 2.0**3 == pytest.approx(one.sum() * 3.0**3, rel=0.08), name


def test_noise_of_a_fine_grid_does_not_grow_the_head() -> None:
    coarse, fine = prepare(3.0, noise=0.06), prepare(2.0, noise=0.06)
    assert dice(coarse.foreground, on_grid_of(coarse, fine.foreground, fine)) > 0.98
    assert dice(coarse.brain, on_grid_of(coarse, fine.brain, fine)) > 0.98


@pytest.mark.parametrize("spacing", [2.0, 3.0])
def test_the_left_of_the_head_is_the_low_half_of_every_grid(spacing: float) -> None:
    prepared = prepare(spacing)
    dark = np.argwhere(prepared.brain & (prepared.image < prepared.image[::-1] - 0.2)).mean(axis=0)
    place = prepared.grid_to_world[:3, :3] @ dark + prepared.grid_to_world[:3, 3]
    np.testing.assert_allclose(place, LESION_MM, atol=4.0)
    assert dark[0] < prepared.grid.shape[0] / 2
