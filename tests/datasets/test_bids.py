"""BIDS folders: the right mask for the right scan, or an error that names both."""

from pathlib import Path

import pytest

from medsym.datasets.bids import bids_visits
from medsym.datasets.settings import DataSettings
from medsym.errors import ConfigError
from tests.datasets.look_alikes import relative, touch


def settings(root: Path, **changes: object) -> DataSettings:
    return DataSettings.model_validate(
        {"layout": "bids", "folder": root, "cache": root / "cache", **changes}
    )


def masks(root: Path, **changes: object) -> dict[tuple[str, str | None, str], str | None]:
    """Mask of every scan, by subject, session and contrast."""
    return {
        (visit.subject, visit.session, scan.contrast): relative(root, scan.mask)
        for visit in bids_visits(root, settings=settings(root, **changes))
        for scan in visit.scans
    }


@pytest.mark.parametrize(
    "name",
    [
        "sub-1/anat/sub-1_lesion_mask.nii.gz",
        "sub-1/anat/sub-1_T1w_desc-lesion_mask.nii.gz",
        "sub-1/anat/sub-1_label-lesion_roi.nii.gz",
        "sub-1/anat/sub-1_T1w_roi.nii",
        "derivatives/sub-1/anat/sub-1_label-lesion_mask.nii.gz",
        "derivatives/manual/sub-1/anat/sub-1_space-T1w_desc-strokeLesion_dseg.nii.gz",
        "derivatives/manual/sub-1/anat/sub-1_space-orig_label-tumour_mask.nii.gz",
    ],
)
def test_lesion_mask_is_found_beside_the_scan_and_under_derivatives(
    tmp_path: Path, name: str
) -> None:
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", name)
    assert masks(tmp_path) == {("sub-1", None, "T1w"): name}


