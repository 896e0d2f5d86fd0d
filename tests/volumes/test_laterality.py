"""The reader never exchanges left and right: every way of storing a head reads as the same head."""

import warnings
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.nifti import read_scan
from medsym.volumes.volume import Volume, axcodes_of
from medsym.volumes.writer import write_map
from tests.builders import (
    AXCODES,
    MARKER_INDEX,
    MARKER_VALUE,
    in_ras,
    make_image,
    make_volume,
    ras_affine,
    reordered,
    rotated,
    write_nifti,
)

FORMS = {
    "sform only": {"sform_code": 1, "qform_code": 0},
    "qform only": {"sform_code": 0, "qform_code": 1},
    "both": {"sform_code": 1, "qform_code": 1},
    "mixed codes": {"sform_code": 2, "qform_code": 1},
}


def marker_mm(volume: Volume) -> np.ndarray:
    """World position of the bright voxel."""
    index = np.unravel_index(int(np.argmax(volume.voxels)), volume.shape)
    return (volume.affine @ [*index, 1])[:3]


def test_the_48_axis_codes_are_distinct() -> None:
    assert len(set(AXCODES)) == 48


@pytest.mark.parametrize("forms", FORMS.values(), ids=FORMS)
@pytest.mark.parametrize("axcodes", AXCODES)
def test_every_storage_order_reads_as_the_same_head(
    tmp_path: Path, axcodes: str, forms: dict[str, int]
) -> None:
    image, affine = make_image(), ras_affine()
    stored = reordered(image, affine, axcodes=axcodes)
    scan = read_scan(write_nifti(tmp_path / "t.nii", *stored, **forms))
    assert scan.axcodes == axcodes
    np.testing.assert_array_equal(in_ras(scan), image)
    np.testing.assert_allclose(marker_mm(scan), (affine @ [*MARKER_INDEX, 1])[:3], atol=1e-4)
    assert marker_mm(scan)[0] < 0 < min(marker_mm(scan)[1:])  # left, front, top
    assert scan.affine_source == ("sform" if forms["sform_code"] else "qform")
    assert scan.notes == ("voxels are 5.5 mm thick: maps finer than that are not meaningful",)


@pytest.mark.parametrize("axcodes", AXCODES)
def test_maps_return_to_the_side_they_came_from(tmp_path: Path, axcodes: str) -> None:
    stored = reordered(make_image(), ras_affine(), axcodes=axcodes)
    scan = read_scan(write_nifti(tmp_path / "t.nii.gz", *stored))
    write_map(tmp_path / "map.nii.gz", scan.voxels == MARKER_VALUE, like=scan)
    oracle = nibabel.load(tmp_path / "map.nii.gz")
    index = np.argwhere(np.asarray(oracle.dataobj))
    assert len(index) == 1
    np.testing.assert_allclose((oracle.affine @ [*index[0], 1])[:3], marker_mm(scan), atol=1e-6)
    np.testing.assert_array_equal(oracle.get_sform(), scan.affine)
    np.testing.assert_allclose(oracle.get_qform(), scan.affine, atol=1e-4)


def test_the_48_third_party_orientations_are_one_head(shared_data: Path) -> None:
    paths = sorted((shared_data / "orientations").glob("*.nii.gz"))
    assert [path.name[:3] for path in paths] == sorted(AXCODES)
    reference = in_ras(read_scan(shared_data / "orientations" / "RAS.nii.gz"))
    for path in paths:
        scan = read_scan(path)
        assert scan.axcodes == path.name[:3]
        np.testing.assert_array_equal(in_ras(scan), reference, err_msg=path.name)


def test_a_mirrored_head_is_not_the_same_head(shared_data: Path) -> None:
    # The gate above must be able to fail: this head differs from its own mirror image.
    reference = in_ras(read_scan(shared_data / "orientations" / "RAS.nii.gz"))
    assert not np.array_equal(reference, np.flip(reference, axis=0))


