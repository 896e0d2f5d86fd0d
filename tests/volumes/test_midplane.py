"""The mid-plane is the head's, whatever the storage, the tilt, the lesion or the mirror."""

from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.errors import ScanError
from medsym.volumes.intensity import see
from medsym.volumes.midplane import MidPlane, estimate_midplane
from medsym.volumes.nifti import read_scan
from medsym.volumes.plane_search import polish_plane
from medsym.volumes.plane_space import build_space
from medsym.volumes.volume import Volume
from tests.builders import reordered
from tests.builders_head import head_points, make_head, rigid

POSES = {
    "straight": rigid(degrees=(0, 0, 0), shift=(0, 0, 0)),
    "tilted": rigid(degrees=(10, 14, -12), shift=(7, -4, 5)),
    "other way": rigid(degrees=(-8, -18, 9), shift=(-9, 3, 0)),
}

REAL_SCANS = (
    "elderly/t1/Subj1_T1.nii.gz",
    "cases/stroke-t2/T2.nii.gz",
    "cases/tumour-flair/FLAIR.nii.gz",
    "cases/glioma-01/Flair_subtrMeanDivStd.nii.gz",
)


def angle_deg(plane: MidPlane, normal: np.ndarray) -> float:
    return float(np.degrees(np.arccos(np.clip(plane.normal @ normal, -1, 1))))


@pytest.mark.parametrize("to_world", POSES.values(), ids=POSES)
def test_plane_of_a_turned_head_with_a_lesion_is_found(to_world: np.ndarray) -> None:
    plane = estimate_midplane(make_head(to_world=to_world))
    assert angle_deg(plane, to_world[:3, 0]) < 0.6
    assert abs(plane.normal @ to_world[:3, 3] - plane.offset_mm) < 0.6
    assert 0.5 < plane.score <= 1.0


def test_normal_points_to_the_patients_right() -> None:
    plane = estimate_midplane(make_head(to_world=POSES["tilted"]))
    assert plane.normal[0] > 0
    right_ear = (POSES["tilted"] @ [70, 0, 0, 1])[:3]
    left_ear = (POSES["tilted"] @ [-70, 0, 0, 1])[:3]
    assert plane.side_of(right_ear) == "right"
    assert plane.side_of(left_ear) == "left"


def test_reflection_is_an_involution_that_exchanges_sides_and_keeps_the_plane() -> None:
    normal = POSES["tilted"][:3, 0]
    plane = MidPlane(normal=normal, offset_mm=4.0, score=1.0)
    mirror = plane.reflection
    np.testing.assert_allclose(mirror @ mirror, np.eye(4), atol=1e-12)
    assert np.linalg.det(mirror) == pytest.approx(-1.0)
    on_plane = 4.0 * normal + np.cross(normal, [0.0, 0.0, 30.0])
    np.testing.assert_allclose((mirror @ [*on_plane, 1])[:3], on_plane, atol=1e-9)
    point = on_plane + 10 * normal
    assert plane.side_of(point) == "right"
    assert plane.side_of((mirror @ [*point, 1])[:3]) == "left"


@pytest.mark.parametrize("axcodes", ["LPS", "SLA"])
def test_storage_order_does_not_move_the_plane(axcodes: str) -> None:
    head = make_head(to_world=POSES["tilted"])
    voxels, affine = reordered(head.voxels, head.affine, axcodes=axcodes)
    one, other = estimate_midplane(head), estimate_midplane(Volume(voxels=voxels, affine=affine))
    np.testing.assert_allclose(other.normal, one.normal, atol=1e-6)
    assert other.offset_mm == pytest.approx(one.offset_mm, abs=1e-4)


def mirrored(scan: Volume) -> Volume:
    """The same voxels in a world with left and right exchanged."""
    return replace(scan, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ scan.affine)


def refine(scan: Volume, *, start: MidPlane, voters: np.ndarray) -> MidPlane:
    """As the grid does it: from a nearly right plane, by the voxels that vote."""
    votes = replace(scan, voxels=voters.astype(np.float32))
    return polish_plane(build_space(see(scan), weights=votes), start=start)


def assert_mirrored(plane: MidPlane, *, other: MidPlane) -> None:
    assert other.yaw_deg == pytest.approx(-plane.yaw_deg, abs=1e-4)
    assert other.roll_deg == pytest.approx(-plane.roll_deg, abs=1e-4)
    assert other.offset_mm == pytest.approx(-plane.offset_mm, abs=1e-4)
    assert other.score == pytest.approx(plane.score, abs=1e-6)


@pytest.mark.parametrize("to_world", POSES.values(), ids=POSES)
def test_mirrored_head_has_exactly_the_mirrored_plane(to_world: np.ndarray) -> None:
    head = make_head(to_world=to_world)
    plane, other = estimate_midplane(head), estimate_midplane(mirrored(head))
    assert_mirrored(plane, other=other)
    voters = head.voxels > 0.4
    refined = refine(head, start=plane, voters=voters)
    assert_mirrored(refined, other=refine(mirrored(head), start=other, voters=voters))


@pytest.mark.slow
@pytest.mark.parametrize("name", REAL_SCANS)
def test_mirrored_real_scan_has_exactly_the_mirrored_plane(shared_data: Path, name: str) -> None:
    scan = read_scan(shared_data / name)
    assert_mirrored(estimate_midplane(scan), other=estimate_midplane(mirrored(scan)))


def test_plane_of_a_symmetric_head_is_its_plane_of_symmetry() -> None:
    head = make_head(lesion=False)
    symmetric = replace(head, voxels=0.5 * (head.voxels + head.voxels[::-1]))
    plane = estimate_midplane(symmetric)
    assert max(abs(plane.yaw_deg), abs(plane.roll_deg), abs(plane.offset_mm)) < 0.02


def test_a_caller_who_wants_no_gradients_gets_the_same_plane() -> None:
    scan = make_head()
    with torch.no_grad():
        found = estimate_midplane(scan)
    usual = estimate_midplane(scan)
    np.testing.assert_array_equal(found.normal, usual.normal)
    assert found.offset_mm == usual.offset_mm


def test_refinement_lets_only_the_voters_decide() -> None:
    head = make_head(lesion=False)
    size = np.linalg.norm(head_points(head, to_world=np.eye(4)), axis=0)
    scalp = make_head(lesion=False, to_world=rigid(degrees=(0, 0, 0), shift=(6, 0, 0)))
    mixed = replace(head, voxels=np.where(size < 60, head.voxels, scalp.voxels))
    start = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=3.0, score=0.0)
    brain = refine(mixed, start=start, voters=size < 45)
    assert abs(brain.offset_mm) < 0.5


def test_thick_slices_are_enough() -> None:
    to_world = POSES["other way"]
    head = make_head(to_world=to_world, shape=(100, 110, 34), spacing=(2.0, 2.0, 6.0))
    assert angle_deg(estimate_midplane(head), to_world[:3, 0]) < 1.0


def test_constant_scan_is_refused_by_name() -> None:
    with pytest.raises(ScanError, match="MS-121"):
        estimate_midplane(Volume(voxels=np.full((40, 40, 40), 3.0, np.float32), affine=np.eye(4)))