@pytest.mark.parametrize(
    "name",
    [
        "derivatives/sub-1/anat/sub-1_desc-brain_mask.nii.gz",
        "derivatives/sub-1/anat/sub-1_label-GM_mask.nii.gz",
        "derivatives/sub-1/anat/sub-1_dseg.nii.gz",
        "sub-1/anat/sub-1_mask.nii.gz",
        "sub-1/anat/sub-1_T1w_mask.nii.gz",
        "sub-1/anat/sub-1_ventricles_mask.nii.gz",
        "sub-1/anat/sub-1_GM_mask.nii.gz",
        "sub-1/anat/sub-1_desc-nonlesion_mask.nii.gz",
        "sub-1/anat/sub-1_desc-NoStroke_mask.nii.gz",
        "sub-1/anat/sub-1_desc-perilesional_mask.nii.gz",
        "sub-1/anat/sub-1_label-contraLesion_mask.nii.gz",
        "sub-1/anat/sub-1_hippocampus_roi.nii.gz",
        "derivatives/medsym/sub-1/anat/sub-1_T1w_desc-anatomy_dseg.nii.gz",
        "derivatives/medsym/sub-1/anat/sub-1_T1w_desc-pathology_probseg.nii.gz",
        "derivatives/sub-2/anat/sub-2_desc-lesion_mask.nii.gz",
    ],
)
def test_other_masks_and_maps_are_neither_lesion_nor_scan(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", name)
    assert masks(tmp_path) == {("sub-1", None, "T1w"): None}


def test_plain_label_map_is_a_lesion_once_its_labels_are_named(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/anat/sub-1_T1w.nii.gz", "sub-1/anat/sub-1_dseg.nii.gz")
    found = masks(tmp_path, lesion_labels=[2])
    assert found == {("sub-1", None, "T1w"): "sub-1/anat/sub-1_dseg.nii.gz"}


def test_visits_come_sorted_whatever_the_disk_says(tmp_path: Path) -> None:
    for session in ("b", "a"):
        for subject in ("10", "2", "1"):
            touch(tmp_path, f"sub-{subject}/ses-{session}/sub-{subject}_ses-{session}_FLAIR.nii")
    visits = bids_visits(tmp_path, settings=settings(tmp_path))
    assert [(v.subject, v.session) for v in visits] == [
        (f"sub-{subject}", f"ses-{session}") for subject in ("1", "10", "2") for session in "ab"
    ]


def test_each_session_gets_its_own_mask(tmp_path: Path) -> None:
    for session in ("1", "2"):
        stem = f"sub-1/ses-{session}/anat/sub-1_ses-{session}"
        touch(tmp_path, f"{stem}_T1w.nii.gz", f"{stem}_desc-lesion_mask.nii.gz")
    found = masks(tmp_path)
    assert found["sub-1", "ses-1", "T1w"] == "sub-1/ses-1/anat/sub-1_ses-1_desc-lesion_mask.nii.gz"
    assert found["sub-1", "ses-2", "T1w"] == "sub-1/ses-2/anat/sub-1_ses-2_desc-lesion_mask.nii.gz"


def test_mask_without_session_is_refused_when_there_are_several(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub-1/ses-{s}/sub-1_ses-{s}_T1w.nii" for s in "12"))
    touch(tmp_path, "derivatives/sub-1_desc-lesion_mask.nii")
    with pytest.raises(ConfigError, match=r"MS-347 .*names no session, and sub-1 has 2"):
        masks(tmp_path)


def test_mask_drawn_on_one_contrast_says_so_on_the_others(tmp_path: Path) -> None:
    mask = "derivatives/sub-1_T2w_desc-lesion_mask.nii"
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "sub-1/sub-1_T2w.nii", mask)
    (visit,) = bids_visits(tmp_path, settings=settings(tmp_path))
    assert {scan.contrast: scan.drawn_on for scan in visit.scans} == {"T1w": "T2w", "T2w": None}
    assert {relative(tmp_path, scan.mask) for scan in visit.scans} == {mask}


def test_word_for_a_lesion_is_no_scan_that_the_mask_was_drawn_on(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "sub-1/sub-1_lesion_mask.nii")
    (visit,) = bids_visits(tmp_path, settings=settings(tmp_path))
    assert (visit.scans[0].drawn_on, visit.has_mask) == (None, True)


def test_mask_of_the_own_contrast_is_preferred(tmp_path: Path) -> None:
    for contrast in ("T1w", "FLAIR"):
        touch(tmp_path, f"sub-1/sub-1_{contrast}.nii", f"sub-1/sub-1_{contrast}_roi.nii")
    assert masks(tmp_path) == {
        ("sub-1", None, "T1w"): "sub-1/sub-1_T1w_roi.nii",
        ("sub-1", None, "FLAIR"): "sub-1/sub-1_FLAIR_roi.nii",
    }


@pytest.mark.parametrize("named", ["T1w_desc-lesion_mask", "run-2_desc-lesion_mask"])
def test_mask_that_names_the_scan_wins_over_one_that_names_none(tmp_path: Path, named: str) -> None:
    touch(tmp_path, "sub-1/sub-1_run-2_T1w.nii", "derivatives/sub-1_desc-lesion_mask.nii")
    touch(tmp_path, f"derivatives/sub-1_{named}.nii")
    assert masks(tmp_path) == {("sub-1", None, "T1w"): f"derivatives/sub-1_{named}.nii"}


def test_two_equal_masks_are_refused_and_a_selector_decides(tmp_path: Path) -> None:
    first, second = (f"derivatives/rater{n}/sub-1_desc-lesion_mask.nii" for n in "12")
    touch(tmp_path, "sub-1/sub-1_T1w.nii", first, second)
    with pytest.raises(ConfigError, match=r"MS-346 .*rater2.*and .*rater1.* fit .*sub-1_T1w.nii"):
        masks(tmp_path)
    found = masks(tmp_path, masks="rater2/desc-lesion_mask")
    assert found == {("sub-1", None, "T1w"): second}


def test_mask_in_template_space_is_refused_for_a_native_scan(tmp_path: Path) -> None:
    mask = "derivatives/sub-1_space-MNI152NLin2009aSym_desc-lesion_mask.nii"
    touch(tmp_path, "sub-1/sub-1_T1w.nii", mask)
    with pytest.raises(ConfigError, match=r"MS-347 .*in space MNI152NLin2009aSym, the scan"):
        masks(tmp_path)


def test_native_mask_wins_over_its_copy_in_a_template(tmp_path: Path) -> None:
    native = "derivatives/sub-1_desc-lesion_mask.nii"
    touch(tmp_path, "sub-1/sub-1_T1w.nii", native)
    touch(tmp_path, "derivatives/sub-1_space-MNI152NLin6Asym_desc-lesion_mask.nii")
    assert masks(tmp_path) == {("sub-1", None, "T1w"): native}


def test_two_scans_of_one_contrast_are_refused_and_a_selector_decides(tmp_path: Path) -> None:
    touch(tmp_path, *(f"sub-1/sub-1_run-{n}_T1w.nii" for n in "12"))
    with pytest.raises(ConfigError, match=r"MS-345 .*run-1_T1w or run-2_T1w"):
        masks(tmp_path)
    assert list(masks(tmp_path, contrasts=["run-2_T1w"])) == [("sub-1", None, "run-2_T1w")]


def test_contrast_agent_makes_another_contrast(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "sub-1/sub-1_ce-gd_T1w.nii")
    assert {key[2] for key in masks(tmp_path)} == {"T1w", "ce-gd_T1w"}
    (visit,) = bids_visits(tmp_path, settings=settings(tmp_path, contrasts=["T1w"]))
    assert [scan.path.name for scan in visit.scans] == ["sub-1_T1w.nii"]


def test_missing_contrast_names_the_nearest(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_FLAIR.nii", "sub-1/sub-1_T1w.nii")
    with pytest.raises(ConfigError, match=r"MS-344 .*contrast FLARE. Fix: did you mean 'FLAIR'"):
        masks(tmp_path, contrasts=["FLARE"])


def test_processed_scans_count_only_when_their_folder_is_named(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "derivatives/prep/sub-1_desc-preproc_T1w.nii")
    assert list(masks(tmp_path)) == [("sub-1", None, "T1w")]
    named = "prep/desc-preproc_T1w"
    (visit,) = bids_visits(tmp_path, settings=settings(tmp_path, contrasts=[named]))
    assert visit.scans[0].path.name == "sub-1_desc-preproc_T1w.nii"


@pytest.mark.parametrize("name", ["notes.txt", ".hidden/sub-1_T1w.nii", "._sub-1_T1w.nii.gz"])
def test_folder_without_scans_is_refused(tmp_path: Path, name: str) -> None:
    touch(tmp_path, name)
    with pytest.raises(ConfigError, match=r"MS-343 .*holds no .nii"):
        masks(tmp_path)


def test_missing_folder_is_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MS-343 .*is not a folder"):
        masks(tmp_path / "none")


def test_one_file_compressed_and_not_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "sub-1/sub-1_T1w.nii.gz")
    with pytest.raises(ConfigError, match=r"MS-359 .*also holds sub-1_T1w.nii"):
        masks(tmp_path)