def test_axis_names_agree_with_nibabel_for_any_rotation() -> None:
    random = np.random.default_rng(7)
    for _ in range(300):
        turned = rotated(
            make_volume(axcodes=random.choice(AXCODES)), degrees=random.uniform(-180, 180, 3)
        )
        assert turned.axcodes == "".join(nibabel.aff2axcodes(turned.affine))


@pytest.mark.parametrize("unit", [1.0, 0.859375, 2.3898])
@pytest.mark.parametrize("mismatch", [0.0, 5e-6, 2e-5, 1e-4, 1e-3, 1e-2, 1e-1])
@pytest.mark.parametrize("axcodes", ["LAS", "RAS", "PIR"])
def test_voxel_sizes_that_disagree_never_move_the_scan(
    tmp_path: Path, axcodes: str, mismatch: float, unit: float
) -> None:
    """Unused qform, sform scale unlike pixdim: the case in which other readers mirror the head."""
    shape = tuple(int(np.ceil(100 / unit)) + extra for extra in range(3))
    image = np.random.default_rng(0).integers(0, 99, shape).astype(np.uint8)
    affine = ras_affine(shape=shape, spacing=(unit,) * 3)
    voxels, affine = reordered(image, affine, axcodes=axcodes)
    sizes = [1.0, *[unit * (1 + mismatch)] * 3, 1, 1, 1, 1]
    path = write_nifti(tmp_path / "t.nii", voxels, affine, fields={"pixdim": sizes})
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.affine, nibabel.load(path).affine)
    assert scan.axcodes == axcodes


@pytest.mark.parametrize("angle", [0.0, 3.0, 10.0, 40.0, 44.9, 45.1])
def test_oblique_scans_keep_nibabels_affine(tmp_path: Path, angle: float) -> None:
    turned = rotated(make_volume(axcodes="LAS"), degrees=(0.3, 2.0, angle))
    for name, forms in FORMS.items():
        path = write_nifti(tmp_path / f"{name}.nii", turned.voxels, turned.affine, **forms)
        oracle = nibabel.load(path).affine
        np.testing.assert_allclose(read_scan(path).affine, oracle, rtol=0, atol=1e-12)


@pytest.mark.parametrize("axcodes", AXCODES)
def test_qform_agrees_with_nibabel_for_every_orientation(tmp_path: Path, axcodes: str) -> None:
    turned = rotated(make_volume(axcodes=axcodes), degrees=(4.0, -7.0, 11.0))
    path = write_nifti(tmp_path / "t.nii", turned.voxels, turned.affine, sform_code=0, qform_code=1)
    np.testing.assert_allclose(read_scan(path).affine, nibabel.load(path).affine, atol=1e-12)


def test_scans_whose_matrices_disagree_about_the_side_are_refused(tmp_path: Path) -> None:
    voxels, affine = reordered(make_image(), ras_affine(), axcodes="LAS")
    path = write_nifti(tmp_path / "t.nii", voxels, affine, qform_code=1, qform=ras_affine())
    with pytest.raises(
        ScanError, match=r"sform says LAS, qform says RAS.*left and right"
    ) as caught:
        read_scan(path)
    assert caught.value.code == "MS-112"


def test_half_turn_between_matrices_is_refused_as_in_the_known_public_data_set(
    tmp_path: Path,
) -> None:
    """ds000218 sub-19: sform LAS, qform RAI, both used, voxel sizes of the sform off by 1 %."""
    image = make_image()
    voxels, sform = reordered(image, ras_affine(), axcodes="LAS")
    _, qform = reordered(image, ras_affine(), axcodes="RAI")
    sform[:3, :3] *= 1.01
    path = write_nifti(tmp_path / "t.nii", voxels, sform, qform_code=1, qform=qform)
    with pytest.raises(ScanError, match="sform says LAS, qform says RAI") as caught:
        read_scan(path)
    assert caught.value.code == "MS-112"
    assert "180.00 degrees" in str(caught.value)


