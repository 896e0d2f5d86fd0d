"""To the symmetric grid and back: mirror law, 48 orientations, sides, obliquity, coverage."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import GridError
from medsym.volumes.grid import (
    MidPlane,
    PreparedScan,
    SymmetricGrid,
    frame_to_world,
    prepare_scan,
    refine,
    resample,
    to_scan_grid,
)
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume
from tests.builders import AXCODES, reordered
from tests.builders_head import LESION_MM, SHAPE, make_head, rigid

POSE = rigid(degrees=(6, 9, -11), shift=(5, -3, 4))
PLANE = MidPlane(normal=POSE[:3, 0], offset_mm=float(POSE[:3, 0] @ POSE[:3, 3]), score=1.0)


def brain_of(head: Volume) -> Volume:
    """A mask that spares the tests the search for the brain: everything not air."""
    return replace(head, voxels=(head.voxels > 0.2).astype(np.float32))


def prepare(head: Volume, *, plane: MidPlane = PLANE) -> PreparedScan:
    return prepare_scan(head, plane=plane, brain_mask=brain_of(head))


def relative(one: np.ndarray, other: np.ndarray) -> float:
    return float(np.linalg.norm(one - other) / np.linalg.norm(one))


def test_mirror_law_of_preparation() -> None:
    head = make_head(to_world=POSE)
    world_mirror = np.diag([-1.0, 1.0, 1.0, 1.0])
    mirrored = replace(head, affine=world_mirror @ head.affine)
    plane = replace(PLANE, normal=PLANE.normal * [1, -1, -1], offset_mm=-PLANE.offset_mm)
    one, other = prepare(head), prepare(mirrored, plane=plane)
    assert relative(one.image, other.image[::-1]) < 1e-4
    assert relative(one.image, other.image) > 0.05  # the lesion makes the head asymmetric
    np.testing.assert_array_equal(one.coverage, other.coverage[::-1])


@pytest.mark.slow
@pytest.mark.parametrize("name", ["elderly/t1/Subj1_T1.nii.gz", "cases/stroke-t2/T2.nii.gz"])
def test_mirror_law_of_everything_before_the_network(shared_data: Path, name: str) -> None:
    scan = read_scan(shared_data / name)
    mirrored = replace(scan, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ scan.affine)
    one, other = prepare_scan(scan), prepare_scan(mirrored)
    np.testing.assert_array_equal(one.brain, other.brain[::-1])
    np.testing.assert_array_equal(one.foreground, other.foreground[::-1])
    np.testing.assert_array_equal(one.coverage, other.coverage[::-1])
    assert relative(one.image, other.image[::-1]) < 1e-5
    assert relative(one.image, other.image) > 0.05


@pytest.mark.parametrize("axcodes", AXCODES)
def test_every_storage_order_gives_the_same_grid(axcodes: str) -> None:
    head = make_head(to_world=POSE)
    voxels, affine = reordered(head.voxels, head.affine, axcodes=axcodes)
    grid_affine = frame_to_world(PLANE, centre_mm=POSE[:3, 3]) @ SymmetricGrid().frame_affine
    wanted, found = (
        resample(v, to_shape=(64, 80, 64), affine_to=grid_affine)
        for v in (head, Volume(voxels=voxels, affine=affine))
    )
    assert relative(wanted, found) < 1e-4


@pytest.mark.slow
def test_alignment_too_ignores_the_storage_order() -> None:
    head = make_head(to_world=POSE)
    voxels, affine = reordered(head.voxels, head.affine, axcodes="PIL")
    one, other = prepare_scan(head), prepare_scan(Volume(voxels=voxels, affine=affine))
    assert relative(one.image, other.image) < 1e-4
    np.testing.assert_array_equal(one.brain, other.brain)
    assert one.quality["brain_covered"] > 0.99


def test_lesion_on_the_left_lies_in_the_lower_half_of_x() -> None:
    prepared = prepare(make_head(to_world=POSE))
    difference = prepared.image - prepared.image[::-1]
    deepest = np.unravel_index(difference.argmin(), difference.shape)
    assert deepest[0] < 32
    world = (prepared.grid_to_world @ [*deepest, 1])[:3]
    assert np.linalg.norm((np.linalg.inv(POSE) @ [*world, 1])[:3] - LESION_MM) < 18
    assert PLANE.side_of(world) == "left"


@pytest.mark.parametrize("axcodes", ["RAS", "LPI", "SRP"])
@pytest.mark.parametrize("index", [(20, 40, 40), (44, 24, 30)])
def test_marker_returns_within_one_voxel_and_keeps_its_side(
    axcodes: str, index: tuple[int, int, int]
) -> None:
    head = make_head(to_world=POSE)
    voxels, affine = reordered(head.voxels, head.affine, axcodes=axcodes)
    prepared = prepare(Volume(voxels=voxels, affine=affine))
    marker = np.zeros(prepared.grid.shape)
    marker[tuple(slice(i - 1, i + 2) for i in index)] = 1.0
    for order in (0, 1):
        back = to_scan_grid(prepared, marker, order=order)
        assert back.shape == voxels.shape
        middle = np.argwhere(back > 0.5).mean(axis=0)
        there = (affine @ [*middle, 1])[:3]
        wanted = (prepared.grid_to_world @ [*index, 1])[:3]
        assert np.linalg.norm(there - wanted) < 1.75  # half a voxel
        side = "left" if index[0] < 32 else "right"
        assert prepared.plane.side_of(there) == side


def test_side_map_comes_back_on_the_side_of_every_voxel() -> None:
    prepared = prepare(make_head(to_world=POSE))
    labels = np.ones(prepared.grid.shape, dtype=np.int16)
    labels[32:] = 2
    back = to_scan_grid(prepared, labels, order=0)
    assert back.dtype == np.int16
    index = np.indices(SHAPE).reshape(3, -1)
    world = prepared.scan.affine[:3, :3] @ index + prepared.scan.affine[:3, 3:]
    distance = (PLANE.normal @ world - PLANE.offset_mm).reshape(SHAPE)
    assert np.all(back[(back > 0) & (distance > 1e-6)] == 2)
    assert np.all(back[(back > 0) & (distance < -1e-6)] == 1)
    assert (back > 0).mean() > 0.5


def test_turning_the_lattice_through_45_degrees_changes_nothing_abruptly() -> None:
    images = []
    for degrees in (44.9, 45.1):
        turn = rigid(degrees=(0, 0, degrees), shift=(0, 0, 0))
        head = make_head(
            to_world=np.linalg.inv(turn), spacing=(2.0, 2.0, 3.5), shape=(110, 110, 60)
        )
        turned = replace(head, affine=turn @ head.affine)
        images.append(prepare(turned, plane=replace(PLANE, normal=np.eye(3)[0], offset_mm=0)).raw)
    assert relative(*images) < 0.05


def test_six_mm_slices_keep_the_lesion_in_place() -> None:
    head = make_head(to_world=POSE, shape=(200, 220, 34), spacing=(1.0, 1.0, 6.0))
    thick, thin = prepare(head), prepare(make_head(to_world=POSE))
    assert thick.quality["thickest_mm"] == pytest.approx(6.0)
    assert np.corrcoef(thick.image.ravel(), thin.image.ravel())[0, 1] > 0.9
    assert (thick.image - thick.image[::-1])[10:32].min() < -0.3  # dark on the left


def test_cropped_hemisphere_is_not_covered_on_either_side() -> None:
    head = make_head()
    plane = replace(PLANE, normal=np.eye(3)[0], offset_mm=0.0)
    cropped = Volume(voxels=head.voxels[:36], affine=head.affine)  # the left and 21 mm of the right
    mask = Volume(voxels=np.ones((3, 3, 3), np.float32), affine=np.eye(4))
    prepared = prepare_scan(cropped, plane=plane, brain_mask=mask)
    x = (prepared.grid_to_world @ [0.0, 0.0, 0.0, 1.0])[0] + 3.0 * np.arange(64)
    covered = prepared.coverage.any(axis=(1, 2))
    np.testing.assert_array_equal(prepared.coverage, prepared.coverage[::-1])
    assert not covered[np.abs(x) > 23].any()
    assert covered[np.abs(x) < 19].all()


def test_refine_uses_the_given_brain_and_improves_a_wrong_plane() -> None:
    head = make_head(to_world=POSE)
    wrong = replace(PLANE, offset_mm=PLANE.offset_mm + 4.0)
    first = prepare(head, plane=wrong)
    better = refine(first, first.brain)
    assert abs(better.plane.offset_mm - PLANE.offset_mm) < 0.6
    assert better.brain.sum() == pytest.approx(first.brain.sum(), rel=0.02)


def test_frame_is_rigid_right_handed_and_centred_on_the_plane() -> None:
    frame = frame_to_world(PLANE, centre_mm=np.array([40.0, 10.0, -5.0]))
    np.testing.assert_allclose(frame[:3, :3].T @ frame[:3, :3], np.eye(3), atol=1e-12)
    assert np.linalg.det(frame[:3, :3]) == pytest.approx(1.0)
    np.testing.assert_allclose(frame[:3, 0], PLANE.normal)
    assert frame[:3, 3] @ PLANE.normal == pytest.approx(PLANE.offset_mm)
    assert frame[1, 1] > 0.9
    assert frame[2, 2] > 0.9


@pytest.mark.parametrize(("shape", "spacing"), [((63, 80, 64), 3.0), ((64, 80, 64), 0.0)])
def test_unusable_grids_are_refused(shape: tuple[int, int, int], spacing: float) -> None:
    with pytest.raises(GridError, match="MS-160"):
        SymmetricGrid(shape=shape, spacing_mm=spacing)


def test_coarse_sampling_is_smoothed_first() -> None:
    checker = np.indices((60, 60, 60)).sum(axis=0) % 2
    volume = Volume(voxels=checker.astype(np.float32), affine=np.eye(4))
    coarse = resample(volume, to_shape=(10, 10, 10), affine_to=np.diag([4.0, 4.0, 4.0, 1.0]))
    np.testing.assert_allclose(coarse[2:-2, 2:-2, 2:-2], 0.5, atol=0.02)
