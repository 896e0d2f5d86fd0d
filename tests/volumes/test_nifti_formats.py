"""Every NIfTI variant reads as the same voxels; stored values become exact intensities."""

import gzip
import hashlib
import unicodedata
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import ScanError
from medsym.volumes.nifti import read_label_map, read_scan
from medsym.volumes.volume import Volume
from tests.builders import make_image, make_volume, nifti_bytes, ras_affine, write_nifti

DTYPES = ["u1", "i1", "i2", "u2", "i4", "u4", "i8", "u8", "f4", "f8"]


@pytest.mark.parametrize("name", ["t.nii", "t.nii.gz", "t.NII.GZ", "t.hdr", "t.img"])
@pytest.mark.parametrize("big_endian", [False, True])
@pytest.mark.parametrize("version", [1, 2])
def test_every_container_reads_as_the_same_volume(
    tmp_path: Path, name: str, version: int, *, big_endian: bool
) -> None:
    image, affine = make_image().astype(np.int16), ras_affine()
    path = tmp_path / name
    if name.endswith("GZ"):
        write_nifti(tmp_path / "t.nii.gz", image, affine, version=version).rename(path)
    else:
        write_nifti(path, image, affine, version=version, big_endian=big_endian)
    scan = read_scan(path)
    np.testing.assert_array_equal(scan.voxels, image)
    np.testing.assert_allclose(scan.affine, affine, atol=1e-6)
    assert scan.voxels.dtype == np.float32
    assert scan.voxels.dtype.isnative


def test_a_compressed_pair_reads_too(tmp_path: Path) -> None:
    head, data = nifti_bytes(make_image(), ras_affine(), paired=True)
    (tmp_path / "t.hdr.gz").write_bytes(gzip.compress(head))
    (tmp_path / "t.img.gz").write_bytes(gzip.compress(data))
    np.testing.assert_array_equal(read_scan(tmp_path / "t.img.gz").voxels, make_image())


def test_the_hash_is_that_of_the_bytes_on_disk(tmp_path: Path) -> None:
    for name in ("t.nii", "t.nii.gz"):
        path = write_nifti(tmp_path / name, make_image(), ras_affine(), tail=b"ignored tail")
        assert read_scan(path).sha256 == hashlib.sha256(path.read_bytes()).hexdigest()
    write_nifti(tmp_path / "t.img", make_image(), ras_affine())
    both = (tmp_path / "t.hdr").read_bytes() + (tmp_path / "t.img").read_bytes()
    assert read_scan(tmp_path / "t.img").sha256 == hashlib.sha256(both).hexdigest()


@pytest.mark.parametrize("scaling", [(0.0, 0.0), (1.0, 0.0), (0.37, -12.5), (np.nan, 0.0)])
@pytest.mark.parametrize("dtype", DTYPES)
def test_intensities_equal_nibabels(
    tmp_path: Path, dtype: str, scaling: tuple[float, float]
) -> None:
    image = (make_image() % 120).astype(dtype)
    fields = {"scl_slope": scaling[0], "scl_inter": scaling[1]}
    path = write_nifti(tmp_path / "t.nii", image, ras_affine(), fields=fields)
    scan = read_scan(path)
    oracle = nibabel.load(path).get_fdata(dtype=np.float64)
    np.testing.assert_allclose(scan.voxels, oracle, rtol=1e-6, atol=1e-5)
    assert any("slope" in note for note in scan.notes) == bool(np.isnan(scaling[0]))


def test_header_extensions_are_skipped(tmp_path: Path) -> None:
    source = nibabel.Nifti1Image(make_image(), ras_affine())
    source.header.extensions.append(nibabel.nifti1.Nifti1Extension("comment", b"x" * 3000))
    nibabel.save(source, tmp_path / "t.nii.gz")
    np.testing.assert_array_equal(read_scan(tmp_path / "t.nii.gz").voxels, make_image())


def test_one_volume_of_a_series_is_read_only_when_chosen(tmp_path: Path) -> None:
    image = make_image()
    series = np.stack([image, image + 1, image + 2], axis=-1)
    path = write_nifti(tmp_path / "t.nii.gz", series, ras_affine())
    for index in range(3):
        np.testing.assert_array_equal(read_scan(path, volume_index=index).voxels, image + index)
    single = write_nifti(tmp_path / "s.nii", series[..., :1], ras_affine())
    np.testing.assert_array_equal(read_scan(single).voxels, image)


@pytest.mark.parametrize(
    "name",
    [
        "with space.nii.gz",
        unicodedata.normalize("NFC", "Jos\u00e9.nii.gz"),
        unicodedata.normalize("NFD", "Jos\u00e9.nii.gz"),
        "\u8133.nii.gz",
        "-leading.nii.gz",
        "line\nbreak.nii.gz",
        "n" * 248 + ".nii.gz",
    ],
    ids=["space", "nfc", "nfd", "kanji", "dash", "newline", "255 bytes"],
)
def test_unusual_names_are_read(tmp_path: Path, monkeypatch: pytest.MonkeyPatch, name: str) -> None:
    monkeypatch.chdir(tmp_path)
    write_nifti(Path(name), make_image(), ras_affine())
    assert read_scan(name).path == Path(name)


