"""The user's scans as subjects: resumable, never mirrored, lesions only where they belong."""

from pathlib import Path

import numpy as np
import pytest
import torch

from medsym.datasets.cache import Request
from medsym.datasets.prepare import PreparedSample
from medsym.datasets.visit import Visit, VisitScan
from medsym.errors import ConfigError
from medsym.synthesis.case import SyntheticCase
from medsym.training import user_subjects
from medsym.training.settings import TrainSettings
from medsym.training.user_subjects import NOT_KNOWN, MixedSubjects, UserSubjects
from medsym.volumes.frame import SymmetricGrid
from tests.datasets.samples import sample

GRID = SymmetricGrid(shape=(32, 32, 32), spacing_mm=6.0)
HALF = GRID.shape[0] // 2


@pytest.fixture(autouse=True)
def quick(monkeypatch: pytest.MonkeyPatch) -> None:
    """Samples by the name of the file: left, right, or healthy without a mask."""

    def made(request: Request, **_: object) -> PreparedSample:
        name = request.scan.path.stem
        side = next((side for side in ("left", "right") if side in name), None)
        seed = sum(map(ord, name))
        return sample(grid=GRID, side=side, seed=seed, has_mask=side is not None)

    monkeypatch.setattr(user_subjects, "prepared", made)


def visits(*names: str) -> tuple[Visit, ...]:
    """One visit per name; "a+b" is one subject with two contrasts."""
    found = []
    for name in names:
        scans = tuple(VisitScan(contrast=p, path=Path(f"{p}.nii")) for p in name.split("+"))
        found.append(Visit(subject=name, session=None, scans=scans))
    return tuple(found)


def subjects(
    *names: str, split: str = "train", seed: int = 5, still: bool = False, **data: object
) -> UserSubjects:
    quiet = {"noise_sd": [0, 0], "blur_mm": [0, 0], "bias_log_sd": [0, 0], "one_sided": 0}
    quiet |= {"thick_slices": 0, "cropped": 0, "neck_cut": 0, "stripped": 1}
    settings = TrainSettings.model_validate(
        {
            "name": "a",
            "seed": seed,
            "data": {"layout": "bids", "folder": "data", "cache": "cache", **data},
            "synthesis": {"degradation": quiet} if still else {},
        }
    )
    return UserSubjects(visits(*names), settings=settings, grid=GRID, split=split)


def same(first: SyntheticCase, second: SyntheticCase) -> bool:
    names = ("image", "lesion", "brain", "structures", "coverage")
    return all(torch.equal(getattr(first, n), getattr(second, n)) for n in names)


def test_case_depends_on_seed_and_index_alone() -> None:
    names = ("left1", "right1", "healthy1+healthy2")
    first, again = subjects(*names), subjects(*names)
    forwards = [first[i] for i in range(5)]
    assert all(same(forwards[i], again[i]) for i in (4, 1, 3, 0, 2))
    other = subjects(*names, seed=6)
    assert not all(same(forwards[i], other[i]) for i in range(5))


def test_every_pass_visits_every_subject_once_in_an_order_of_its_own() -> None:
    names = [f"left{n}" for n in range(7)]
    found = subjects(*names)
    passes = [[found.scan_of(7 * turn + n).name for n in range(7)] for turn in range(4)]
    assert all(len(set(names)) == 7 for names in passes)
    assert len({tuple(names) for names in passes}) > 1


def test_all_scans_of_a_subject_are_seen_over_the_passes() -> None:
    found = subjects("left1+left2+left3", "left4")
    seen = {found.scan_of(i).request.scan.contrast for i in range(60)}
    assert seen == {"left1", "left2", "left3", "left4"}


@pytest.mark.parametrize("split", ["train", "test"])
@pytest.mark.parametrize("augment", [True, False])
def test_lesions_never_change_side(split: str, augment: bool) -> None:
    found = subjects("left1", "right1", split=split, augment=augment)
    for index in range(12):
        case = found[index]
        left, right = case.lesion[:HALF].sum() > 0, case.lesion[HALF:].sum() > 0
        assert (bool(left), bool(right)) == ("left" in case.anatomy, "right" in case.anatomy)


