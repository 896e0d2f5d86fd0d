"""BraTS, ATLAS v2.0, ISLES'22 and Decathlon folders as they are released, in small."""

import json
from pathlib import Path

import pytest

from medsym.datasets.layouts import READERS
from medsym.datasets.settings import DataSettings
from medsym.datasets.visit import Visit
from medsym.errors import ConfigError
from tests.datasets.look_alikes import relative, touch


def visits(root: Path, layout: str, **changes: object) -> tuple[Visit, ...]:
    settings = DataSettings.model_validate(
        {"layout": layout, "folder": root, "cache": root / "cache", **changes}
    )
    return READERS[layout](root, settings=settings)


def brats(root: Path, stem: str, kind: str, *, folder: str = "") -> None:
    for what in (*kind.split(), "seg"):
        mark = "-" if "-" in stem else "_"
        touch(root, f"{folder}{stem}/{stem}{mark}{what}.nii.gz")


def test_brats_of_2023_keeps_the_visits_of_a_patient_together(tmp_path: Path) -> None:
    for stem in ("BraTS-GLI-00005-101", "BraTS-GLI-00005-100", "BraTS-MET-00005-000"):
        brats(tmp_path, stem, "t1n t1c t2w t2f", folder="TrainingData/")
    found = visits(tmp_path, "brats")
    assert [(v.subject, v.session) for v in found] == [
        ("BraTS-GLI-00005", "100"),
        ("BraTS-GLI-00005", "101"),
        ("BraTS-MET-00005", "000"),
    ]
    first = "TrainingData/BraTS-GLI-00005-100/BraTS-GLI-00005-100"
    assert {s.contrast: relative(tmp_path, s.path) for s in found[0].scans} == {
        what: f"{first}-{what}.nii.gz" for what in ("t1c", "t1n", "t2f", "t2w")
    }
    assert {relative(tmp_path, scan.mask) for scan in found[0].scans} == {f"{first}-seg.nii.gz"}


@pytest.mark.parametrize(
    ("stem", "who"),
    [
        ("BraTS20_Training_001", ("BraTS20_Training_001", None)),
        ("BraTS2021_00000", ("BraTS2021_00000", None)),
        ("Brats18_2013_10_1", ("Brats18_2013_10", "1")),
        ("BraTS19_CBICA_AAB_1", ("BraTS19_CBICA_AAB", "1")),
    ],
)
def test_older_brats_names_are_read(tmp_path: Path, stem: str, who: tuple[str, str]) -> None:
    brats(tmp_path, stem, "t1 t1ce t2 flair", folder="HGG/")
    (visit,) = visits(tmp_path, "brats", contrasts=["FLAIR", "t1ce"])
    assert (visit.subject, visit.session) == who
    assert [(s.contrast, s.path.name) for s in visit.scans] == [
        ("flair", f"{stem}_flair.nii.gz"),
        ("t1ce", f"{stem}_t1ce.nii.gz"),
    ]


def test_misnamed_brats_mask_is_named_not_lost(tmp_path: Path) -> None:
    stem = "BraTS20_Training_355/BraTS20_Training_355"
    touch(tmp_path, f"{stem}_flair.nii", "BraTS20_Training_355/W39_1998.09.19_Segm.nii")
    with pytest.raises(ConfigError, match=r"MS-346 .*W39_1998.*name it BraTS20_Training_355_seg"):
        visits(tmp_path, "brats")


ATLAS = "Training/R001/sub-r001s00{0}/ses-1/anat/sub-r001s00{0}_ses-1_space-MNI152NLin2009aSym"


def atlas(root: Path, *subjects: int, table: str | None = None) -> None:
    for number in subjects:
        stem = ATLAS.format(number)
        touch(root, f"{stem}_T1w.nii.gz", f"{stem}_label-L_desc-T1lesion_mask.nii.gz")
    if table is not None:
        (root / "20220425_ATLAS_2.0_MetaData.csv").write_text(table)


