"""Two scans of one head: places are found again, and left stays left."""

import numpy as np
import pytest
from numpy.typing import NDArray
from scipy import ndimage
from scipy.spatial.transform import Rotation

from medsym.volumes.midplane import MidPlane
from medsym.volumes.pairing import PosedScan, ScanPair, pair_scans
from medsym.volumes.volume import Volume

SPACING_MM = 3.0
SHAPE = (64, 76, 64)
MARKS_MM = np.array(  # places on the patient's right, in the head's own coordinates
    [[40.0, 20.0, 10.0], [30.0, -45.0, 20.0], [15.0, 40.0, -20.0], [50.0, 0.0, 30.0]]
)
STATED_MM = 1.0  # error of the match over the brain: a third of the spacing that is searched

Array = NDArray[np.float64]


def texture() -> Array:
    """Smooth lumps that no motion repeats, (96, 96, 96)."""
    noise = np.random.default_rng(7).normal(size=(96, 96, 96))
    return np.asarray(ndimage.gaussian_filter(noise, 3.0))


LUMPS = texture() / texture().std()


def head(points: Array) -> tuple[Array, NDArray[np.bool_]]:
    """Intensities and brain at places of the head's own coordinates (..., 3), mm."""
    inside = np.linalg.norm(points / np.array([62.0, 80.0, 58.0]), axis=-1) < 1
    folded = np.stack([np.abs(points[..., 0]), points[..., 1], points[..., 2]]) / 2.5 + 48.0
    values = 300.0 + 60.0 * ndimage.map_coordinates(LUMPS, folded, order=1, mode="nearest")
    return np.where(inside, values, 0.0), inside


def scan_of(head_to_world: Array, *, inverted: bool = False) -> PosedScan:
    """A scan of the head in a position, on a grid of the world, with its true mid-plane."""
    affine = np.diag([SPACING_MM, SPACING_MM, SPACING_MM, 1.0])
    affine[:3, 3] = head_to_world[:3, 3] - SPACING_MM * (np.array(SHAPE) - 1) / 2
    index = np.stack(np.meshgrid(*map(np.arange, SHAPE), indexing="ij"), axis=-1)
    world = index @ affine[:3, :3].T + affine[:3, 3]
    values, brain = head((world - head_to_world[:3, 3]) @ head_to_world[:3, :3])
    if inverted:  # another contrast
        values = np.where(brain, 900.0 - 1.5 * values, 0.0)
    noise = np.random.default_rng(1).normal(scale=5.0, size=SHAPE)
    normal = head_to_world[:3, 0]
    return PosedScan(
        image=Volume(voxels=(values + noise).astype(np.float32), affine=affine),
        brain=Volume(voxels=brain.astype(np.float32), affine=affine),
        plane=MidPlane(normal=normal, offset_mm=float(normal @ head_to_world[:3, 3]), score=1.0),
    )


def position(pitch: float, yaw: float, roll: float, *, shift: tuple[float, float, float]) -> Array:
    moved = np.eye(4)
    moved[:3, :3] = Rotation.from_euler("ZYX", [yaw, roll, pitch], degrees=True).as_matrix()
    moved[:3, 3] = shift
    return moved


def errors_mm(found: ScanPair, first: Array, second: Array) -> Array:
    """Distance of found from true places, for marks on both sides of the head."""
    marks = np.vstack([MARKS_MM, MARKS_MM * [-1, 1, 1]])
    here = marks @ first[:3, :3].T + first[:3, 3]
    there = marks @ second[:3, :3].T + second[:3, 3]
    return np.linalg.norm(here @ found.matrix[:3, :3].T + found.matrix[:3, 3] - there, axis=-1)


FIRST = position(4.0, -3.0, 2.0, shift=(3.0, -5.0, 8.0))


@pytest.mark.parametrize(
    ("pitch", "inverted"), [(-17.0, False), (14.0, True)], ids=["same contrast", "another contrast"]
)
def test_a_known_motion_is_followed_and_left_stays_left(pitch: float, inverted: bool) -> None:
    second = position(pitch, 6.0, -4.0, shift=(-9.0, 12.0, -15.0))
    other = scan_of(second, inverted=inverted)
    found = pair_scans(scan_of(FIRST), other)
    assert errors_mm(found, FIRST, second).max() < STATED_MM
    assert found.similarity > found.start_similarity
    assert found.overlap > 0.95
    for mark in MARKS_MM:
        place = found.matrix @ FIRST @ np.append(mark, 1.0)
        assert other.plane.side_of(place[:3]) == "right"


def test_the_match_is_rigid_and_carries_the_mid_plane_onto_the_other() -> None:
    second = position(8.0, -5.0, 5.0, shift=(20.0, 0.0, 4.0))
    one, two = scan_of(FIRST), scan_of(second)
    turn = pair_scans(one, two).matrix
    assert np.linalg.det(turn[:3, :3]) == pytest.approx(1.0)
    assert turn[:3, :3] @ one.plane.normal == pytest.approx(two.plane.normal)
    on_plane = turn @ np.append(one.plane.offset_mm * one.plane.normal, 1.0)
    assert on_plane[:3] @ two.plane.normal == pytest.approx(two.plane.offset_mm)


def test_a_scan_matches_itself_without_motion() -> None:
    one = scan_of(FIRST)
    found = pair_scans(one, one)
    assert found.matrix == pytest.approx(np.eye(4), abs=0.05)
    assert found.overlap == pytest.approx(1.0)
