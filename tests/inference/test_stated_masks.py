"""Stated masks: a brain that replaces the found one, and places left out on both sides alike."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.inference import case
from medsym.inference.case import CaseResult, analyse_scan
from medsym.volumes import grid
from medsym.volumes.grid import MidPlane, prepare_scan, to_scan_grid
from medsym.volumes.volume import Volume
from tests.builders_case import SEMI_AXES_MM, affine_for, fake_model, flat_reference, head_phantom

LESION_MM = (40.0, 10.0, 10.0)
RIGHT_NOTCH_MM = (45.0, -20.0, 0.0)


@pytest.fixture(autouse=True)
def plane_is_known(monkeypatch: pytest.MonkeyPatch) -> None:
    plane = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=0.9)
    monkeypatch.setattr(case, "prepare_scan", partial(prepare_scan, plane=plane))
    monkeypatch.setattr(grid, "polish_plane", lambda *_, start, **__: start)


def analyse(
    folder: Path, scan: Volume | None = None, *, leak: float = 0.1, **masks: Volume
) -> CaseResult:
    scan = head_phantom() if scan is None else scan
    return analyse_scan(scan, fake_model(folder, leak=leak), reference=flat_reference(), **masks)


def world(codes: str, *, spacing: float, shape: tuple[int, int, int]) -> tuple:
    affine = affine_for(codes, spacing=spacing, shape=shape)
    index = np.stack(np.meshgrid(*(np.arange(n) for n in shape), indexing="ij"), axis=-1)
    return affine, np.moveaxis(index @ affine[:3, :3].T + affine[:3, 3], -1, 0)


def ball(
    centre_mm: tuple[float, float, float],
    *,
    radius_mm: float = 18.0,
    codes: str = "RAS",
    spacing: float = 3.0,
) -> Volume:
    affine, points = world(codes, spacing=spacing, shape=(70, 72, 74))
    away = np.sqrt(sum((v - m) ** 2 for v, m in zip(points, centre_mm, strict=True)))
    return Volume(voxels=(away < radius_mm).astype(np.int32), affine=affine, path=Path("ball.nii"))


def notched_brain(codes: str = "RAS", *, spacing: float = 2.5) -> Volume:
    """Brain of the phantom without a ball on the patient's right."""
    shape = tuple(int(190 / spacing) for _ in range(3))
    affine, points = world(codes, spacing=spacing, shape=shape)
    inside = sum((v / s) ** 2 for v, s in zip(points, SEMI_AXES_MM, strict=True)) < 1
    gap = sum((v - m) ** 2 for v, m in zip(points, RIGHT_NOTCH_MM, strict=True)) < 15**2
    voxels = (inside & ~gap).astype(np.int32)
    return Volume(voxels=voxels, affine=affine, path=Path("brain.nii.gz"), sha256="a" * 64)


def at(result: CaseResult, point_mm: tuple[float, float, float]) -> tuple[int, int, int]:
    index = np.linalg.inv(result.prepared.grid_to_world) @ np.array([*point_mm, 1.0])
    return tuple(int(i) for i in np.rint(index[:3]))


@pytest.mark.parametrize(("codes", "spacing"), [("RAS", 3.0), ("LAS", 2.5), ("PIL", 4.0)])
def test_a_stated_brain_replaces_the_found_one_on_its_own_side(tmp_path, codes, spacing) -> None:
    mask = notched_brain(codes, spacing=spacing)
    result = analyse(tmp_path, brain_mask=mask)
    x, y, z = RIGHT_NOTCH_MM
    assert not result.maps.brain[at(result, (x, y, z))]
    assert result.maps.brain[at(result, (-x, y, z))]
    assert result.maps.pathology[at(result, (x, y, z))] == 0
    assert analyse(tmp_path).maps.brain[at(result, (x, y, z))]
    own_ml = float(mask.voxels.sum()) * spacing**3 / 1000
    assert result.summary.brain_ml == pytest.approx(own_ml, rel=0.02)
    assert "mask brain.nii.gz" in " ".join(result.notes)
    assert [use.kind for use in result.masks] == ["brain"]


def test_no_network_pass_is_spent_on_a_brain_that_is_stated(tmp_path, monkeypatch) -> None:
    monkeypatch.setattr("medsym.inference.stated_masks.find_brain", lambda *_, **__: 1 / 0)
    assert analyse(tmp_path, brain_mask=notched_brain()).is_assessable


def moved(mask: Volume, *, by_mm: tuple[float, float, float]) -> Volume:
    affine = mask.affine.copy()
    affine[:3, 3] += by_mm
    return replace(mask, affine=affine)