def test_atlas_mask_called_label_l_states_no_side(tmp_path: Path) -> None:
    atlas(tmp_path, 2, 1)
    found = visits(tmp_path, "atlas")
    assert [(v.subject, v.session, v.stated_side) for v in found] == [
        ("sub-r001s001", "ses-1", None),
        ("sub-r001s002", "ses-1", None),
    ]
    assert relative(tmp_path, found[0].scans[0].mask) == (
        ATLAS.format(1) + "_label-L_desc-T1lesion_mask.nii.gz"
    )


def test_atlas_table_states_the_side_where_all_lesions_are_in_one_hemisphere(
    tmp_path: Path,
) -> None:
    names = "Cortical and White Matter", "Subcortical"
    head = [f"# Lesions {side} {name}" for side in ("LH", "RH") for name in names]
    lines = [
        ",".join(["Subject ID", "Session", *head, "# Lesions Other Location"]),
        "sub-r001s001,ses-1,1,0,0,0,0",
        "sub-r001s002,ses-1,0,0,0,2,0",
        "sub-r001s003,ses-1,1,0,1,0,0",
        "sub-r001s004,ses-1,1,0,0,0,1",
    ]
    atlas(tmp_path, 1, 2, 3, 4, table="\n".join(lines))
    assert [v.stated_side for v in visits(tmp_path, "atlas")] == ["left", "right", None, None]


def test_atlas_under_derivatives_is_read(tmp_path: Path) -> None:
    stem = "derivatives/ATLAS/sub-r001s001/ses-1/anat/sub-r001s001_ses-1"
    touch(tmp_path, f"{stem}_T1w.nii.gz", f"{stem}_label-L_desc-T1lesion_mask.nii.gz")
    touch(tmp_path, f"{stem}_label-brain_mask.nii.gz")
    (visit,) = visits(tmp_path, "atlas")
    assert relative(tmp_path, visit.scans[0].mask) == f"{stem}_label-L_desc-T1lesion_mask.nii.gz"


def test_two_atlas_masks_of_one_session_are_refused(tmp_path: Path) -> None:
    atlas(tmp_path, 1)
    touch(tmp_path, ATLAS.format(1) + "_label-R_desc-T1lesion_mask.nii.gz")
    with pytest.raises(ConfigError, match=r"MS-345 .*both the mask of sub-r001s001 ses-1"):
        visits(tmp_path, "atlas")


@pytest.mark.parametrize("raw", ["", "rawdata/"])
@pytest.mark.parametrize("flair", ["FLAIR", "flair"])
def test_isles_mask_is_that_of_the_diffusion_images(tmp_path: Path, raw: str, flair: str) -> None:
    stem = "sub-strokecase0001_ses-0001"
    inside = "sub-strokecase0001/ses-0001"
    touch(tmp_path, f"{raw}{inside}/dwi/{stem}_dwi.nii.gz", f"{raw}{inside}/dwi/{stem}_adc.nii.gz")
    touch(tmp_path, f"{raw}{inside}/anat/{stem}_{flair}.nii.gz")
    touch(tmp_path, f"derivatives/{inside}/{stem}_msk.nii.gz")
    (visit,) = visits(tmp_path, "isles")
    assert (visit.subject, visit.session) == ("sub-strokecase0001", "ses-0001")
    assert {s.contrast: s.drawn_on for s in visit.scans} == {
        "adc": None,
        "dwi": None,
        "flair": "dwi",
    }
    assert {s.mask.name for s in visit.scans if s.mask} == {f"{stem}_msk.nii.gz"}


@pytest.mark.parametrize("layout", ["atlas", "brats", "isles"])
def test_folder_of_another_layout_is_refused(tmp_path: Path, layout: str) -> None:
    touch(tmp_path, "sub-1/anat/sub-1_FLAIR.nii.gz")
    with pytest.raises(ConfigError, match=r"MS-343 .*holds no scan with the names of"):
        visits(tmp_path, layout)