@pytest.mark.parametrize(
    ("degrees", "shift_mm", "scale", "accepted"),
    [
        (0.0, 0.0, 1.0, True),
        (0.4, 0.0, 1.0, True),
        (0.6, 0.0, 1.0, False),
        (0.0, 2.3, 1.0, True),
        (0.0, 2.7, 1.0, False),
        (0.0, 0.0, 1.009, True),
        (0.0, 0.0, 1.011, False),
        (180.0, 0.0, 1.0, False),
    ],
)
def test_matrices_must_agree_within_half_a_degree_and_half_a_voxel(
    tmp_path: Path, degrees: float, shift_mm: float, scale: float, *, accepted: bool
) -> None:
    volume = make_volume(axcodes="LPS")
    centre = volume.affine @ [*(np.array(volume.shape) - 1) / 2, 1]
    move, back = np.eye(4), np.eye(4)
    move[:3, 3], back[:3, 3] = -centre[:3], centre[:3]
    back[0, 3] += shift_mm
    centred = Volume(voxels=volume.voxels, affine=move @ volume.affine)
    qform = back @ rotated(centred, degrees=(0, 0, degrees)).affine
    sform = volume.affine.copy()
    sform[:3, :3] = sform[:3, :3] * scale
    sform[:3, 3] = centre[:3] - sform[:3, :3] @ ((np.array(volume.shape) - 1) / 2)
    path = tmp_path / "t.nii"
    sizes = [1.0, *volume.spacing_mm, 1, 1, 1, 1]
    head_options = {"qform_code": 1, "qform": qform}
    write_nifti(path, volume.voxels, sform, **head_options, fields={"pixdim": sizes})
    if accepted:
        scan = read_scan(path)
        np.testing.assert_array_equal(scan.affine, nibabel.load(path).get_sform())
        assert ("sform used" in " ".join(scan.notes)) == ((degrees, shift_mm, scale) != (0, 0, 1))
        return
    with pytest.raises(ScanError, match="sform says LPS, qform says") as caught:
        read_scan(path)
    assert caught.value.code == "MS-112"


@pytest.mark.parametrize("axcodes", AXCODES)
def test_assumed_orientation_is_used_only_when_the_file_states_none(
    tmp_path: Path, axcodes: str
) -> None:
    image = make_image()
    silent = write_nifti(tmp_path / "silent.nii", image, ras_affine(), sform_code=0)
    scan = read_scan(silent, assume_orientation=axcodes)
    assert (scan.axcodes, scan.affine_source) == (axcodes, "assumed")
    assert f"orientation {axcodes} was stated by the user" in scan.notes[0]
    stating = write_nifti(tmp_path / "stating.nii", image, ras_affine())
    told = read_scan(stating, assume_orientation=axcodes)
    assert told.axcodes == "RAS"
    assert "not used: the file says RAS" in told.notes[0]


def test_assumed_las_is_the_default_of_nibabel(tmp_path: Path) -> None:
    path = write_nifti(tmp_path / "t.nii", make_image(), ras_affine(), sform_code=0)
    scan = read_scan(path, assume_orientation="LAS")
    np.testing.assert_allclose(scan.affine, nibabel.load(path).affine, atol=1e-5)


def test_simpleitk_sees_the_marker_at_the_same_place(tmp_path: Path) -> None:
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")  # its bindings warn on import
        sitk = pytest.importorskip("SimpleITK")
    for axcodes in AXCODES:
        voxels, affine = reordered(make_image(), ras_affine(), axcodes=axcodes)
        path = write_nifti(tmp_path / "t.nii", voxels, affine, qform_code=1)
        image = sitk.ReadImage(str(path))
        index = np.argwhere(sitk.GetArrayFromImage(image).T == MARKER_VALUE)[0]
        lps = image.TransformIndexToPhysicalPoint([int(i) for i in index])
        expected = marker_mm(read_scan(path))
        np.testing.assert_allclose(np.array(lps) * (-1, -1, 1), expected, atol=1e-4)


def test_axis_names_of_simple_matrices() -> None:
    assert axcodes_of(np.diag([1.0, 1.0, 1.0, 1.0])) == "RAS"
    assert axcodes_of(np.diag([-1.0, 1.0, 1.0, 1.0])) == "LAS"
    assert axcodes_of(np.diag([-1.0, -1.0, 1.0, 1.0])) == "LPS"