@pytest.mark.parametrize(
    ("mask", "code"),
    [
        (ball((0, 0, 0)), "MS-541"),
        (replace(ball((0, 0, 0)), voxels=np.zeros((3, 3, 3), np.int32)), "MS-541"),
        (ball((0, 0, 0), radius_mm=95), "MS-541"),
        (moved(notched_brain(), by_mm=(0, 0, 60)), "MS-542"),
        (moved(notched_brain(), by_mm=(30, 0, 0)), "MS-542"),
        (moved(notched_brain(), by_mm=(500, 0, 0)), "MS-542"),
    ],
)
def test_a_mask_that_is_no_brain_of_this_scan_is_refused_by_name(tmp_path, mask, code) -> None:
    with pytest.raises(ScanError, match=code) as refused:
        analyse(tmp_path, brain_mask=mask)
    assert refused.value.subject == mask.path.name


def test_what_is_left_out_is_compared_found_and_counted_on_neither_side(tmp_path) -> None:
    plain, masked = analyse(tmp_path), analyse(tmp_path, exclusion=ball(LESION_MM))
    assert [f.side for f in plain.findings] == ["right"]
    assert masked.findings == ()
    x, y, z = LESION_MM
    for place in (at(masked, LESION_MM), at(masked, (-x, y, z))):
        assert plain.maps.domain[place]
        assert not masked.maps.domain[place]
    out = ~masked.maps.domain
    for name in ("pathology", "asymmetry", "deviation", "bound", "even_pathology"):
        assert not getattr(masked.maps, name)[out].any(), name
    assert masked.summary.deviation_max < 0.2 * plain.summary.deviation_max
    assert masked.summary.pathology_ml < plain.summary.pathology_ml
    assert 0.01 < masked.gate.excluded < 0.1
    assert masked.gate.coverage == plain.gate.coverage
    assert "leaves out" in " ".join(masked.notes)


def test_maps_on_the_scan_are_zero_in_every_masked_voxel_and_its_mirror_voxel(tmp_path) -> None:
    scan = head_phantom(spacing=2.0, world_shape=(90, 100, 84))
    index = np.indices(scan.shape)
    middle = np.array([64, 55, 45]).reshape(3, 1, 1, 1)
    voxels = (np.abs(index - middle).max(axis=0) <= 5).astype(np.int32)
    masked = analyse(tmp_path, scan, exclusion=replace(scan, voxels=voxels))
    both = (voxels | voxels[::-1]).astype(bool)  # the phantom's mid-plane halves its lattice
    for name in ("pathology", "asymmetry", "deviation", "bound"):
        assert not to_scan_grid(masked.prepared, getattr(masked.maps, name))[both].any(), name


def test_leaving_out_one_side_is_leaving_out_the_other(tmp_path) -> None:
    x, y, z = LESION_MM
    right = analyse(tmp_path, exclusion=ball((x, y, z)))
    left = analyse(tmp_path, exclusion=ball((-x, y, z)))
    assert np.array_equal(right.maps.domain, left.maps.domain)
    assert np.array_equal(right.maps.deviation, left.maps.deviation)


def test_a_mirrored_scan_with_its_mirrored_mask_gives_the_mirrored_maps(tmp_path) -> None:
    scan, mask = head_phantom(), ball((-30.0, -25.0, 20.0))
    here = analyse(tmp_path, scan, leak=0.0, exclusion=mask)
    there = analyse(
        tmp_path,
        replace(scan, voxels=scan.voxels[::-1].copy()),
        leak=0.0,
        exclusion=replace(mask, voxels=mask.voxels[::-1].copy()),
    )
    assert np.array_equal(here.maps.domain, there.maps.domain[::-1])
    for name in ("asymmetry", "deviation"):
        ours, theirs = getattr(here.maps, name), getattr(there.maps, name)
        assert np.abs(ours).max() > 0
        assert np.array_equal(ours, theirs[::-1])
    assert here.summary.deviation_max == there.summary.deviation_max
    assert [here.summary.deviation_side, there.summary.deviation_side] == ["right", "left"]


def test_the_rest_of_the_brain_is_judged_as_without_the_mask(tmp_path) -> None:
    far = ball((-30.0, -40.0, -10.0), radius_mm=10)
    plain, masked = analyse(tmp_path), analyse(tmp_path, exclusion=far)
    assert [f.side for f in masked.findings] == ["right"]
    assert masked.findings[0].peak_mm == plain.findings[0].peak_mm
    inside = masked.maps.domain
    assert np.array_equal(plain.maps.asymmetry[inside], masked.maps.asymmetry[inside])


def test_a_mask_over_most_of_the_brain_leaves_nothing_to_assess(tmp_path) -> None:
    result = analyse(tmp_path, exclusion=ball((30, 0, 0), radius_mm=45))
    assert not result.is_assessable
    assert "exclusion mask leaves out" in " ".join(result.reasons)


def test_an_empty_exclusion_changes_nothing_and_one_elsewhere_is_refused(tmp_path) -> None:
    empty = ball(LESION_MM, radius_mm=0.0)
    assert not empty.voxels.any()
    plain, masked = analyse(tmp_path), analyse(tmp_path, exclusion=empty)
    assert np.array_equal(plain.maps.deviation, masked.maps.deviation)
    with pytest.raises(ScanError, match=r"MS-543 ball\.nii"):
        analyse(tmp_path, exclusion=moved(ball(LESION_MM), by_mm=(700, 0, 0)))
