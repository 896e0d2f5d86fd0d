"""Working on the part of a scan that matters changes no value."""

from dataclasses import replace

import numpy as np
import pytest
import torch

from medsym.volumes import plane_search
from medsym.volumes.grid import PreparedScan, prepare_scan, to_scan_grid
from medsym.volumes.intensity import see
from medsym.volumes.midplane import MidPlane
from medsym.volumes.plane_space import build_space
from medsym.volumes.resampling import (
    antialias,
    inside_view,
    reached_box,
    resample,
    sample_lattice,
    storage_canonical,
)
from medsym.volumes.volume import Volume
from tests.builders import reordered
from tests.builders_head import make_head, rigid

POSE = rigid(degrees=(7, -11, 9), shift=(-6, 4, 3))


def noise(*, axcodes: str) -> Volume:
    """White noise of 1.5 mm, much larger than what is asked of it: every voxel differs."""
    voxels = np.random.default_rng(7).normal(size=(64, 70, 58)).astype(np.float32)
    stored, affine = reordered(voxels, POSE @ np.diag([1.5, 1.5, 1.5, 1.0]), axcodes=axcodes)
    return Volume(voxels=stored, affine=affine)


def lattice(step_mm: float, *, centre: np.ndarray, turn: np.ndarray) -> np.ndarray:
    affine = turn @ np.diag([step_mm] * 3 + [1.0])
    affine[:3, 3] = centre - affine[:3, :3] @ np.full(3, 4.5)
    return affine


@pytest.mark.parametrize("axcodes", ["RAS", "LPI", "SAL"])
@pytest.mark.parametrize("step_mm", [1.0, 4.0])
@pytest.mark.parametrize("at", [(0.5, 0.5, 0.5), (0.05, 0.9, 0.5), (1.4, 0.5, 0.5)])
def test_a_small_target_gets_the_values_of_the_whole_scan(
    axcodes: str, step_mm: float, at: tuple[float, float, float]
) -> None:
    scan = noise(axcodes=axcodes)
    centre = (scan.affine @ [*(np.array(at) * scan.shape), 1.0])[:3]
    target = lattice(step_mm, centre=centre, turn=rigid(degrees=(3, 20, -8), shift=(0, 0, 0)))
    found = resample(scan, to_shape=(10, 10, 10), affine_to=target, fill=-5.0)
    voxels, affine = storage_canonical(scan.voxels, affine=scan.affine)
    whole = sample_lattice(
        antialias(np.asarray(voxels), affine=affine, target_affine=target),
        affine=affine,
        shape=(10, 10, 10),
        target_affine=target,
    )
    view = inside_view(voxels.shape, affine=affine, shape=(10, 10, 10), target_affine=target)
    np.testing.assert_allclose(found, np.where(view, whole, -5.0), atol=1e-6)
    assert view.any() == (at[0] <= 1.0)


@pytest.fixture(scope="module")
def prepared() -> PreparedScan:
    head = make_head(to_world=POSE)
    plane = MidPlane(normal=POSE[:3, 0], offset_mm=float(POSE[:3, 0] @ POSE[:3, 3]), score=1.0)
    brain = replace(head, voxels=(head.voxels > 0.2).astype(np.float32))
    return prepare_scan(head, plane=plane, brain_mask=brain)


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("fill", [0.0, -3.0])
@pytest.mark.parametrize("low", [(0, 0, 0), (20, 30, 25), (50, 60, 40)])
def test_a_map_comes_back_as_if_its_whole_grid_were_carried(
    prepared: PreparedScan, order: int, fill: float, low: tuple[int, int, int]
) -> None:
    values = np.full(prepared.grid.shape, fill, dtype=np.float32)
    part = tuple(slice(n, n + 12) for n in low)
    values[part] = np.random.default_rng(3).normal(size=values[part].shape)
    scan = prepared.scan
    whole = sample_lattice(
        values,
        affine=prepared.grid_to_world,
        shape=scan.shape,
        target_affine=scan.affine,
        order=order,
    )
    view = inside_view(
        values.shape,
        affine=prepared.grid_to_world,
        shape=scan.shape,
        target_affine=scan.affine,
    )
    back = to_scan_grid(prepared, values, order=order, fill=fill)
    np.testing.assert_allclose(back, np.where(view, whole, fill), atol=1e-6)
    assert (back != fill).sum() > 500


def test_an_empty_map_comes_back_empty(prepared: PreparedScan) -> None:
    back = to_scan_grid(prepared, np.zeros(prepared.grid.shape, np.float32))
    assert back.shape == prepared.scan.shape
    assert not back.any()


def test_a_box_is_never_empty_and_never_beyond_the_source() -> None:
    far = np.eye(4)
    far[:3, 3] = 1000.0, -1000.0, 3.5
    box = reached_box(np.array([[0.0, 5.0]] * 3), to_source=far, shape=(9, 8, 7))
    assert box == (slice(8, 9), slice(0, 1), slice(3, 7))


def test_the_walk_to_the_plane_is_that_of_torchs_adam() -> None:
    space = build_space(see(make_head(to_world=POSE)))
    level = plane_search._level(space, spacing=8)
    start = torch.tensor([[3.0, -2.0, 1.0], [0.0, 0.0, 0.0]], dtype=torch.float64)
    pace = plane_search.FINISH
    parameters = start.clone().requires_grad_(True)
    optimiser = torch.optim.Adam([parameters], lr=pace.rate, betas=pace.betas, foreach=False)
    for step in range(pace.steps):
        optimiser.param_groups[0]["lr"] = pace.rate * (1.0 - step / pace.steps)
        optimiser.zero_grad()
        (-plane_search._objective(level, parameters=parameters, prior=0.004).sum()).backward()
        optimiser.step()
    walked = plane_search._ascend(level, start=start, pace=pace, prior=0.004)
    torch.testing.assert_close(walked, parameters.detach(), rtol=0.0, atol=1e-12)
    assert float((walked - start).abs().max()) > 0.1


def test_a_padded_ct_is_seen_without_its_padding_and_kept_with_it() -> None:
    head = make_head(to_world=POSE)
    assert see(head).volume is head
    hounsfield = np.where(head.voxels > 0.2, 40.0 + 10.0 * head.voxels, -1000.0)
    hounsfield[0] = -3024.0
    scan = replace(head, voxels=hounsfield.astype(np.float32))
    seen = see(scan)
    assert seen.scan.voxels.min() == -3024.0
    assert seen.volume.voxels.min() == -1000.0
    assert seen.level == pytest.approx(-1000.0, abs=1.0)
