"""What the settings of a data set mean, and who may be taken as healthy."""

from pathlib import Path

import pytest
from pydantic import ValidationError

from medsym.datasets.layouts import list_visits, summary
from medsym.datasets.settings import DataSettings
from medsym.errors import ConfigError
from tests.datasets.look_alikes import touch


def settings(root: Path, **changes: object) -> DataSettings:
    return DataSettings.model_validate(
        {"layout": "bids", "folder": root, "cache": root / "cache", **changes}
    )


def three(root: Path) -> None:
    """Two patients, one of whom has a visit without a mask, and one subject without any."""
    touch(root, *(f"sub-p1/ses-{n}/sub-p1_ses-{n}_T1w.nii" for n in "12"), "sub-p2/sub-p2_T1w.nii")
    touch(root, "sub-p1/ses-1/sub-p1_ses-1_desc-lesion_mask.nii", "sub-p2/sub-p2_lesion_mask.nii")
    touch(root, "sub-h1/sub-h1_T1w.nii", "sub-h1/sub-h1_FLAIR.nii")


def test_missing_mask_is_refused_until_it_is_said_what_it_means(tmp_path: Path) -> None:
    three(tmp_path)
    with pytest.raises(ConfigError, match=r"MS-348 .*2 of 4 visits .*: sub-h1, sub-p1 ses-2"):
        list_visits(settings(tmp_path))
    skipped = list_visits(settings(tmp_path, without_mask="skip"))
    assert [visit.name for visit in skipped] == ["sub-p1 ses-1", "sub-p2"]
    healthy = list_visits(settings(tmp_path, without_mask="healthy"))
    assert [(visit.name, visit.has_mask) for visit in healthy] == [
        ("sub-h1", False),
        ("sub-p1 ses-1", True),
        ("sub-p2", True),
    ]


def test_a_patient_is_never_healthy_on_another_visit(tmp_path: Path) -> None:
    three(tmp_path)
    mixed = list_visits(settings(tmp_path, without_mask="healthy"))
    assert "sub-p1 ses-2" not in [visit.name for visit in mixed]
    assert [v.name for v in list_visits(settings(tmp_path, healthy_only=True))] == ["sub-h1"]


@pytest.mark.parametrize(
    "name",
    [
        "derivatives/sub-p_ses-1_desc-lesion_mask.nii",  # another session than its scan's
        "derivatives/sub-p_ses-01_desc-lesion_mask.nii",
        "derivatives/sub-p_T1w_lesion_final_mask.nii",  # no BIDS name
        "derivatives/sub-p lesion.nii",
        "derivatives/sub-p_T1w_mask_v2_new.nii",
        "sub-p/sub-p_mask.nii",  # does not say what it shows
    ],
)
@pytest.mark.parametrize("session", ["", "_ses-2"])
def test_mask_that_cannot_be_assigned_makes_nobody_healthy(
    tmp_path: Path, name: str, session: str, caplog: pytest.LogCaptureFixture
) -> None:
    touch(tmp_path, f"sub-p/sub-p{session}_T1w.nii", "sub-h/sub-h_T1w.nii", name)
    how = {"reference_share": 0.3} if session else {}
    for changes in ({"healthy_only": True}, {"without_mask": "healthy"}):
        found = list_visits(settings(tmp_path, **changes, **how))
        assert [visit.subject for visit in found] == ["sub-h"]
    assert Path(name).name in caplog.text


@pytest.mark.parametrize("name", ["label-GM_mask", "T1w_brain_mask", "ventricles_mask", "T2w"])
def test_mask_of_healthy_anatomy_leaves_a_subject_healthy(tmp_path: Path, name: str) -> None:
    touch(tmp_path, "sub-h/sub-h_T1w.nii", f"derivatives/sub-h_{name}.nii")
    assert list_visits(settings(tmp_path, healthy_only=True, contrasts=["T1w"]))


def test_what_is_left_out_is_counted_in_the_log(
    tmp_path: Path, caplog: pytest.LogCaptureFixture
) -> None:
    three(tmp_path)
    list_visits(settings(tmp_path, without_mask="skip", contrasts=["T1w"]))
    list_visits(settings(tmp_path, healthy_only=True, contrasts=["FLAIR"]))
    assert "2 visits have a scan without a lesion mask" in caplog.text


def test_nobody_healthy_is_refused(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii", "sub-1/sub-1_lesion_mask.nii")
    with pytest.raises(ConfigError, match=r"MS-349 .*all 1 subjects have a lesion mask"):
        list_visits(settings(tmp_path, healthy_only=True))


def test_no_mask_at_all_is_refused_when_they_are_needed(tmp_path: Path) -> None:
    touch(tmp_path, "sub-1/sub-1_T1w.nii")
    with pytest.raises(ConfigError, match=r"MS-349 .*no visit has a lesion mask"):
        list_visits(settings(tmp_path, without_mask="skip"))


def test_summary_counts_subjects_visits_contrasts_and_masks(tmp_path: Path) -> None:
    three(tmp_path)
    visits = list_visits(settings(tmp_path, without_mask="healthy"))
    assert summary(visits) == ("3 subjects, 3 visits, scans: FLAIR 1, T1w 3; 2 with a lesion mask")


def test_hidden_test_set_of_a_challenge_is_skipped_by_name_only(tmp_path: Path) -> None:
    stem = "Testing/R001/sub-r001s001/ses-1/anat/sub-r001s001_ses-1"
    touch(tmp_path, f"{stem}_T1w.nii.gz")
    with pytest.raises(ConfigError, match=r"MS-348 .*skip leaves them out\.$"):
        list_visits(settings(tmp_path, layout="atlas"))


@pytest.mark.parametrize(
    ("changes", "message"),
    [
        ({"layout": "bids", "cache": "c"}, "layout: bids also needs folder"),
        ({"layout": "msd"}, "layout: msd also needs folder and cache"),
        ({"folder": "f"}, "layout: synthetic has no folder"),
        ({"layout": "atlas", "folder": "f", "cache": "c", "healthy_only": True}, "is a patient"),
        (
            {"layout": "brats", "folder": "f", "cache": "c", "without_mask": "healthy"},
            "everybody in brats data is a patient",
        ),
        ({"layout": "msd", "folder": "f", "cache": "c", "masks": "mask"}, "masks is for bids"),
        (
            {"layout": "bids", "folder": "f", "cache": "c", "together": [["a", "b"], ["b"]]},
            "in two groups",
        ),
        (
            {"layout": "bids", "folder": "f", "cache": "c", "test_share": 0.6}
            | {"reference_share": 0.4},
            "leave nothing to train on",
        ),
        ({"layout": "bids", "folder": "f", "cache": "c", "lesion_labels": [0]}, "greater than"),
    ],
)
def test_contradicting_settings_are_refused(changes: dict[str, object], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        DataSettings.model_validate(changes)


def test_settings_survive_a_round_trip_and_lose_their_names_in_the_manifest() -> None:
    synthetic = DataSettings()
    assert DataSettings.model_validate(synthetic.model_dump()) == synthetic
    own = DataSettings.model_validate(
        {"layout": "bids", "folder": "/home/me/cohort", "cache": "/home/me/c"}
        | {"test_subjects": ["sub-anna"], "together": [["sub-1", "sub-2"]]}
    )
    assert DataSettings.model_validate(own.model_dump()) == own
    said = str(own.without_names())
    assert "cohort" in said
    assert not any(text in said for text in ("home", "anna", "sub-1"))
