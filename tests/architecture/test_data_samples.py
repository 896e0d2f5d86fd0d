"""The bundled samples are what their list says: bytes, sizes, origin, and the patient's sides."""

import hashlib

import nibabel as nib
import numpy as np
import pytest

from tests.architecture.source_files import ROOT

SAMPLES = ROOT / "data_samples"
LISTED = {
    name: digest
    for digest, name in (
        line.split(maxsplit=1)
        for line in (SAMPLES / "CHECKSUMS.sha256").read_text(encoding="utf-8").splitlines()
    )
}
LIMIT_BYTES = 500_000


def test_every_image_is_listed_and_nothing_else() -> None:
    images = {p.relative_to(SAMPLES).as_posix() for p in SAMPLES.rglob("*.nii.gz")}
    assert images == set(LISTED)
    assert len(images) >= 4


@pytest.mark.parametrize("name", sorted(LISTED))
def test_bytes_match_the_checksum_and_are_small(name: str) -> None:
    content = (SAMPLES / name).read_bytes()
    assert hashlib.sha256(content).hexdigest() == LISTED[name]
    assert len(content) <= LIMIT_BYTES


def test_origin_and_licence_are_stated_for_each_scan() -> None:
    text = (SAMPLES / "README.md").read_text(encoding="utf-8")
    for name in LISTED:
        if not name.startswith("truth/"):
            assert name in text
    assert "Copyright" in text
    assert "medsym samples" in text


def lesion_centre(name: str) -> np.ndarray:
    """World coordinates of the lesion's centre, by nibabel, which medsym's writer does not use."""
    image = nib.Nifti1Image.from_filename(SAMPLES / "truth" / name)
    voxels = np.argwhere(np.asarray(image.dataobj) > 0)
    return nib.affines.apply_affine(image.affine, voxels).mean(axis=0)


def test_lesions_lie_on_the_side_that_their_names_say() -> None:
    """World x grows to the patient's right; swapped sides would change these signs."""
    assert lesion_centre("sub-leftstroke_FLAIR_label-lesion_mask.nii.gz")[0] < -15.0
    assert lesion_centre("sub-righttumour_T2w_label-lesion_mask.nii.gz")[0] > 15.0
    assert lesion_centre("sub-subtle_T1w_label-lesion_mask.nii.gz")[0] > 15.0


def test_scan_is_brighter_inside_the_left_lesion_than_on_the_other_side() -> None:
    scan = nib.Nifti1Image.from_filename(SAMPLES / "sub-leftstroke_FLAIR.nii.gz")
    mask = nib.Nifti1Image.from_filename(
        SAMPLES / "truth" / "sub-leftstroke_FLAIR_label-lesion_mask.nii.gz"
    )
    np.testing.assert_allclose(scan.affine, mask.affine)
    image, lesion = np.asarray(scan.dataobj, dtype=float), np.asarray(mask.dataobj) > 0
    axis = [code in "LR" for code in nib.aff2axcodes(scan.affine)].index(True)
    other_side = np.flip(lesion, axis) & (image > 0)
    assert image[lesion].mean() > 1.2 * image[other_side].mean()