def test_image_is_never_mirrored() -> None:
    found = subjects("left1", "right1", still=True)
    for index in range(12):
        case = found[index]
        side = "left" if "left" in case.kind else "right"
        plain = sample(grid=GRID, side=side, seed=sum(map(ord, case.kind)))
        inside = (case.image != 0).numpy() & (plain.window != 0)
        shown, mirrored = case.image.numpy()[inside], plain.window[::-1][inside]
        assert np.corrcoef(shown, plain.window[inside])[0, 1] > 0.8
        assert np.corrcoef(shown, mirrored)[0, 1] < 0.5


def test_structures_are_not_known_and_types_are_those_of_training() -> None:
    case = subjects("left1")[0]
    assert case.structures.dtype == torch.int64
    assert bool((case.structures == NOT_KNOWN).all())
    assert case.image.dtype == torch.float32
    assert (case.lesion.dtype, case.brain.dtype) == (torch.bool, torch.bool)
    assert case.image.shape == case.lesion.shape == case.brain.shape == GRID.shape
    assert bool(((case.image >= -0.5) & (case.image <= 1.5)).all())


def test_expert_lesion_is_kept_as_it_is_seen() -> None:
    case = subjects("left1", split="test")[0]
    np.testing.assert_array_equal(case.lesion.numpy(), sample(grid=GRID, side="left").lesion)
    assert float(case.image[case.lesion].mean()) > float(case.image[case.brain].mean())


def test_lesions_are_drawn_into_the_stated_share_of_healthy_scans() -> None:
    for share, wanted in ((0.0, {False}), (1.0, {True}), (0.5, {False, True})):
        found = subjects("healthy1", "healthy2", lesions_drawn=share)
        assert {bool(found[i].lesion.any()) for i in range(12)} == wanted


def test_drawn_lesions_lie_on_either_side_and_change_the_image() -> None:
    with_lesions = subjects("healthy1", lesions_drawn=1.0, still=True, split="test")
    without = subjects("healthy1", lesions_drawn=0.0, still=True, split="test")
    sides, changes = set(), []
    for index in range(25):
        case, healthy = with_lesions[index], without[index]
        left = float(case.lesion[:HALF].sum() / case.lesion.sum().clamp_min(1))
        sides.add("left" if left > 0.7 else "right" if left < 0.3 else "both")
        difference = (case.image - healthy.image).abs()
        changes.append(float(difference[case.lesion].mean() - difference[~case.lesion].mean()))
        assert bool((case.lesion & ~case.brain).sum() < 0.5 * case.lesion.sum())
    assert {"left", "right"} <= sides
    assert np.median(changes) > 0.05


def test_reference_scans_stay_healthy_and_are_seen_as_inference_sees_them() -> None:
    found = subjects("healthy1", "healthy2", split="reference", lesions_drawn=1.0)
    for index in range(6):
        case = found[index]
        assert not case.lesion.any()
        assert case.stripped
        np.testing.assert_array_equal((case.image != 0).numpy() & ~case.brain.numpy(), False)


def test_scans_for_testing_are_not_augmented() -> None:
    cases = [subjects("left1", split="test", seed=seed)[0] for seed in (1, 2)]
    assert same(*cases)
    trained = [subjects("left1", split="train", seed=seed)[0] for seed in (1, 2)]
    assert not same(*trained)


def test_no_scan_left_is_refused() -> None:
    with pytest.raises(ConfigError, match=r"MS-355 data: no scan is left for the test split"):
        subjects(split="test")


@pytest.mark.parametrize("share", [0.1, 0.25, 0.5, 0.75])
def test_synthetic_subjects_come_in_exact_proportion_and_keep_the_users_order(
    share: float,
) -> None:
    class Counting:
        def __getitem__(self, index: int) -> tuple[str, int]:
            return ("synthetic", index)

    class Own(Counting):
        def __getitem__(self, index: int) -> tuple[str, int]:
            return ("user", index)

    mixed = MixedSubjects(Own(), Counting(), synthetic_share=share)
    drawn = [mixed[i] for i in range(200)]
    for who, wanted in (("synthetic", share), ("user", 1.0 - share)):
        numbers = [index for kind, index in drawn if kind == who]
        assert numbers == list(range(round(200 * wanted)))
