"""From a folder in one of the five layouts to training cases, sides and all."""

import json
from collections.abc import Callable
from functools import partial
from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.config import read_config
from medsym.datasets import prepare
from medsym.datasets.prepare import prepare_sample
from medsym.datasets.visit import VisitScan
from medsym.errors import ConfigError
from medsym.training.data import SyntheticSubjects
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset
from medsym.training.user_subjects import MixedSubjects, UserSubjects
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.grid import prepare_scan
from medsym.volumes.midplane import MidPlane
from tests.builders import reordered, write_nifti
from tests.datasets.look_alikes import LEFT_MM, RIGHT_MM, head, put

PLANE = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=1.0)
CENTRES = {"left": LEFT_MM, "right": RIGHT_MM}
CODES = {"left": "LIA", "right": "LPS"}
SPACING_MM = 6.0


@pytest.fixture
def known_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for the mid-plane takes seconds and is tested elsewhere."""
    monkeypatch.setattr(prepare, "prepare_scan", partial(prepare_scan, plane=PLANE))


def bids(root: Path) -> None:
    for side, centre in CENTRES.items():
        scan, lesion, affine = head(centre_mm=centre)
        folder = f"sub-{side}/ses-1/anat/sub-{side}_ses-1"
        put(root / f"{folder}_FLAIR.nii.gz", scan, affine, axcodes=CODES[side])
        mask = root / f"derivatives/manual/{folder}_label-lesion_mask.nii.gz"
        put(mask, lesion, affine, axcodes="RAS")


def brats(root: Path) -> None:
    for number, (side, centre) in enumerate(CENTRES.items()):
        scan, lesion, affine = head(centre_mm=centre)
        stem = root / f"BraTS-GLI-0000{number}-000" / f"BraTS-GLI-0000{number}-000-"
        put(Path(f"{stem}t2f.nii.gz"), scan, affine, axcodes=CODES[side])
        put(Path(f"{stem}seg.nii.gz"), 2 * lesion, affine, axcodes=CODES[side])


def atlas(root: Path) -> None:
    rows = ["Subject ID,Session,# Lesions LH Subcortical,# Lesions RH Subcortical"]
    for number, (side, centre) in enumerate(CENTRES.items()):
        scan, lesion, affine = head(centre_mm=centre)
        who = f"sub-r001s00{number}"
        folder = root / "derivatives" / "ATLAS" / who / "ses-1" / "anat"
        stem = f"{who}_ses-1_space-MNI152NLin2009aSym"
        put(folder / f"{stem}_T1w.nii.gz", scan, affine, axcodes=CODES[side])
        put(folder / f"{stem}_label-L_desc-T1lesion_mask.nii.gz", lesion, affine)
        rows.append(f"{who},ses-1,{int(side == 'left')},{int(side == 'right')}")
    (root / "20220425_ATLAS_2.0_MetaData.csv").write_text("\n".join(rows))


def isles(root: Path) -> None:
    for number, (side, centre) in enumerate(CENTRES.items(), start=1):
        scan, lesion, affine = head(centre_mm=centre)
        inside = f"sub-strokecase000{number}/ses-0001"
        stem = inside.replace("/", "_")
        put(root / f"{inside}/dwi/{stem}_dwi.nii.gz", scan, affine, axcodes=CODES[side])
        put(root / f"{inside}/dwi/{stem}_adc.nii.gz", 200.0 - scan, affine, axcodes=CODES[side])
        crop = affine.copy()
        crop[:3, 3] += affine[:3, :3] @ [2, 2, 2]
        put(root / f"{inside}/anat/{stem}_FLAIR.nii.gz", scan[2:, 2:, 2:], crop, axcodes="PSR")
        put(root / f"derivatives/{inside}/{stem}_msk.nii.gz", lesion, affine, axcodes=CODES[side])


def msd(root: Path) -> None:
    training = []
    for number, centre in enumerate(CENTRES.values()):
        scan, lesion, affine = head(centre_mm=centre)
        name = f"BRATS_{number}.nii.gz"
        put(root / "labelsTr" / name, lesion, affine, axcodes="LPS")
        stored = [reordered(image, affine, axcodes="LPS") for image in (scan, 150.0 - scan)]
        volumes = np.stack([image for image, _ in stored], axis=-1).astype(np.float32)
        (root / "imagesTr").mkdir(exist_ok=True)
        write_nifti(root / "imagesTr" / name, volumes, stored[0][1])
        names = {k: f"./{k}sTr/BRATS_{number}.nii.gz" for k in ("image", "label")}
        training.append(names)
    content = {"modality": {"0": "FLAIR", "1": "T1w"}, "training": training}
    (root / "dataset.json").write_text(json.dumps(content))


LAYOUTS: dict[str, Callable[[Path], None]] = {
    "atlas": atlas,
    "bids": bids,
    "brats": brats,
    "isles": isles,
    "msd": msd,
}


def settings(root: Path, layout: str, **data: object) -> TrainSettings:
    return TrainSettings.model_validate(
        {
            "name": "own",
            "workers": 0,
            "model": {"spacing_mm": SPACING_MM},
            "data": {
                "layout": layout,
                "folder": root,
                "cache": root.parent / "cache",
                "synthetic_share": 0.0,
                "test_share": 0.0,
                **data,
            },
        }
    )


@pytest.mark.usefixtures("known_plane")
@pytest.mark.parametrize("layout", LAYOUTS)
def test_every_layout_gives_lesions_on_the_side_of_the_patient(tmp_path: Path, layout: str) -> None:
    LAYOUTS[layout](tmp_path / "data")
    lines: list[str] = []
    found = make_dataset(settings(tmp_path / "data", layout), split="train", report=lines.append)
    assert isinstance(found, UserSubjects)
    assert len(found) == 2
    order = sorted(visit[0].name.split()[0] for visit in found.subjects)
    for index in range(8):
        case = found[index]
        assert case.image.shape == SymmetricGrid.spanning(SPACING_MM).shape
        half = case.lesion.shape[0] // 2
        left, right = int(case.lesion[:half].sum()), int(case.lesion[half:].sum())
        is_left = case.anatomy.split()[0] == order[0]
        assert (left > 10, right > 10) == (is_left, not is_left), case.anatomy
        assert min(left, right) == 0
        lesion, rest = case.image[case.lesion], case.image[case.brain & ~case.lesion]
        assert abs(float(lesion.mean() - rest.mean())) > 0.1
    assert any("% of the volume on the patients' left" in line for line in lines)


@pytest.mark.usefixtures("known_plane")
def test_mirrored_file_is_found_by_the_table_of_the_data_set(tmp_path: Path) -> None:
    root = tmp_path / "data"
    atlas(root)
    table = root / "20220425_ATLAS_2.0_MetaData.csv"
    text = table.read_text().replace("s000,ses-1,1,0", "s000,ses-1,0,1")
    table.write_text(text)
    with pytest.raises(ConfigError, match=r"MS-354 .*MS-353 .*lies on the left.* says right"):
        make_dataset(settings(root, "atlas"), split="train", report=lambda _line: None)


@pytest.mark.usefixtures("known_plane")
def test_healthy_folder_trains_without_any_mask(tmp_path: Path) -> None:
    root = tmp_path / "data"
    for number in range(3):
        scan, _, affine = head(brightness=0.0, seed=number)
        put(root / f"sub-{number}" / f"sub-{number}_T1w.nii.gz", scan, affine, axcodes="LIA")
    how = settings(root, "bids", healthy_only=True, lesions_drawn=1.0)
    found = make_dataset(how, split="train", report=lambda _line: None)
    assert sum(bool(found[i].lesion.any()) for i in range(6)) >= 5


@pytest.mark.usefixtures("known_plane")
def test_second_start_prepares_nothing_and_gives_the_same_cases(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    bids(tmp_path / "data")
    how = settings(tmp_path / "data", "bids")
    first = make_dataset(how, split="train", report=lambda _line: None)[3]
    monkeypatch.setattr(prepare, "read_scan", None)
    again = make_dataset(how, split="train", report=lambda _line: None)[3]
    assert torch.equal(first.image, again.image)
    assert torch.equal(first.lesion, again.lesion)


@pytest.mark.usefixtures("known_plane")
def test_synthetic_subjects_are_mixed_in_for_training_only(tmp_path: Path) -> None:
    bids(tmp_path / "data")
    how = settings(tmp_path / "data", "bids", synthetic_share=0.5, test_subjects=["sub-left"])
    mixed = make_dataset(how, split="train", report=lambda _line: None)
    assert isinstance(mixed, MixedSubjects)
    assert isinstance(mixed.synthetic, SyntheticSubjects)
    assert mixed.synthetic.canvas.grid == mixed.users.canvas.grid
    assert {mixed.users.scan_of(i).name for i in range(4)} == {"sub-right ses-1 FLAIR"}
    unseen = make_dataset(how, split="test", report=lambda _line: None)
    assert isinstance(unseen, UserSubjects)
    assert {unseen.scan_of(i).name for i in range(4)} == {"sub-left ses-1 FLAIR"}


def test_default_is_synthetic_as_before() -> None:
    how = TrainSettings.model_validate({"name": "a"})
    assert isinstance(make_dataset(how, split="train"), SyntheticSubjects)


@pytest.mark.slow
@pytest.mark.parametrize("side", ["left", "right"])
def test_lesion_keeps_its_side_when_the_plane_is_searched(tmp_path: Path, side: str) -> None:
    scan, lesion, affine = head(centre_mm=CENTRES[side])
    path = put(tmp_path / "s.nii.gz", scan, affine, axcodes="ASL")
    mask = put(tmp_path / "m.nii.gz", lesion, affine, axcodes="RPS")
    grid = SymmetricGrid.spanning(4.0)
    found = prepare_sample(VisitScan(contrast="T1w", path=path, mask=mask), grid=grid)
    half = grid.shape[0] // 2
    assert bool(found.lesion[:half].any()) == (side == "left")
    assert bool(found.lesion[half:].any()) == (side == "right")
    bright = found.head[found.lesion].mean() - found.head[found.brain & ~found.lesion].mean()
    assert bright > 0.1


CONFIGS = sorted((Path(__file__).parents[2] / "configs").glob("train_on_*.yaml"))


@pytest.mark.parametrize("path", CONFIGS, ids=lambda path: path.stem)
def test_shipped_example_asks_for_a_user_layout_and_shared_weights(path: Path) -> None:
    how = read_config(path, TrainSettings)
    assert how.data.layout != "synthetic"
    assert f"train_on_{how.data.layout}" in path.stem
