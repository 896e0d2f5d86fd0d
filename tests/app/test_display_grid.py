"""The display grid shows every scan geometry at its true place: value at mm equals the source."""

import gzip

import numpy as np
import pytest
from scipy import ndimage

from app.viewer.encoding import MAGIC, NO_DATA, EncodedVolume, encode, encode_labels
from app.viewer.grid import DisplayGrid, content_grid, fit_grid, resample, scan_grid
from tests.app.result_folder import (
    LAS,
    MARKER_MM,
    OBLIQUE_SHAPE,
    SHAPE,
    head,
    oblique_affine,
    world_points,
)

GEOMETRIES = {
    "LAS 4 mm": (SHAPE, LAS),
    "oblique 6 mm slices": (OBLIQUE_SHAPE, oblique_affine()),
    "axes permuted": ((48, 48, 56), LAS[:, [2, 0, 1, 3]]),
}


def decoded(volume: EncodedVolume) -> np.ndarray:
    body = gzip.decompress(volume.body)
    assert body.startswith(MAGIC)
    stored = np.frombuffer(body[len(MAGIC) :], dtype="<i2").reshape(volume.grid.shape, order="F")
    return np.where(stored == NO_DATA, np.nan, stored * volume.slope + volume.intercept)


def source_value(voxels: np.ndarray, affine: np.ndarray, point: np.ndarray) -> float:
    index = np.linalg.inv(affine) @ [*point, 1]
    return float(ndimage.map_coordinates(voxels, index[:3, None], order=1, mode="nearest")[0])


@pytest.fixture(params=list(GEOMETRIES))
def source(request: pytest.FixtureRequest) -> tuple[np.ndarray, np.ndarray]:
    shape, affine = GEOMETRIES[request.param]
    signed = np.sin(world_points(shape, affine) / 9).sum(axis=-1).astype(np.float32) * 3
    return signed, affine


def test_value_at_a_world_point_equals_the_source(source: tuple[np.ndarray, np.ndarray]) -> None:
    voxels, affine = source
    grid = scan_grid(affine, voxels.shape)
    shown = decoded(
        encode(resample(voxels, affine=affine, grid=grid, order=1), grid=grid, symmetric=True)
    )
    places = np.random.default_rng(0).integers(0, grid.shape, size=(300, 3))
    checked = 0
    for place in places:
        if np.isfinite(shown[tuple(place)]):
            point = (grid.affine @ [*place, 1])[:3]
            assert shown[tuple(place)] == pytest.approx(
                source_value(voxels, affine, point), abs=0.005
            )
            checked += 1
    assert checked > 100


def test_marker_on_the_patients_right_stays_at_positive_x() -> None:
    for shape, affine in GEOMETRIES.values():
        voxels = head(world_points(shape, affine))
        grid = scan_grid(affine, shape)
        shown = resample(voxels, affine=affine, grid=grid, order=1)
        place = np.argwhere(np.nan_to_num(shown) > 700).mean(axis=0)
        assert (grid.affine @ [*place, 1])[:3] == pytest.approx(MARKER_MM, abs=4.0)


def test_outside_the_field_of_view_there_is_no_data_and_not_a_zero() -> None:
    shape, affine = GEOMETRIES["oblique 6 mm slices"]
    grid = scan_grid(affine, shape)
    shown = decoded(
        encode(
            resample(np.ones(shape, np.float32), affine=affine, grid=grid, order=1),
            grid=grid,
            symmetric=True,
        )
    )
    assert np.isnan(shown[0, 0, 0])
    assert shown[tuple(n // 2 for n in grid.shape)] == pytest.approx(1)


def test_axis_aligned_scan_with_the_grids_spacing_is_copied() -> None:
    voxels = np.random.default_rng(1).random((20, 22, 24)).astype(np.float32)
    affine = np.diag([1.5, 1.5, 1.5, 1])
    affine[:3, 3] = (-12, -9, 4)
    shown = resample(voxels, affine=affine, grid=scan_grid(affine, voxels.shape), order=1)
    np.testing.assert_array_equal(shown, voxels)


def test_grid_never_exceeds_its_limit_of_voxels() -> None:
    grid = fit_grid(np.zeros(3), np.array([400.0, 400.0, 400.0]), spacing_mm=0.5, max_voxels=10**6)
    assert np.prod(grid.shape) <= 10**6
    covered = np.array(grid.shape) * grid.spacing_mm
    assert (covered >= 400).all()


def test_content_grid_covers_all_that_is_not_zero() -> None:
    content = np.zeros(SHAPE, dtype=bool)
    content[20:30, 25:35, 15:22] = True
    grid = content_grid(LAS, content, spacing_mm=4.0)
    resampled = resample(content.astype(np.float32), affine=LAS, grid=grid, order=0)
    assert resampled.sum() == content.sum()
    assert np.prod(grid.shape) < content.size / 10


def test_labels_are_never_mixed() -> None:
    labels = np.zeros(SHAPE, np.int32)
    labels[:24], labels[24:] = 4, 43
    affine = oblique_affine()
    grid = scan_grid(affine, SHAPE)
    values = decoded(encode_labels(resample(labels, affine=affine, grid=grid, order=0), grid=grid))
    assert set(np.unique(values[np.isfinite(values)])) == {4.0, 43.0}


def test_zero_of_a_signed_map_is_exactly_zero() -> None:
    grid = DisplayGrid(shape=(3, 1, 1), spacing_mm=1.0, origin_mm=(0, 0, 0))
    values = np.array([-7.3, 0.0, 2.1], np.float32).reshape(grid.shape)
    volume = encode(values, grid=grid, symmetric=True)
    assert decoded(volume)[1, 0, 0] == 0
    assert decoded(volume).ravel() == pytest.approx(values.ravel(), abs=7.3 / 65534 + 1e-6)


def test_constant_and_empty_arrays_are_encoded() -> None:
    grid = DisplayGrid(shape=(2, 2, 2), spacing_mm=1.0, origin_mm=(0, 0, 0))
    for symmetric in (True, False):
        for value in (0.0, 5.0):
            full = encode(np.full(grid.shape, value, np.float32), grid=grid, symmetric=symmetric)
            assert decoded(full) == pytest.approx(value)
        empty = encode(np.full(grid.shape, np.nan, np.float32), grid=grid, symmetric=symmetric)
        assert np.isnan(decoded(empty)).all()


@pytest.mark.parametrize("order", [0, 1])
@pytest.mark.parametrize("step", [0.7, 1.0, -1.3])
def test_along_the_axes_the_values_are_those_of_any_other_way(order: int, step: float) -> None:
    rng = np.random.default_rng(3)
    voxels = rng.normal(size=(17, 21, 13)).astype(np.float32)
    affine = np.diag([step, 1.1, 0.9, 1.0])
    affine[:3, 3] = (-4.0 if step > 0 else 15.0, 2.0, 7.0)
    turned = affine @ np.array([[0.0, 1, 0, 0], [1, 0, 0, 0], [0, 0, 1, 0], [0, 0, 0, 1]])
    grid = DisplayGrid(shape=(30, 26, 19), spacing_mm=0.83, origin_mm=(-7.1, 0.3, 6.9))
    found = resample(voxels, affine=affine, grid=grid, order=order)
    other = resample(voxels.transpose(1, 0, 2), affine=turned, grid=grid, order=order)
    assert np.isnan(found).any()
    assert np.isfinite(found).any()
    assert np.allclose(found, other, atol=1e-5, equal_nan=True)
