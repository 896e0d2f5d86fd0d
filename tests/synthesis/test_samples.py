"""The bundled samples: reproducible, small, stored in different ways, lesions on the named side."""

import gzip
import hashlib
from pathlib import Path

import nibabel
import numpy as np
import pytest

from medsym.errors import OutputError
from medsym.synthesis.sample_geometry import SHAPE, store_as, world_affine
from medsym.synthesis.samples import RECIPES, write_samples

FOLDER = Path(__file__).resolve().parents[2] / "data_samples"
SCANS = sorted(FOLDER.glob("*.nii.gz"))
OUTLINES = sorted((FOLDER / "truth").glob("*.nii.gz"))


def test_there_are_four_small_scans_and_three_outlines() -> None:
    assert [p.name for p in SCANS] == sorted(f"{r.stem}.nii.gz" for r in RECIPES)
    assert len(OUTLINES) == 3
    assert all(path.stat().st_size < 500_000 for path in [*SCANS, *OUTLINES])
    assert sum(path.stat().st_size for path in FOLDER.rglob("*")) < 3_000_000


def test_a_file_where_the_folder_should_be_is_refused(tmp_path: Path) -> None:
    (tmp_path / "file").touch()
    with pytest.raises(OutputError, match="MS-140"):
        write_samples(tmp_path / "file")


def test_checksums_are_those_of_the_files() -> None:
    rows = (FOLDER / "CHECKSUMS.sha256").read_text(encoding="ascii").splitlines()
    listed = {name: digest for digest, name in (row.split("  ") for row in rows)}
    assert set(listed) == {p.relative_to(FOLDER).as_posix() for p in [*SCANS, *OUTLINES]}
    for name, digest in listed.items():
        assert hashlib.sha256((FOLDER / name).read_bytes()).hexdigest() == digest, name


def test_scans_are_int16_in_four_storage_orders() -> None:
    images = [nibabel.load(path) for path in SCANS]
    assert {image.get_data_dtype() for image in images} == {np.dtype(np.int16)}
    assert len({nibabel.aff2axcodes(image.affine) for image in images}) == 4


@pytest.mark.parametrize("recipe", [r for r in RECIPES if r.lesion], ids=lambda r: r.subject)
def test_outline_lies_on_the_named_side_of_the_mid_plane(recipe: object) -> None:
    stem = recipe.stem
    image = nibabel.load(FOLDER / "truth" / f"{stem}_label-lesion_mask.nii.gz")
    points = np.argwhere(np.asarray(image.dataobj) > 0) @ image.affine[:3, :3].T
    to_frame = np.linalg.inv(recipe.pose.frame_to_world)
    x = (points + image.affine[:3, 3]) @ to_frame[0, :3] + to_frame[0, 3]
    side = "left" if recipe.subject == "leftstroke" else "right"
    assert (np.sign(x) == (-1 if side == "left" else 1)).all()


@pytest.mark.parametrize("axcodes", ["LIA", "PSR", "RAS", "IPL"])
def test_storage_order_moves_no_voxel(axcodes: str) -> None:
    voxels = np.arange(np.prod(SHAPE)).reshape(SHAPE)
    stored, affine = store_as(voxels, affine=world_affine(), axcodes=axcodes)
    assert "".join(nibabel.aff2axcodes(affine)) == axcodes
    back = nibabel.as_closest_canonical(nibabel.Nifti1Image(stored.astype(np.int32), affine))
    np.testing.assert_array_equal(np.asarray(back.dataobj), voxels)
    np.testing.assert_allclose(back.affine, world_affine())


@pytest.mark.slow
def test_samples_are_made_again_byte_for_byte(tmp_path: Path) -> None:
    write_samples(tmp_path)
    made = {p.relative_to(tmp_path): p.read_bytes() for p in tmp_path.rglob("*.nii.gz")}
    kept = {p.relative_to(FOLDER): p.read_bytes() for p in [*SCANS, *OUTLINES]}
    assert set(made) == set(kept)
    for name, data in kept.items():  # another zlib may pack the same content differently
        assert gzip.decompress(made[name]) == gzip.decompress(data), name
