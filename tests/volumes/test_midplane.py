"""The mid-plane is the head's, whatever the storage, the tilt, the lesion or the mirror."""

from dataclasses import replace

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.midplane import MidPlane, estimate_midplane, refine_midplane
from medsym.volumes.volume import Volume
from tests.builders import reordered
from tests.builders_head import head_points, make_head, rigid

POSES = {
    "straight": rigid(degrees=(0, 0, 0), shift=(0, 0, 0)),
    "tilted": rigid(degrees=(10, 14, -12), shift=(7, -4, 5)),
    "other way": rigid(degrees=(-8, -18, 9), shift=(-9, 3, 0)),
}


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


def test_mirrored_head_has_the_mirrored_plane() -> None:
    head = make_head(to_world=POSES["other way"])
    mirrored = replace(head, affine=np.diag([-1.0, 1.0, 1.0, 1.0]) @ head.affine)
    one, other = estimate_midplane(head), estimate_midplane(mirrored)
    np.testing.assert_allclose(other.normal, one.normal * [1, -1, -1], atol=2e-3)
    assert other.offset_mm == pytest.approx(-one.offset_mm, abs=0.1)


def test_refinement_lets_only_the_voters_decide() -> None:
    head = make_head(lesion=False)
    size = np.linalg.norm(head_points(head, to_world=np.eye(4)), axis=0)
    scalp = make_head(lesion=False, to_world=rigid(degrees=(0, 0, 0), shift=(6, 0, 0)))
    mixed = replace(head, voxels=np.where(size < 60, head.voxels, scalp.voxels))
    start = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=3.0, score=0.0)
    brain = refine_midplane(mixed, start=start, weights=size < 45)
    assert abs(brain.offset_mm) < 0.5


def test_thick_slices_are_enough() -> None:
    to_world = POSES["other way"]
    head = make_head(to_world=to_world, shape=(100, 110, 34), spacing=(2.0, 2.0, 6.0))
    assert angle_deg(estimate_midplane(head), to_world[:3, 0]) < 1.0


def test_constant_scan_is_refused_by_name() -> None:
    with pytest.raises(ScanError, match="MS-121"):
        estimate_midplane(Volume(voxels=np.full((40, 40, 40), 3.0, np.float32), affine=np.eye(4)))
