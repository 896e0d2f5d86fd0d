"""A lesion keeps its place and its side on the way to the grid, or its file is refused."""

from dataclasses import replace
from functools import partial
from pathlib import Path

import numpy as np
import pytest

from medsym.datasets import prepare
from medsym.datasets.lesion_mask import (
    check_same_place,
    check_side,
    lesion_on_grid,
    mask_notes,
    read_mask,
)
from medsym.datasets.prepare import prepare_sample
from medsym.datasets.visit import VisitScan
from medsym.errors import ScanError
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.grid import prepare_scan
from medsym.volumes.midplane import MidPlane
from medsym.volumes.prepared import PreparedScan
from medsym.volumes.volume import Volume
from tests.builders import ras_affine, write_nifti
from tests.datasets.look_alikes import LEFT_MM, RIGHT_MM, head, lattice_mm, put, volume

GRID = SymmetricGrid.spanning(4.0)
SCAN = VisitScan(contrast="T1w", path=Path("scan.nii"), mask=Path("mask.nii"))
PLANE = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=1.0)
CODES = ("RAS", "LPS", "LIA", "PSR", "AIL", "SRP")


def prepared(
    *, axcodes: str = "RAS", centre_mm: tuple[float, float, float] = LEFT_MM
) -> PreparedScan:
    scan, _, affine = head(centre_mm=centre_mm)
    return prepare_scan(volume(scan, affine, axcodes=axcodes), grid=GRID, plane=PLANE)


def float_mask(*, axcodes: str = "RAS", centre_mm: tuple[float, float, float] = LEFT_MM) -> Volume:
    _, lesion, affine = head(centre_mm=centre_mm)
    return volume(lesion.astype(np.float32), affine, axcodes=axcodes)


def world_centre(lesion: np.ndarray, where: PreparedScan) -> np.ndarray:
    index = np.argwhere(lesion).mean(axis=0)
    return where.grid_to_world[:3, :3] @ index + where.grid_to_world[:3, 3]


@pytest.mark.parametrize("codes", [*zip(CODES, reversed(CODES), strict=True)])
def test_lesion_lies_where_it_was_drawn_in_any_storage_order(codes: tuple[str, str]) -> None:
    where = prepared(axcodes=codes[0])
    lesion = lesion_on_grid(float_mask(axcodes=codes[1]), prepared=where, scan=SCAN)
    half = lesion.shape[0] // 2
    assert lesion[:half].sum() > 0
    assert lesion[half:].sum() == 0  # the patient's right
    np.testing.assert_allclose(world_centre(lesion, where), LEFT_MM, atol=1.5)


def test_lesion_on_the_right_stays_on_the_right() -> None:
    where = prepared(centre_mm=RIGHT_MM)
    lesion = lesion_on_grid(float_mask(centre_mm=RIGHT_MM), prepared=where, scan=SCAN)
    half = lesion.shape[0] // 2
    assert (lesion[:half].sum(), lesion[half:].sum() > 0) == (0, True)


def test_volume_is_kept_within_a_tenth() -> None:
    mask = float_mask()
    lesion = lesion_on_grid(mask, prepared=prepared(), scan=SCAN)
    drawn = mask.voxels.sum() * 4.5**3
    assert lesion.sum() * GRID.spacing_mm**3 == pytest.approx(drawn, rel=0.1)


def test_mask_on_a_finer_grid_of_the_same_world_is_brought_over() -> None:
    affine = ras_affine(shape=(90, 90, 80), spacing=(2.0, 2.0, 2.0))
    offset = lattice_mm(affine, shape=(90, 90, 80)) - np.reshape(LEFT_MM, (3, 1, 1, 1))
    inside = (np.linalg.norm(offset, axis=0) < 16.0).astype(np.float32)
    mask = volume(inside, affine, axcodes="LPS")  # other numbers of voxels: any order will do
    where = prepared()
    check_same_place(mask, scan=where.scan)
    lesion = lesion_on_grid(mask, prepared=where, scan=SCAN)
    np.testing.assert_allclose(world_centre(lesion, where), LEFT_MM, atol=1.5)


def test_mask_outside_the_head_is_refused() -> None:
    mask = float_mask()
    away = mask.affine.copy()
    away[0, 3] += 150.0
    with pytest.raises(ScanError, match=r"MS-352 mask.nii: 100 % of the lesion lies outside"):
        lesion_on_grid(
            replace(mask, affine=away, path=Path("mask.nii")), prepared=prepared(), scan=SCAN
        )