def test_few_holes_are_filled_from_their_surroundings(tmp_path: Path) -> None:
    image = make_image()
    image[image == 0] = -7.0  # the background of a standardised scan is not zero
    image[:4, :4, :4] = -7.0
    holed = image.copy()
    holed[10, 12, 9], holed[1, 1, 1], holed[9, 11, 8] = np.nan, np.inf, -np.inf
    scan = read_scan(write_nifti(tmp_path / "t.nii", holed, ras_affine()))
    assert scan.voxels[1, 1, 1] == -7.0
    assert 90 < scan.voxels[10, 12, 9] < 130
    assert "3 NaN or infinite voxels" in " ".join(scan.notes)
    untouched = np.isfinite(holed)
    np.testing.assert_array_equal(scan.voxels[untouched], image[untouched])


def test_thick_slices_are_noted(tmp_path: Path) -> None:
    image = make_image(shape=(100, 110, 20)).astype(np.int16)
    affine = ras_affine(shape=image.shape, spacing=(1.0, 1.0, 6.0))
    scan = read_scan(write_nifti(tmp_path / "t.nii", image, affine))
    assert scan.spacing_mm == pytest.approx((1.0, 1.0, 6.0))
    assert scan.notes == ("voxels are 6 mm thick: maps finer than that are not meaningful",)


def test_little_shear_is_noted_and_much_can_be_allowed(tmp_path: Path) -> None:
    for shear, options in ((5e-4, {}), (0.3, {"allow_shear": True})):
        affine = ras_affine()
        affine[0, 1] += shear * affine[1, 1]
        scan = read_scan(write_nifti(tmp_path / "t.nii", make_image(), affine), **options)
        np.testing.assert_allclose(scan.affine, affine, atol=1e-5)
        assert "sheared" in " ".join(scan.notes)


def test_label_maps_are_exact_integers(tmp_path: Path) -> None:
    labels = np.arange(20 * 24 * 18).reshape(20, 24, 18) - 4000
    for dtype in ("i2", "i4", "f4", "f8", "i8"):
        path = write_nifti(tmp_path / "t.nii.gz", labels.astype(dtype), ras_affine())
        read = read_label_map(path)
        assert read.voxels.dtype == np.int32
        np.testing.assert_array_equal(read.voxels, labels)
    large = (labels + 2**24 + 4001).astype(np.int32)  # float32 would merge neighbours
    path = write_nifti(tmp_path / "t.nii.gz", large, ras_affine())
    np.testing.assert_array_equal(read_label_map(path).voxels, large)


def test_empty_and_small_masks_are_valid_label_maps(tmp_path: Path) -> None:
    path = write_nifti(
        tmp_path / "t.nii", np.zeros((5, 6, 7), np.uint8), ras_affine(shape=(5, 6, 7))
    )
    assert not read_label_map(path).voxels.any()


@pytest.mark.parametrize(("value", "code"), [(0.5, "MS-126"), (np.nan, "MS-120"), (3e9, "MS-126")])
def test_label_maps_with_other_values_are_refused(tmp_path: Path, value: float, code: str) -> None:
    labels = np.zeros((20, 24, 18), np.float64)
    labels[3, 3, 3] = value
    path = write_nifti(tmp_path / "t.nii", labels, ras_affine())
    with pytest.raises(ScanError) as caught:
        read_label_map(path)
    assert caught.value.code == code


def assert_reads_like_nibabel(path: Path) -> None:
    scan, oracle = read_scan(path), nibabel.load(path)
    np.testing.assert_array_equal(scan.affine, oracle.affine, err_msg=str(path))
    stored = np.asarray(oracle.dataobj, dtype=np.float32)
    np.testing.assert_array_equal(scan.voxels, stored, err_msg=str(path))


def test_real_scans_are_accepted_with_nibabels_voxels_and_affine(shared_data: Path) -> None:
    for name in ("cases/tumour-flair/FLAIR", "cases/stroke-t2/T2", "elderly/flair/Subj6_FL"):
        assert_reads_like_nibabel(shared_data / f"{name}.nii.gz")


@pytest.mark.slow
def test_every_real_scan_is_accepted_with_nibabels_voxels_and_affine(shared_data: Path) -> None:
    paths = sorted(shared_data.glob("cases/*/*.nii.gz"))
    paths += sorted(shared_data.glob("elderly/*/*.nii.gz"))
    assert len(paths) > 40
    for path in paths:
        assert_reads_like_nibabel(path)


@pytest.mark.slow
def test_every_real_label_map_is_accepted(shared_data: Path) -> None:
    paths = sorted(shared_data.glob("anatomy/*.nii.gz"))[:3]
    paths += sorted(shared_data.glob("elderly/labels/*.nii.gz"))
    paths += sorted(shared_data.glob("lesions/*/*.nii.gz"))[::10]
    assert len(paths) > 50
    for path in paths:
        labels = read_label_map(path).voxels
        np.testing.assert_array_equal(labels, np.asarray(nibabel.load(path).dataobj))


def test_volume_describes_itself(oriented_volume: Volume) -> None:
    assert oriented_volume.shape == oriented_volume.voxels.shape
    assert sorted(oriented_volume.spacing_mm) == pytest.approx([5.0, 5.0, 5.5])
    assert oriented_volume.axcodes == "".join(nibabel.aff2axcodes(oriented_volume.affine))


def test_volume_refuses_what_has_no_place() -> None:
    volume = make_volume()
    for affine in (np.zeros((4, 4)), np.full((4, 4), np.nan), np.eye(3)):
        with pytest.raises(Exception, match="MS-114"):
            Volume(voxels=volume.voxels, affine=affine)
    with pytest.raises(Exception, match=r"MS-114.*shape"):
        Volume(voxels=np.zeros((2, 2), np.float32), affine=np.eye(4))