def decathlon(root: Path, **changes: object) -> None:
    content: dict[str, object] = {
        "modality": {"0": "FLAIR", "1": "T1w"},
        "labels": {"0": "background", "1": "edema"},
        "training": [
            {"image": f"./imagesTr/BRATS_{n}.nii.gz", "label": f"./labelsTr/BRATS_{n}.nii.gz"}
            for n in ("002", "001")
        ],
        **changes,
    }
    (root / "dataset.json").write_text(json.dumps(content))
    for folder in ("imagesTr", "labelsTr"):
        touch(root, *(f"{folder}/BRATS_{n}.nii.gz" for n in ("001", "002")))


def test_decathlon_modality_says_which_volume_is_which_contrast(tmp_path: Path) -> None:
    decathlon(tmp_path)
    first, second = visits(tmp_path, "msd")
    assert (first.subject, second.subject) == ("BRATS_001", "BRATS_002")
    assert [(s.contrast, s.volume_index) for s in first.scans] == [("FLAIR", 0), ("T1w", 1)]
    assert relative(tmp_path, first.scans[1].mask) == "labelsTr/BRATS_001.nii.gz"
    (only,) = visits(tmp_path, "msd", contrasts=["1"])[0].scans
    assert (only.contrast, only.volume_index) == ("1", 1)


def test_decathlon_of_one_contrast_leaves_no_volume_to_choose(tmp_path: Path) -> None:
    decathlon(tmp_path, modality={"0": "MRI"})
    assert visits(tmp_path, "msd")[0].scans[0].volume_index is None


def test_nnunet_files_of_their_own_are_read(tmp_path: Path) -> None:
    decathlon(tmp_path)
    for number in ("001", "002"):
        (tmp_path / f"imagesTr/BRATS_{number}.nii.gz").unlink()
        touch(tmp_path, *(f"imagesTr/BRATS_{number}_000{channel}.nii.gz" for channel in "01"))
    scans = visits(tmp_path, "msd")[0].scans
    assert [(s.path.name, s.volume_index) for s in scans] == [
        ("BRATS_001_0000.nii.gz", None),
        ("BRATS_001_0001.nii.gz", None),
    ]


def test_subject_key_keeps_the_scans_of_a_person_together(tmp_path: Path) -> None:
    entries = [{"image": f"imagesTr/BRATS_{n}.nii.gz", "subject": "p1"} for n in ("001", "002")]
    decathlon(tmp_path, training=entries)
    found = visits(tmp_path, "msd")
    assert [(v.subject, v.session) for v in found] == [("p1", "BRATS_001"), ("p1", "BRATS_002")]


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"training": []}, "list 'training' is empty"),
        ({"training": [{"image": "imagesTr/none.nii.gz"}]}, r"lists .*none.nii.gz, which is not"),
        ({"training": [{"image": 3}]}, "names the image 3"),
        ({"training": ["imagesTr/BRATS_001.nii.gz"]}, "is no list of training images"),
        ({"training": [{"image": "imagesTr/BRATS_001.nii.gz"}] * 2}, "more than once"),
        ({"modality": ["FLAIR"]}, "does not map channel numbers"),
        ({"modality": {"0": "T1", "1": "T1"}}, "gives two channels one name"),
    ],
)
def test_unusable_decathlon_list_says_why(
    tmp_path: Path, changes: dict[str, object], message: str
) -> None:
    decathlon(tmp_path, **changes)
    with pytest.raises(ConfigError, match=rf"MS-350 .*{message}"):
        visits(tmp_path, "msd")


def test_folder_without_list_and_broken_list_are_refused(tmp_path: Path) -> None:
    with pytest.raises(ConfigError, match=r"MS-350 .*dataset.json: cannot be read"):
        visits(tmp_path, "msd")
    (tmp_path / "dataset.json").write_text("{")
    with pytest.raises(ConfigError, match=r"MS-350 .*is no list of training images"):
        visits(tmp_path, "msd")
