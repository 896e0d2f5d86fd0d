"""From a folder in one of the five layouts to training cases, sides and all."""

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
from medsym.training.finish import reference_subjects
from medsym.training.settings import TrainSettings
from medsym.training.user_data import make_dataset
from medsym.training.user_subjects import MixedSubjects, UserSubjects
from medsym.volumes.frame import SymmetricGrid
from medsym.volumes.grid import prepare_scan
from medsym.volumes.midplane import MidPlane
from tests.datasets.layout_folders import CENTRES, LAYOUTS, atlas, bids
from tests.datasets.look_alikes import head, put, touch

PLANE = MidPlane(normal=np.array([1.0, 0.0, 0.0]), offset_mm=0.0, score=1.0)
SPACING_MM = 6.0


@pytest.fixture
def known_plane(monkeypatch: pytest.MonkeyPatch) -> None:
    """The search for the mid-plane takes seconds and is tested elsewhere."""
    monkeypatch.setattr(prepare, "prepare_scan", partial(prepare_scan, plane=PLANE))


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


def test_patients_alone_leave_the_reference_to_synthetic_subjects(tmp_path: Path) -> None:
    names = [f"sub-{number}" for number in range(12)]
    touch(tmp_path / "data", *(f"{who}/{who}_T1w.nii" for who in names))
    for who in names:  # different bytes: else they are one scan under many names
        (tmp_path / "data" / who / f"{who}_T1w.nii").write_text(who)
        (tmp_path / "data" / who / f"{who}_lesion_mask.nii").write_text(who)
    how = settings(tmp_path / "data", "bids", reference_share=0.5)
    lines: list[str] = []
    found, number = reference_subjects(how, device=torch.device("cpu"), say=lines.append)
    assert (type(found), number) == (SyntheticSubjects, how.reference_cases)
    assert any("none of the" in line and "healthy" in line for line in lines)


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
    own = VisitScan(contrast="T1w", path=path, mask=mask)
    found = prepare_sample(own, grid=grid, restored=True)
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