def test_brain_mask_is_no_lesion() -> None:
    where = prepared()
    brain = Volume(voxels=where.brain.astype(np.float32), affine=where.grid_to_world)
    with pytest.raises(ScanError, match=r"MS-352 .*covers the whole brain of scan.nii"):
        lesion_on_grid(brain, prepared=where, scan=SCAN)


@pytest.mark.parametrize("change", ["identity", "mirrored origin", "shifted"])
def test_mask_that_lost_its_header_is_refused(change: str) -> None:
    scan = prepared(axcodes="LPS").scan
    affine = {
        "identity": np.eye(4),
        "mirrored origin": scan.affine @ np.diag([-1.0, 1.0, 1.0, 1.0]),
        "shifted": scan.affine + np.pad([[9.0]], ((0, 3), (3, 0))),
    }[change]
    mask = Volume(voxels=np.zeros(scan.shape, np.float32), affine=affine)
    with pytest.raises(ScanError, match=r"MS-351 .*lies up to .* mm away"):
        check_same_place(mask, scan=scan)


@pytest.mark.parametrize("axcodes", CODES)
def test_reordered_mask_is_accepted_only_as_its_user_says(axcodes: str) -> None:
    scan, mask = prepared(axcodes="LIA").scan, float_mask(axcodes=axcodes)
    check_same_place(mask, scan=scan, restored=True)
    if axcodes == "LIA":
        check_same_place(mask, scan=scan)
        return
    with pytest.raises(ScanError, match=r"MS-351 .*another order .*data.masks_restored: true"):
        check_same_place(mask, scan=scan)


@pytest.mark.parametrize("contrasts", [None, "T2w"])
def test_left_lesion_with_a_mirrored_header_does_not_become_a_right_one(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch, contrasts: str | None
) -> None:
    monkeypatch.setattr(prepare, "prepare_scan", partial(prepare_scan, plane=PLANE))
    image, lesion, affine = head(centre_mm=LEFT_MM)
    turned = np.diag([-1.0, 1.0, 1.0, 1.0])
    turned[0, 3] = image.shape[0] - 1  # the first voxel is where the last one was: the same box
    mirrored = affine @ turned
    scan = VisitScan(
        contrast="T1w",
        path=put(tmp_path / "s.nii.gz", image, affine),
        mask=put(tmp_path / "m.nii.gz", lesion, affine),
        drawn_on=contrasts,
    )
    found = prepare_sample(scan, grid=GRID)
    half = found.lesion.shape[0] // 2
    assert (bool(found.lesion[:half].any()), bool(found.lesion[half:].any())) == (True, False)
    assert scan.mask is not None
    write_nifti(scan.mask, lesion, mirrored)
    with pytest.raises(ScanError, match=r"MS-351 .*LAS against RAS"):
        prepare_sample(scan, grid=GRID)


@pytest.mark.parametrize(("stated", "other"), [("left", "right"), ("right", "left")])
def test_lesion_on_the_other_side_than_the_table_says_is_refused(stated: str, other: str) -> None:
    lesion = np.zeros((8, 4, 4), dtype=bool)
    lesion[(1 if stated == "left" else 6), 2, 2] = True
    check_side(lesion, stated=stated, path=Path("m.nii"))
    check_side(lesion, stated=None, path=Path("m.nii"))
    with pytest.raises(ScanError, match=rf"MS-353 m.nii: 100 % .* on the {stated}.* says {other}"):
        check_side(lesion, stated=other, path=Path("m.nii"))


def test_lesion_labels_choose_among_the_values_of_a_mask(tmp_path: Path) -> None:
    _, lesion, affine = head()
    lesion[:, :29] *= 4
    path = put(tmp_path / "m.nii.gz", lesion, affine)
    np.testing.assert_array_equal(read_mask(path, labels=()).voxels, lesion > 0)
    np.testing.assert_array_equal(read_mask(path, labels=(4,)).voxels, lesion == 4)
    both = read_mask(path, labels=(1, 4))
    np.testing.assert_array_equal(both.voxels, lesion > 0)
    assert 0 < (lesion == 4).sum() < both.voxels.sum()


def test_lesion_too_small_for_the_grid_and_borrowed_masks_are_noted() -> None:
    mask = float_mask()
    voxels = np.zeros_like(mask.voxels)
    voxels[10, 30, 26] = 1.0
    where = prepared()
    scan = replace(SCAN, drawn_on="T2w")
    empty = np.zeros(GRID.shape, dtype=bool)
    notes = mask_notes(replace(mask, voxels=voxels), empty, prepared=where, scan=scan)
    assert "drawn on T2w and reached T1w" in notes[0]
    assert "lesion of 91 mm3 is too small for voxels of 4 mm" in notes[1]
